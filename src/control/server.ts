import { lstatSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { attend, bounds } from './attend.ts';
import type { Source } from './source.ts';

/** Not by `import`: see `src/control/client.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

/**
 * Only its owner can be slow on the socket, which needs no guard but against mistakes: connections are looked through less
 * often than on the network, as each look is a timer that wakes an idle Huddle. Milliseconds.
 */
const connectionsCheckingInterval = 30_000;

/** The control API while it is served. */
export interface Control {
  /** False when nobody is served any more, and somebody could be: the socket has been removed, its folder is there. */
  isThere(): boolean;
  /** Ends every event stream and connection at once; a socket is removed. */
  close(): Promise<void>;
}

/**
 * Serves the control API over HTTP on a unix socket that only its owner may open. The caller holds the lock of this
 * Huddle: a socket that is there and that nobody answers is a dead Huddle's, and is replaced.
 * Fails with `path-occupied`, `permission-denied` or `internal` where the path cannot be listened on.
 */
export async function serveControl(
  source: Source,
  path: string,
  options: { heartbeat?: number } = {},
): Promise<Control> {
  await removeStale(path);
  const server = createServer({ ...bounds, connectionsCheckingInterval });
  const close = attend(server, source, { from: 'socket', admit: () => null, heartbeat: options.heartbeat });
  await listen(server, path);
  const ours = isPipe(path) ? undefined : inodeOf(path);
  return {
    // While its folder is away the socket may be coming back with it, and is listened to still.
    isThere: () => isPipe(path) || isFound(path) || !isFound(dirname(path)),
    async close() {
      // An inode is given to nobody else for as long as somebody listens on it.
      if (!isPipe(path) && inodeOf(path) === ours) rmSync(path, { force: true });
      await close();
    },
  };
}

const inodeOf = (path: string): bigint | undefined => lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;

const isFound = (path: string): boolean => inodeOf(path) !== undefined;

/**
 * The name under which the socket is made, and no longer than its own. Node removes it by that when the server closes,
 * whosever it is by then: another Huddle may have taken the folder.
 */
const passing = (path: string): string => (isPipe(path) ? path : path.replace(/.$/, '~'));

/** A name of Windows: it is gone with the process that listened, and only one can at a time. */
const isPipe = (path: string): boolean => path.startsWith('\\\\.\\pipe\\');

/** What is left of a Huddle that was killed says ECONNREFUSED to a client and EADDRINUSE to `listen`. */
async function removeStale(path: string): Promise<void> {
  if (isPipe(path)) return;
  rmSync(passing(path), { force: true });
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const alive = found.isSocket() && (await answers(path));
  if (alive || !found.isSocket()) {
    const reason = alive ? 'somebody listens there already' : 'something that is not a socket is there';
    throw new Failure('path-occupied', { doing: 'listening on', subject: path, reason, hint: 'Remove it.' });
  }
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const tell = (alive: boolean) => () => {
      probe.destroy();
      resolve(alive);
    };
    probe.once('connect', tell(true)).once('error', tell(false));
  });
}

/** Nobody but the owner may ever open the socket, not even for the instant between `bind` and a `chmod`. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = Promise.withResolvers<void>();
  // An error later on, of one connection that could not be taken, ends nothing: hence not `once`.
  server.once('listening', listening.resolve).on('error', listening.reject);
  const before = process.umask(0o177);
  try {
    server.listen(passing(path));
  } finally {
    process.umask(before);
  }
  try {
    await listening.promise;
    if (!isPipe(path)) renameSync(passing(path), path);
  } catch (error) {
    server.close();
    throw cannotListen(path, error);
  }
}

function cannotListen(path: string, error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  const denied = code === 'EACCES' || code === 'EPERM';
  const reason = (error instanceof Error ? error.message : String(error)).replaceAll(passing(path), path);
  const hint = 'Name a folder of this user with --state DIR.';
  const parts = { doing: 'listening on', subject: path, reason, hint, cause: error };
  return new Failure(denied ? 'permission-denied' : 'internal', parts);
}
