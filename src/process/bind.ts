import { spawn } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import type { Listen } from '../../machines/config.ts';
import { Failure, type FailureCode } from '../../machines/failure.ts';
import { errorCode, refused } from '../ledger/paths.ts';
import { here } from '../platform/here.ts';
import { type Holder, holdersOf, listeners } from '../platform/listeners.ts';
import { ownFile } from '../platform/own-file.ts';
import { keeperName, type OpenSocket } from './keeper.ts';

/** A socket of our own making, which nobody listens on yet. */
export interface BoundSocket extends OpenSocket {
  readonly listen: Listen;
  /** Puts a unix socket where it belongs, in place of what a dead program has left there; does nothing for TCP. */
  publish(): void;
}

interface BindOptions {
  /** Who may change and remove a unix socket; null: Huddle's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** IPv4 has a socket of its own on this port. */
  readonly ipv6Only: boolean;
}

/** Throws `not-supported` where Node or the system cannot open sockets for others. */
export function mustBindSockets(): void {
  const parts = { doing: 'opening the sockets of', subject: 'application.listen' };
  if (process.platform === 'win32') {
    const hint = 'Use application.proxy instead.';
    throw new Failure('not-supported', { ...parts, reason: 'Windows hands no sockets to programs', hint });
  }
  if (!('BoundSocket' in net)) {
    const hint = 'Run Huddle under a newer Node, or use application.proxy instead.';
    throw new Failure('not-supported', {
      ...parts,
      reason: `it needs Node 24.19, and this is ${process.version}`,
      hint,
    });
  }
}

/**
 * Binds a socket; it says in words why it could not: `path-occupied` (and by whom, where the system tells),
 * `permission-denied`, `config-invalid` (no interface has the address), `not-supported`.
 */
export async function bindSocket(listen: Listen, options: BindOptions): Promise<BoundSocket> {
  return listen.kind === 'tcp' ? bindTcp(listen, options.ipv6Only) : bindUnix(listen, options);
}

function bindTcp(listen: Listen & { kind: 'tcp' }, ipv6Only: boolean): BoundSocket {
  const { host, port } = listen;
  const bind = (on: string) => {
    const bound = new net.BoundSocket({ host: on, port, ipv6Only });
    return { listen, fd: bound.fd(), close: () => bound[Symbol.dispose](), publish: () => {} };
  };
  try {
    return bind(host);
  } catch (thrown) {
    // A kernel without IPv6: then every interface is every interface over IPv4.
    if (host !== '::' || ipv6Only || errorCode(thrown) !== 'EAFNOSUPPORT') throw notBound(thrown, listen);
  }
  try {
    return bind('0.0.0.0');
  } catch (thrown) {
    throw notBound(thrown, listen);
  }
}

/** Bound beside its place, and put there when it is listened on: at no moment does the path refuse a connection. */
async function bindUnix(listen: Listen & { kind: 'unix' }, { owner }: BindOptions): Promise<BoundSocket> {
  const { path } = listen;
  const fresh = `${path}.new`;
  const doing = 'listening on';
  if (Buffer.byteLength(fresh) >= here.socketLimit) {
    const reason = `a socket's path may have ${here.socketLimit - 5} bytes here`;
    throw new Failure('config-invalid', { doing, subject: path, reason, hint: 'Choose a shorter one.' });
  }
  if (!('isPipe' in net.BoundSocket.prototype)) {
    const reason = `paths need a newer Node than ${process.version}`;
    throw new Failure('not-supported', { doing, subject: path, reason, hint: 'Listen on a port instead.' });
  }
  await mustBeFree(listen);
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(fresh, { force: true });
    const bound = new net.BoundSocket({ path: fresh } as object);
    chmodSync(fresh, 0o666); // As systemd's: who may enter the folder may connect.
    if (owner !== null) chownSync(fresh, owner.uid, owner.gid);
    const publish = () => renameSync(fresh, path);
    return { listen, fd: bound.fd(), close: () => bound[Symbol.dispose](), publish };
  } catch (thrown) {
    throw notBound(thrown, listen);
  }
}

/** Free is also what nobody answers at: the socket of a program that was killed. */
async function mustBeFree(listen: Listen & { kind: 'unix' }): Promise<void> {
  const found = lstatSync(listen.path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const hint = 'Remove it, or choose another path.';
    const parts = { doing: 'listening on', subject: listen.path, reason: 'what is there is no socket', hint };
    throw new Failure('path-occupied', parts);
  }
  const answers = await new Promise<boolean>((resolve) => {
    const connection = net
      .connect(listen.path, () => resolve(true))
      .on('error', ({ code }: NodeJS.ErrnoException) => {
        resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT');
      });
    connection.once('connect', () => connection.destroy());
  });
  if (answers) throw notBound(systemError('EADDRINUSE'), listen);
}

/** Connections that may wait for a program to take them; the system's own bound (somaxconn) is 4096 as well. */
const backlog = 4096;

const errand = ownFile('process/socket-errand');

/** Begins to listen on sockets that are bound, so that connections wait for whoever accepts them. Throws as `bindSocket`. */
export async function listenOnce(sockets: readonly BoundSocket[]): Promise<void> {
  if (sockets.length === 0) return;
  // By a child that ends at once: whatever listens in Node accepts as well.
  const argv = [errand, 'listen', String(sockets.length), String(backlog)];
  const complaint = await new Promise<string>((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      stdio: ['ignore', 'pipe', 'inherit', ...sockets.map(({ fd }) => fd)],
    });
    let said = '';
    child.once('error', reject);
    child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    child.once('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`the errand ended with ${code}`))));
  });
  const [, index, code = ''] = /^(\d+) (\w+)/.exec(complaint) ?? [];
  const socket = sockets[Number(index)];
  if (socket !== undefined) throw notBound(systemError(code), socket.listen);
}

/** An address as a config file has it. */
export function writtenAddress(listen: Listen): string {
  if (listen.kind === 'unix') return listen.path;
  return `${net.isIPv6(listen.host) ? `[${listen.host}]` : listen.host}:${listen.port}`;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function notBound(thrown: unknown, listen: Listen): Failure {
  const [code, reason, hint] = complaints[errorCode(thrown)]?.(listen) ?? [];
  const doing = 'listening on';
  const subject = writtenAddress(listen);
  if (code === undefined || reason === undefined) return refused(thrown, doing, subject);
  return new Failure(code, { doing, subject, reason, hint: hint ?? '', cause: thrown });
}

type Complaint = readonly [code: FailureCode, reason: string, hint: string];

const complaints: Readonly<Record<string, (listen: Listen) => Complaint>> = {
  EADDRINUSE: (listen) => {
    const hint = 'End it, or choose another address; if it is the program of this app, stop and start the app.';
    return ['path-occupied', `it is in use${by(listen)}`, hint];
  },
  EADDRNOTAVAIL: () => [
    'config-invalid',
    'no interface of this machine has that address',
    'Leave the host away for all of them.',
  ],
  EACCES: (listen) =>
    listen.kind === 'unix'
      ? ['permission-denied', 'permission denied', 'Choose a folder that Huddle may write.']
      : [
          'permission-denied',
          'ports as low as that are kept for root',
          'Run Huddle as root, give it CAP_NET_BIND_SERVICE, choose a port from 1024 on, or have systemd open it (a socket unit).',
        ],
};

function by(listen: Listen): string {
  const inodes = listeners().filter(({ at }) =>
    'path' in at
      ? listen.kind === 'unix' && (at.path === listen.path || at.path === `${listen.path}.new`)
      : listen.kind === 'tcp' && at.port === listen.port && doMeet(at.host, listen.host),
  );
  // Each once, however many sockets it has there.
  const holders = [
    ...new Map(inodes.flatMap(({ inode }) => holdersOf(inode)).map((each) => [each.pid, each])).values(),
  ];
  if (holders.some(({ pid, argv }) => pid === process.pid || argv.includes(keeperName))) return ' by an app of Huddle';
  return holders.length === 0 ? '' : ` by ${holders.slice(0, 2).map(nameOf).join(' and ')}`;
}

function nameOf({ name, pid }: Holder): string {
  return `${name} (pid ${pid})`;
}

function doMeet(one: string, other: string): boolean {
  return one === other || [one, other].some((host) => host === '::' || host === '0.0.0.0');
}
