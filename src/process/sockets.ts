import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SocketAddress } from 'node:net';
import { basename, join } from 'node:path';
import type { Listen } from '../../machines/config.ts';
import { faultPoint } from '../fault.ts';
import { errorCode } from '../ledger/paths.ts';
import { inodeOf, listeners } from '../platform/listeners.ts';
import { bindSocket, type BoundSocket, listenOnce, mustBindSockets } from './bind.ts';
import { isAlive } from './identity.ts';
import { askKeeper, endKeeper, type Keeper, type OpenSocket, startKeeper } from './keeper.ts';

// The sockets of `application.listen`: Huddle opens them once and hands them to each release, as systemd does
// (sd_listen_fds(3)). It never accepts on them itself; what waits in their queues waits for whichever release comes next.

/** The open sockets of an app. */
export interface Sockets {
  /** In the order of the config; a program finds the first at 3. A name holds neither a colon nor a control character. */
  readonly descriptors: readonly { readonly fd: number; readonly name: string }[];
  readonly held: readonly Held[];
  /** What keeps them when Huddle ends; null where there are none. */
  readonly keeper: Keeper | null;
  /** Gives them up, keeper and files included; a program that has been handed them goes on with them. */
  close(): void;
}

/** One of them. */
interface Held extends OpenSocket {
  readonly listen: Listen;
  /** The inode of a unix socket's file, so that nobody else's is removed; null for TCP, and for what is not ours. */
  readonly file: number | null;
}

export interface SocketsInput {
  /** None: what an earlier config had open is closed. */
  readonly listen: readonly Listen[];
  /** The app's folder of state, where the next Huddle finds their keeper. */
  readonly folder: string;
  /** A fresh mark for the keeper, should one have to be started. */
  readonly mark: string;
  /** Who owns unix sockets; null: Huddle's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** What this Huddle has open for the app already. */
  readonly open: Sockets | null;
}

/**
 * Opens the sockets of an app. Those that are open stay: of this Huddle, of an earlier one (its keeper has them), of
 * the systemd unit that started Huddle. Others are bound and listened on; what is no longer wanted is closed, when all
 * else has gone well. Throws as `bindSocket`, and then nothing has changed.
 */
export async function openSockets(input: SocketsInput): Promise<Sockets> {
  const { listen, folder, open } = input;
  if (listen.length > 0) mustBindSockets();
  const before = open ?? (await keptSockets(folder));
  try {
    const held = await heldSockets(listen, before.held, input.owner);
    const isSame = held.length === before.held.length && held.every((socket, index) => socket === before.held[index]);
    const isKept = isSame && (held.length === 0 || (before.keeper !== null && isAlive(before.keeper)));
    const sockets = socketsOf(held, isKept ? before.keeper : keep(held, before.keeper, input), folder);
    if (before.keeper !== null && !isKept) endKeeper(before.keeper);
    for (const socket of before.held) if (!held.includes(socket)) release(socket);
    return sockets;
  } catch (thrown) {
    // Its keeper has them all the same.
    if (open === null) for (const socket of before.held) socket.close();
    throw thrown;
  }
}

/** Gives up the sockets of an app: those of this Huddle, or those that a keeper has had since an earlier one. */
export function closeSockets(folder: string, open: Sockets | null): void {
  const record = readRecord(folder);
  if (open !== null || record === null) return open?.close();
  endKeeper(record.keeper);
  for (const { listen, file } of record.sockets) removeFile(listen, file);
  forget(folder);
}

/** The environment that says what a program has been handed; `withSockets` adds its LISTEN_PID. */
export function socketsEnvironment(sockets: Sockets | null): Readonly<Record<string, string>> {
  if (sockets === null || sockets.descriptors.length === 0) return {};
  const names = sockets.descriptors.map(({ name }) => name);
  return { LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(':') };
}

/** An argv that puts its own pid, which nobody knows before, into LISTEN_PID, and then becomes the given one. */
export function withSockets(argv: readonly string[], sockets: Sockets | null): readonly string[] {
  if (sockets === null || sockets.descriptors.length === 0) return argv;
  return ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...argv];
}

/** The mark of the keeper that has an app's sockets: whoever ends what a dead Huddle has left is to spare it. */
export function markOfKeeper(folder: string): string | null {
  return readRecord(folder)?.keeper.mark ?? null;
}

// -- opening

async function heldSockets(
  wanted: readonly Listen[],
  open: readonly Held[],
  owner: SocketsInput['owner'],
): Promise<readonly Held[]> {
  const inherited = inheritedSockets();
  const fresh: BoundSocket[] = [];
  try {
    const held: (Held | BoundSocket)[] = [];
    for (const listen of wanted) {
      const found = [...open, ...inherited].find((socket) => isSameAddress(socket.listen, listen));
      const socket = found ?? (await bindSocket(listen, { owner, ipv6Only: hasIpv4Beside(listen, wanted) }));
      if ('publish' in socket) fresh.push(socket);
      held.push(socket);
    }
    faultPoint('sockets.open.before');
    await listenOnce(fresh);
    for (const socket of fresh) socket.publish();
    faultPoint('sockets.open.after');
    return held.map((socket) => ('publish' in socket ? heldOf(socket) : socket));
  } catch (thrown) {
    for (const socket of fresh) socket.close();
    throw thrown;
  }
}

function heldOf(socket: BoundSocket): Held {
  const { listen, fd } = socket;
  return { listen, fd, file: listen.kind === 'unix' ? fileAt(listen.path) : null, close: () => socket.close() };
}

/** `[::]` takes IPv4 in as well, where that is not listened on by itself. */
function hasIpv4Beside(listen: Listen, wanted: readonly Listen[]): boolean {
  if (listen.kind !== 'tcp' || listen.host !== '::') return false;
  return wanted.some((other) => other.kind === 'tcp' && other.port === listen.port && other.host.includes('.'));
}

/** What systemd has opened for Huddle itself (a socket unit): passed on where an app names the same address. */
function inheritedSockets(): readonly Held[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (Number(pid) !== process.pid) return [];
  const all = listeners();
  return Array.from({ length: Number(count) || 0 }, (_none, index) => 3 + index).flatMap((fd) => {
    const at = all.find(({ inode }) => inode === inodeOf(fd))?.at;
    if (at === undefined) return [];
    const listen: Listen = 'path' in at ? { kind: 'unix', ...at } : { kind: 'tcp', ...at };
    return [{ listen, fd, file: null, close: () => {} }]; // Of this process for as long as it lives.
  });
}

function isSameAddress(one: Listen, other: Listen): boolean {
  if (one.kind === 'unix' || other.kind === 'unix') {
    return one.kind === 'unix' && other.kind === 'unix' && one.path === other.path;
  }
  return one.port === other.port && shortest(one.host) === shortest(other.host);
}

/** `0:0:0:0:0:0:0:1` as `::1`. */
function shortest(host: string): string {
  return host.includes(':') ? new SocketAddress({ family: 'ipv6', address: host.replace(/%.*/, '') }).address : host;
}

function socketsOf(held: readonly Held[], keeper: Keeper | null, folder: string): Sockets {
  return {
    descriptors: held.map(({ fd, listen }) => ({ fd, name: nameOf(listen) })),
    held,
    keeper,
    close() {
      if (keeper !== null) endKeeper(keeper);
      for (const socket of held) release(socket);
      forget(folder);
    },
  };
}

function nameOf(listen: Listen): string {
  // What sd_listen_fds(3) allows in a name.
  return listen.kind === 'tcp' ? String(listen.port) : basename(listen.path).replace(/[:\p{Cc}]/gu, '_');
}

/** Closes a socket, and removes its file where that is still its own. */
function release(socket: Held): void {
  socket.close();
  removeFile(socket.listen, socket.file);
}

function removeFile(listen: Listen, file: number | null): void {
  if (listen.kind === 'unix' && file !== null && fileAt(listen.path) === file) rmSync(listen.path, { force: true });
}

function fileAt(path: string): number | null {
  return lstatSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

// -- what the next Huddle finds

interface KeeperRecord {
  readonly keeper: Keeper;
  readonly sockets: readonly Pick<Held, 'listen' | 'file'>[];
}

function keep(held: readonly Held[], before: Keeper | null, { folder, mark }: SocketsInput): Keeper | null {
  if (held.length === 0) {
    forget(folder);
    return null;
  }
  // Not the one that goes with the keeper before, which is ended when this one is written down.
  const [usual, other] = fifosIn(folder);
  const keeper = startKeeper(held, mark, before?.fifo === usual ? other : usual);
  const sockets = held.map(({ listen, file }) => ({ listen, file }));
  const record: KeeperRecord = { keeper, sockets };
  const fresh = `${recordIn(folder)}.new`;
  writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
  faultPoint('keeper.record.fresh');
  renameSync(fresh, recordIn(folder));
  faultPoint('keeper.record.after');
  return keeper;
}

/** The sockets of an earlier Huddle; none where it had none, or nobody has kept them. */
async function keptSockets(folder: string): Promise<Pick<Sockets, 'held' | 'keeper'>> {
  const record = readRecord(folder);
  const taken = record === null ? null : await askKeeper(record.keeper);
  if (record === null || taken === null) return { held: [], keeper: null };
  const held = taken.map((socket, index) => ({
    listen: record.sockets[index]?.listen,
    file: record.sockets[index]?.file ?? null,
    fd: socket.fd,
    close: () => socket.close(),
  }));
  return { held: held as Held[], keeper: record.keeper };
}

function readRecord(folder: string): KeeperRecord | null {
  try {
    return JSON.parse(readFileSync(recordIn(folder), 'utf8')) as KeeperRecord;
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT' || thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

function forget(folder: string): void {
  for (const file of [recordIn(folder), ...fifosIn(folder)]) rmSync(file, { force: true });
}

function fifosIn(folder: string): readonly [string, string] {
  return [join(folder, 'sockets.fifo'), join(folder, 'sockets-2.fifo')];
}

function recordIn(folder: string): string {
  return join(folder, 'sockets.json');
}
