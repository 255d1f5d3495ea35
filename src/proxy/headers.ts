import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { BlockList, isIPv6, type Socket } from 'node:net';

/** A request that must not be passed on, and the status that says so. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** RFC 9110, 7.6.1: between two neighbours only; and what proxies have always taken for that. */
const ofTheHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Whoever names these in `Connection` would have the next one see another request than this one. */
const never = new Set(['host', 'content-length']);

/** Written anew by `forwarded`. */
const ours = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);

/** The headers of an answer without those of the hop, as they were written and in their order. */
export function answerHeaders({ rawHeaders, headers }: IncomingMessage, isChunked: boolean): string[] {
  const named = namedIn(headers.connection);
  // Without chunks there is no place for trailers, and Node refuses to announce them.
  return kept(rawHeaders, (name) => !ofTheHop.has(name) && !named?.has(name) && (isChunked || name !== 'trailer'));
}

/** The headers with which a protocol is switched: those of the hop are what it is about. */
export function switchHeaders({ rawHeaders }: IncomingMessage): string[] {
  return kept(rawHeaders, (name) => name === 'connection' || name === 'upgrade' || !ofTheHop.has(name));
}

/**
 * The headers with which a request is passed on. Throws a `Refusal` for one that the program could read in another way
 * than the proxy has.
 */
export function requestHeaders(request: IncomingMessage, isUpgrade: boolean): string[] {
  const { rawHeaders, headers } = request;
  const named = namedIn(headers.connection);
  let hosts = 0;
  const sent = kept(rawHeaders, (name) => {
    if (name === 'host') hosts += 1;
    if (ofTheHop.has(name) || ours.has(name)) return false;
    return named === null || !named.has(name);
  });
  if (hosts > 1) throw new Refusal(400, 'more than one Host');
  // HTTP/1.0 needs none, HTTP/1.1 does.
  if (hosts === 0) sent.push('Host', 'localhost');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Refusal(501, 'a transfer coding besides chunked');
  if (coding !== undefined) sent.push('Transfer-Encoding', 'chunked');
  else if (!isUpgrade && headers['content-length'] === undefined && hasBodyByHabit(request))
    sent.push('Content-Length', '0');
  if (/\btrailers\b/i.test(String(headers['te'] ?? ''))) sent.push('TE', 'trailers');
  if (isUpgrade) sent.push('Connection', 'Upgrade', 'Upgrade', headers.upgrade ?? '');
  sent.push(...forwarded(request));
  return sent;
}

/** By its head, whether or not a byte comes. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** Passes on what came after a body. Node refuses some of it, and then the message is not whole. */
export function addTrailers(to: ClientRequest | ServerResponse, { rawTrailers }: IncomingMessage): void {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawTrailers.length; index += 2) {
    pairs.push([rawTrailers[index] ?? '', rawTrailers[index + 1] ?? '']);
  }
  try {
    if (pairs.length > 0) to.addTrailers(pairs);
  } catch {
    to.destroy();
  }
}

/** Node sends chunks with any other, also where there are none. */
const hasBodyByHabit = ({ method = '' }: IncomingMessage): boolean =>
  !['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'].includes(method);

function kept(raw: readonly string[], isKept: (name: string) => boolean): string[] {
  const found: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name = '', value = ''] = [raw[index], raw[index + 1]];
    if (isKept(name.toLowerCase())) found.push(name, value);
  }
  return found;
}

/** What `Connection` takes for headers of the hop; null for the plain words that nearly all send. */
function namedIn(connection: string | undefined): ReadonlySet<string> | null {
  if (connection === undefined || /^(keep-alive|close|upgrade)$/i.test(connection)) return null;
  const names = connection.split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => !never.has(name)));
}

/**
 * Who asked, by what and for whom. A neighbour (this machine, a private network) is taken for a proxy that tells the
 * truth: what it says is kept, and its own address is added at the end. What a stranger says of these is dropped.
 * `Forwarded` (RFC 7239) is nobody's business here and passes as it is.
 */
function forwarded({ socket, headers }: IncomingMessage): string[] {
  const peer = peerOf(socket);
  const told = (name: string): string | undefined => {
    const value = peer.isNear ? headers[name] : undefined;
    return Array.isArray(value) ? value.join(', ') : value;
  };
  const path = told('x-forwarded-for');
  const sent = ['X-Forwarded-For', path === undefined ? peer.address : `${path}, ${peer.address}`];
  sent.push('X-Forwarded-Proto', told('x-forwarded-proto') ?? 'http');
  const host = told('x-forwarded-host') ?? headers.host;
  if (host !== undefined) sent.push('X-Forwarded-Host', host);
  return sent;
}

interface Peer {
  readonly address: string;
  readonly isNear: boolean;
}

const peers = new WeakMap<Socket, Peer>();

/** Looked at once for each connection. */
function peerOf(socket: Socket): Peer {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const address = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*/, '');
  const peer = { address, isNear: near.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') };
  peers.set(socket, peer);
  return peer;
}

const near = new BlockList();
// RFC 1122, 1918, 3927, 6598 (carriers, and the load balancers of clouds), 4193, 4291.
near.addSubnet('127.0.0.0', 8);
near.addSubnet('10.0.0.0', 8);
near.addSubnet('172.16.0.0', 12);
near.addSubnet('192.168.0.0', 16);
near.addSubnet('169.254.0.0', 16);
near.addSubnet('100.64.0.0', 10);
near.addAddress('::1', 'ipv6');
near.addSubnet('fc00::', 7, 'ipv6');
near.addSubnet('fe80::', 10, 'ipv6');
