import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { Failure, type FailureCode } from '../../machines/failure.ts';
import { refused } from '../ledger/paths.ts';
import { errorCode } from '../platform/error-code.ts';
import { doorkeeper } from './admission.ts';
import { attend, bounds } from './attend.ts';
import type { Control } from './server.ts';
import type { Source } from './source.ts';
import { asSeen, inUrl, type TcpAddress } from './tcp-address.ts';

/** Not by `import`: see `src/control/client.ts`. */
const http = process.getBuiltinModule('node:http');

/** How the network reaches Huddle. */
export interface Listening {
  readonly address: TcpAddress;
  /** Paths of PEM files; null: not encrypted. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Further names that Huddle goes by. */
  readonly allowHosts: readonly string[];
}

/** The control API while it is served on TCP. */
export interface TcpControl extends Control {
  /** As a browser on this machine reaches it: `http://127.0.0.1:7357`. */
  readonly url: string;
  /** Takes the certificate as it is on disk now. Throws a `Failure` where that cannot be used: the old one stays. */
  renew(): void;
}

/** Of a browser or scraper there are a few, each with a handful of connections. */
const mostConnections = 256;

/**
 * Serves the control API to whoever has the token, and to nobody else (`src/control/admission.ts`). Fails with
 * `path-occupied` where somebody else listens, `permission-denied`, or `config-invalid` where there is no such address
 * or the certificate cannot be used.
 */
export async function serveTcp(source: Source, listening: Listening, token: string): Promise<TcpControl> {
  const { address, tls, allowHosts } = listening;
  const server = openServer(tls);
  const admit = doorkeeper({ token, host: address.host, allowHosts });
  const close = attend(server, source, { from: 'network', admit });
  server.maxConnections = mostConnections;
  await listen(server, address);
  const { port } = server.address() as AddressInfo;
  const seen = inUrl(asSeen({ host: address.host, port }, tls !== null));
  return {
    url: `${tls === null ? 'http' : 'https'}://${seen}`,
    isThere: () => server.listening,
    renew() {
      if (tls !== null && 'setSecureContext' in server) server.setSecureContext(certificate(tls));
    },
    close,
  };
}

function openServer(tls: Listening['tls']): Server | SecureServer {
  if (tls === null) return http.createServer(bounds);
  const secrets = certificate(tls);
  // Node's own time for a handshake is two minutes.
  const { createServer } = process.getBuiltinModule('node:https');
  return createServer({ ...bounds, ...secrets, handshakeTimeout: 10_000 });
}

/** The two files, tried out on each other. */
function certificate({ cert, key }: NonNullable<Listening['tls']>) {
  const secrets = { cert: read(cert), key: read(key) };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(secrets);
    return secrets;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const hint = `Both are PEM files, and belong together; the key is ${key}.`;
    throw new Failure('config-invalid', { doing: 'using the certificate', subject: cert, reason, hint, cause: thrown });
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw refused(thrown, 'reading the certificate or key', path);
  }
}

async function listen(server: Server | SecureServer, address: TcpAddress): Promise<void> {
  const listening = Promise.withResolvers<void>();
  // An error later on, of one connection that could not be taken, ends nothing: hence not `once`.
  server.once('listening', listening.resolve).on('error', listening.reject);
  server.listen(address.port, address.host);
  try {
    await listening.promise;
  } catch (thrown) {
    throw cannotListen(address, thrown);
  }
}

function cannotListen(address: TcpAddress, thrown: unknown): Failure {
  const [code, reason, hint] = refusals[errorCode(thrown)] ?? [
    'internal',
    thrown instanceof Error ? thrown.message : String(thrown),
    '',
  ];
  return new Failure(code, { doing: 'listening on', subject: inUrl(address), reason, hint, cause: thrown });
}

const elsewhere = 'Name an address of this machine with --listen.';

const refusals: Readonly<Record<string, readonly [code: FailureCode, reason: string, hint: string]>> = {
  EADDRINUSE: [
    'path-occupied',
    'somebody else listens there',
    'End that one, or choose another port with --listen; Huddle tries again by itself.',
  ],
  EACCES: ['permission-denied', 'permission denied', 'Ports below 1024 are for root: choose another one.'],
  EADDRNOTAVAIL: ['config-invalid', 'this machine has no such address', elsewhere],
  ENOTFOUND: ['config-invalid', 'no such host', elsewhere],
  EAI_AGAIN: ['config-invalid', 'the name of the host cannot be looked up now', 'Huddle tries again by itself.'],
};
