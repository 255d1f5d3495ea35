import { createHash } from 'node:crypto';
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure, type FailureCode } from '../../machines/failure.ts';
import { errorCode } from '../platform/error-code.ts';
import { here } from '../platform/here.ts';

export { errorCode } from '../platform/error-code.ts';

/** Where everything of one Huddle lies on disk. All paths are absolute. */
export interface StatePaths {
  /** The real path of DIR: two names of one folder are one Huddle. */
  readonly folder: string;
  /** `DIR/.huddle`, or where `--state` says. Only its owner may look inside (0700). */
  readonly root: string;
  readonly lock: string;
  /** The control socket, see `socketPath`; on Windows a named pipe. */
  readonly socket: string;
  /** What the network has to show; only its owner may read it (0600). */
  readonly token: string;
  /** A folder in which there is never anything: where git is sent to look for hooks and templates. */
  readonly empty: string;
  app(name: string): AppPaths;
}

/** Where the files of one app lie. */
export interface AppPaths {
  /** The state folder: nothing is made while it is away. */
  readonly root: string;
  readonly directory: string;
  readonly state: string;
  /** The last good `state.json`. */
  readonly oldState: string;
  /** The process that is up; its own file, as it is written far more often than the facts and need not survive a boot. */
  readonly program: string;
  readonly history: string;
  readonly logs: string;
  readonly appLog: string;
  readonly deployLog: string;
  readonly proxyLog: string;
  /** Where its proxy is told what to do, see `socketPath`; on Windows a named pipe. */
  proxySocket(): string;
}

/**
 * The paths for DIR, which must exist; nothing is created.
 * Fails with `directory-missing`, and with `path-occupied` where the short socket folder is somebody else's.
 */
export function statePaths(folder: string, state?: string): StatePaths {
  const real = realFolder(folder);
  const root = state === undefined ? join(real, '.huddle') : resolve(state);
  return {
    folder: real,
    root,
    lock: join(root, 'lock'),
    socket: here.controlPipe(root) ?? socketPath(root, join(root, 'huddle.sock')),
    token: join(root, 'token'),
    empty: join(root, 'empty'),
    app: (name) => appPaths(root, name),
  };
}

function realFolder(folder: string): string {
  try {
    const real = realpathSync.native(folder);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw notAFolder(folder, refusal(error), error);
  }
  throw notAFolder(folder, 'it is not a folder');
}

function notAFolder(folder: string, reason: string, cause?: unknown): Failure {
  const hint = 'Name the folder that holds the config files with -c DIR.';
  return new Failure('directory-missing', { doing: 'opening', subject: folder, reason, hint, cause });
}

/**
 * Throws `directory-missing` and the like where the state folder has gone (moved, unmounted, removed): who makes it anew has to take its
 * lock as well, and must not stand in the way of its return.
 */
export function mustStand({ root }: AppPaths): void {
  try {
    statSync(root);
  } catch (error) {
    throw refused(error, 'keeping state in', root);
  }
}

function appPaths(root: string, name: string): AppPaths {
  if (name === '' || name === '.' || name === '..' || basename(name) !== name) {
    const hint = 'The name of an app is the name of its config file without the ending.';
    throw new Failure('config-invalid', { doing: 'naming', subject: name, reason: 'not the name of a file', hint });
  }
  const directory = join(root, 'apps', name);
  const logs = join(directory, 'logs');
  return {
    root,
    directory,
    state: join(directory, 'state.json'),
    oldState: join(directory, 'state.json.old'),
    program: join(directory, 'program.json'),
    history: join(directory, 'history.jsonl'),
    logs,
    appLog: join(logs, 'app.log'),
    deployLog: join(logs, 'deploy.log'),
    proxyLog: join(logs, 'proxy.log'),
    proxySocket: () => here.controlPipe(join(directory, 'proxy')) ?? socketPath(root, join(directory, 'proxy.sock')),
  };
}

/**
 * A socket's path near what it belongs to or, where that is too long for a socket, `/tmp/huddle-UID/HASH.sock`: UID owns
 * the root (so that an administrator's client finds the Huddle of another user), HASH is that of the folder of the path. Not
 * under `TMPDIR` or `XDG_RUNTIME_DIR`, which a service and a terminal see differently. The folder must belong to UID
 * alone, or a stranger could put a socket of his own there.
 */
function socketPath(root: string, near: string): string {
  if (Buffer.byteLength(near) < here.socketLimit) return near;
  const owner = statSync(root, { throwIfNoEntry: false })?.uid ?? process.geteuid?.() ?? 0;
  const folder = `/tmp/huddle-${owner}`;
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found && !(found.isDirectory() && found.uid === owner && (found.mode & 0o077) === 0)) {
    throw new Failure('path-occupied', {
      doing: 'choosing the control socket in',
      subject: folder,
      reason: `it is not a folder of user ${owner} alone`,
      hint: `Remove it, or make the path shorter than ${here.socketLimit} bytes with --state DIR: ${near}`,
    });
  }
  const hash = createHash('sha256').update(dirname(near)).digest('hex').slice(0, 24);
  return join(folder, `${hash}.sock`);
}

/** What the operating system refused, in words for people. */
export function refusal(thrown: unknown): string {
  const code = errorCode(thrown);
  return reasons[code] ?? (thrown instanceof Error ? thrown.message : String(thrown));
}

/** What the operating system refused, as a failure that says what to do; `internal` where no other code fits. */
export function refused(thrown: unknown, doing: string, subject: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const code = errorCode(thrown);
  return new Failure(failureCodes[code] ?? 'internal', {
    doing,
    subject,
    reason: refusal(thrown),
    hint: hints[code] ?? '',
    cause: thrown,
  });
}

/** The same by the name of the system's error alone. */
export function refusedBy(code: string, doing: string, subject: string): Failure {
  return refused(Object.assign(new Error(code), { code }), doing, subject);
}

/** What is thrown on: a refusal of the operating system as a failure, anything else as it is. */
export function orRefused(thrown: unknown, doing: string, subject: string): unknown {
  return errorCode(thrown) in failureCodes ? refused(thrown, doing, subject) : thrown;
}

/** Whether the name of a system's error says that there are no more descriptors, processes, memory. */
export function isLimit(code: string): boolean {
  return failureCodes[code] === 'limit-reached';
}

const failureCodes: Readonly<Record<string, FailureCode>> = {
  EACCES: 'permission-denied',
  EAGAIN: 'limit-reached',
  EDQUOT: 'disk-full',
  EMFILE: 'limit-reached',
  ENFILE: 'limit-reached',
  ENOENT: 'directory-missing',
  ENOMEM: 'limit-reached',
  ENOSPC: 'disk-full',
  EPERM: 'permission-denied',
  EROFS: 'permission-denied',
};

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EAGAIN: 'the system starts no more processes',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a folder',
  EMFILE: 'Huddle has no file descriptors left',
  ENFILE: 'the system has no file descriptors left',
  ENOENT: 'no such file or folder',
  ENOMEM: 'the system has no memory left',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'a part of the path is not a folder',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
};

const hints: Readonly<Record<string, string>> = {
  EACCES: 'Run Huddle as the user who owns it, or name a folder that it may write with --state DIR.',
  EAGAIN: 'Raise the limit on processes (ulimit -u, TasksMax=), or end some; Huddle tries again by itself.',
  EDQUOT: 'Free some space; Huddle tries again by itself.',
  EIO: 'See dmesg; the disk may be failing.',
  EMFILE: 'Raise the limit on open files (ulimit -n, LimitNOFILE=); Huddle tries again by itself.',
  ENFILE: 'Raise fs.file-max, or end what holds so many files open; Huddle tries again by itself.',
  ENOMEM: 'Free some memory; Huddle tries again by itself.',
  ENOSPC: 'Free some space; Huddle tries again by itself.',
  EPERM: 'Run Huddle as the user who owns it, or name a folder that it may write with --state DIR.',
  EROFS: 'Name a folder that Huddle may write with --state DIR.',
};
