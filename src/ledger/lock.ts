import {
  chmodSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { isTaken } from '../platform/pid.ts';
import type { Hold } from '../platform/platform.ts';
import { errorCode, refused } from './paths.ts';
import type { StatePaths } from './paths.ts';

/** The right to be the one Huddle of a folder. It ends with `release`, and with the process however that ends. */
export interface Lock {
  /** Whether whoever starts now would meet it: false when its file has been removed, or another one is in its place. */
  isInPlace(): boolean;
  release(): void;
}

/**
 * Takes the lock of a folder, and prepares the state folder: private (0700), and with the socket's folder and the empty one.
 * Fails with `path-occupied` when another Huddle holds it, naming its pid; with `command-not-found` where there is no
 * `flock`; with `disk-full`, `permission-denied` and the like where the state folder cannot be written.
 *
 * No child gets a copy of it: programs that outlive Huddle do not keep the lock. The file is never removed; to unlink it
 * would let two starters through.
 */
export function takeLock(paths: StatePaths): Lock {
  faultPoint('lock.before');
  prepareRoot(paths);
  const hold = holdOf(paths);
  try {
    sign(hold, `${process.pid}\n`);
    faultPoint('lock.after');
  } catch (error) {
    hold.release();
    throw refused(error, locking, paths.folder);
  }
  let released = false;
  return {
    isInPlace() {
      const ours = fstatSync(hold.descriptor, { bigint: true });
      const found = statSync(paths.lock, { bigint: true, throwIfNoEntry: false });
      return found?.ino === ours.ino && found.dev === ours.dev;
    },
    release() {
      if (released) return;
      released = true;
      sign(hold, '');
      hold.release();
    },
  };
}

/** Takes the lock, and the config folder with it. Fails as `takeLock`, also when that Huddle has its state elsewhere. */
export function takeBoth(paths: StatePaths): { readonly lock: Lock; readonly leaveFolder: () => void } {
  const lock = takeLock(paths);
  try {
    return { lock, leaveFolder: takeFolder(paths) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The right to be the one Huddle of a config folder, wherever each keeps its state: two of them would take each other's programs
 * for leftovers. Returns what gives it back; it ends with the process as well. Fails with `path-occupied` when another Huddle
 * runs on the folder. Where the file system locks no folders, the lock in the state folder has to do.
 */
function takeFolder({ folder }: StatePaths): () => void {
  const hold = holdFolder(folder);
  if (hold !== null) return hold.release;
  throw new Failure('path-occupied', {
    doing: locking,
    subject: folder,
    reason: 'another Huddle is running on it, with its state elsewhere',
    hint: 'Speak to it with the --state that it was started with, or end it first.',
  });
}

function holdFolder(folder: string): Pick<Hold, 'release'> | null {
  try {
    return here.holdFolder(folder);
  } catch {
    return { release: () => undefined };
  }
}

/** The lock holds without the name of its holder, too: a disk that is full keeps no Huddle from starting. */
function sign({ descriptor }: Hold, text: string): void {
  try {
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, text, 0);
  } catch (error) {
    if (refused(error, '', '').code === 'internal') throw error;
  }
}

function holdOf(paths: StatePaths): Hold {
  let hold: Hold | null;
  try {
    hold = here.hold(paths.lock);
  } catch (error) {
    throw refused(error, 'opening', paths.lock);
  }
  if (hold === null) throw held(paths);
  return hold;
}

/** Whether that is why the lock could not be taken. */
export function isHeldByAnother({ code, doing }: Failure): boolean {
  return code === 'path-occupied' && doing === locking;
}

const locking = 'locking';

function held(paths: StatePaths): Failure {
  const pid = holder(paths.lock);
  return new Failure('path-occupied', {
    doing: locking,
    subject: paths.folder,
    reason: `another Huddle${pid === null ? '' : ` (pid ${pid})`} is running on it`,
    hint: 'Speak to it with huddle status or huddle check, or end it first.',
  });
}

/** How often, and how many milliseconds apart, to look for the pid of a holder that is only just starting. */
const looks = 20;
const lookEvery = 10;

/** The pid of the process that holds the lock. Just after it was taken the file may still be empty, or name a dead one. */
function holder(path: string): number | null {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let look = 0; look < looks; look += 1) {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    if (pid > 0 && isTaken(pid)) return pid;
    Atomics.wait(pause, 0, 0, lookEvery);
  }
  return null;
}

function prepareRoot(paths: StatePaths): void {
  try {
    makePrivate(paths.root, paths.lock);
    const socketFolder = dirname(paths.socket);
    const isApart = here.controlPipe(paths.root) === null && socketFolder !== paths.root;
    if (isApart) makePrivate(socketFolder, paths.socket);
    mkdirSync(paths.empty, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refused(error, 'preparing', paths.root);
  }
}

/**
 * Makes a folder for us alone. One that others may enter is closed to them, but only where it is ours, and empty or
 * known by `sign` to be Huddle's: `--state /var/lib` must not lock everybody else out of /var/lib.
 */
function makePrivate(folder: string, sign: string): void {
  makeFolder(folder);
  if (!here.hasModes) return;
  const { uid, mode } = statSync(folder);
  const self = process.geteuid?.();
  if (self !== undefined && uid !== self) {
    const hint = `Run Huddle as that user, or give it to this one: chown -R ${self} ${folder}`;
    throw occupied(folder, `it belongs to user ${uid}, and Huddle runs as user ${self}`, hint);
  }
  if ((mode & 0o077) === 0) return;
  if (!existsSync(sign) && readdirSync(folder).length > 0) {
    const hint = `Name a folder of its own with --state DIR, or, if nobody else needs it: chmod 700 ${folder}`;
    throw occupied(folder, 'others may enter it, and it holds files that are not of Huddle', hint);
  }
  chmodSync(folder, 0o700);
}

/**
 * Makes a folder and those above it, one by one: Node's recursive mkdir says ENOENT on a read-only file system, as if a
 * folder were missing, and never returns where a file system has folders but takes none, as /proc.
 */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT') throw error;
    if (existsSync(dirname(folder))) throw noPlace(folder, error);
    makeFolder(dirname(folder));
    mkdirSync(folder, { mode: 0o700 });
  }
}

function noPlace(folder: string, cause: unknown): Failure {
  const reason = 'its file system takes no new folders';
  const hint = 'Name a folder on a disk with --state DIR.';
  return new Failure('directory-missing', { doing: 'making', subject: folder, reason, hint, cause });
}

function occupied(folder: string, reason: string, hint: string): Failure {
  return new Failure('path-occupied', { doing: 'keeping state in', subject: folder, reason, hint });
}
