import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultPoint } from '../fault.ts';
import { ownFile } from '../platform/own-file.ts';
import { type Identity, identifyChild, isAlive, sendSignal } from './identity.ts';
import { markVariable } from './mark.ts';

// The sockets of an app are to outlive Huddle, with what waits in their queues. A keeper, a tiny shell that does nothing
// but hold them, outlives it too; the next Huddle asks it for them through a FIFO. Descriptors pass between processes
// that are not each other's children only over a unix socket (SCM_RIGHTS), which Node speaks on its channels alone, and
// those it has with its children: so a child of the keeper's sends them to a child of Huddle's, and that to Huddle.

/** A socket that is open in this process. */
export interface OpenSocket {
  readonly fd: number;
  close(): void;
}

/** A process that holds sockets, in their order. */
export interface Keeper extends Identity {
  readonly mark: string;
  /** The FIFO on which it is asked. */
  readonly fifo: string;
  readonly count: number;
}

const errand = ownFile('process/socket-errand');

/** What it reads: who is to run the errand, what the errand is, and where it is to deliver. The FIFO is never at its end. */
const keeping =
  'while read -r node && read -r errand && read -r to; do "$node" "$errand" give "$to" "$2" </dev/null; done <>"$1"';

/** What a keeper calls itself among its arguments. */
export const keeperName = 'huddle-sockets';

/** Starts a process that holds these sockets, whatever becomes of Huddle. Throws the system's error. */
export function startKeeper(sockets: readonly OpenSocket[], mark: string, fifo: string): Keeper {
  rmSync(fifo, { force: true });
  execFileSync('mkfifo', ['-m', '600', fifo]);
  const count = sockets.length;
  faultPoint('keeper.spawn.before');
  const child = spawn('/bin/sh', ['-c', keeping, keeperName, fifo, String(count)], {
    cwd: '/',
    env: { [markVariable]: mark },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', ...sockets.map(({ fd }) => fd)],
  });
  faultPoint('keeper.spawn.after');
  child.unref();
  child.on('error', () => {}); // Without a pid it is told of below.
  if (child.pid === undefined) throw Object.assign(new Error('no process for the keeper'), { code: 'EAGAIN' });
  return { ...identifyChild(child.pid), mark, fifo, count };
}

/** Its sockets are closed, as far as nobody else holds them. */
export function endKeeper(keeper: Keeper): void {
  faultPoint('keeper.end.before');
  sendSignal(keeper, 'SIGKILL');
  rmSync(keeper.fifo, { force: true });
  faultPoint('keeper.end.after');
}

/** How long a keeper has to answer, in milliseconds. */
const patience = 20_000;

/** Takes the sockets of a keeper into this process; null when it is gone, or does not answer. */
export async function askKeeper(keeper: Keeper): Promise<readonly OpenSocket[] | null> {
  if (!isAlive(keeper)) return null;
  // Not in the state folder: a socket's path must be short.
  const room = mkdtempSync('/tmp/huddle-');
  const server = createServer({ pauseOnConnect: true });
  const abort = AbortSignal.timeout(patience);
  try {
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(join(room, 'socket'), resolve));
    await request(keeper, join(room, 'socket'), abort);
    return await receive(await orAborted(connected, abort), keeper.count, abort);
  } catch (thrown) {
    if (abort.aborted) return null;
    throw thrown;
  } finally {
    server.close();
    rmSync(room, { recursive: true, force: true });
  }
}

async function request(keeper: Keeper, to: string, abort: AbortSignal): Promise<void> {
  for (;;) {
    const fifo = openForWriting(keeper.fifo);
    if (fifo === null) {
      await sleep(20, undefined, { signal: abort }); // It has only just begun.
      continue;
    }
    writeSync(fifo, `${process.execPath}\n${errand}\n${to}\n`);
    closeSync(fifo);
    return;
  }
}

/** Without a reader a FIFO would have us wait for one: null. */
function openForWriting(fifo: string): number | null {
  try {
    return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENXIO') return null;
    throw thrown;
  }
}

/** A raw handle of Node's: `fd` is all that is documented of it, as is that it may be closed. */
async function receive(connection: Socket, count: number, abort: AbortSignal): Promise<readonly OpenSocket[]> {
  const argv = ['-c', 'NODE_CHANNEL_FD=4 exec "$@"', 'sh', process.execPath, errand, 'receive', String(count)];
  const child = spawn('/bin/sh', argv, { stdio: ['ignore', 'ignore', 'ignore', 'ipc', connection] });
  connection.destroy();
  const taken: OpenSocket[] = [];
  const all = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    // Not at its exit, which is told before the last messages are.
    child.once('disconnect', () => reject(new Error('the errand for sockets ended early')));
    child.on('message', (_what, handle) => {
      taken.push(handle as unknown as OpenSocket);
      if (taken.length === count) resolve();
    });
  });
  try {
    await orAborted(all, abort);
    child.removeAllListeners('disconnect').disconnect();
    return taken;
  } catch (thrown) {
    for (const socket of taken) socket.close();
    child.kill('SIGKILL');
    throw thrown;
  }
}

function orAborted<T>(wanted: Promise<T>, abort: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    abort.addEventListener('abort', () => reject(abort.reason as Error), { once: true });
  });
  return Promise.race([wanted, aborted]);
}
