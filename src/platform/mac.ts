import { closeSync, constants, openSync } from 'node:fs';
import { errorCode } from './error-code.ts';
import { type MarkedEntry, markVariable, type Platform } from './platform.ts';
import { posix } from './posix.ts';

/**
 * macOS. It has neither /proc nor setpriv nor flock(1): processes are told by ps(1), some 10 ms a look; who only holds a
 * log open is not found, and nobody becomes another user.
 */
export const mac: Platform = {
  ...posix,
  hasUsers: false,
  /** open(2) of the BSDs takes the lock of flock(2) itself; it ends when the file is closed, and Node's files are O_CLOEXEC. */
  hold(path) {
    const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR } = constants;
    try {
      const descriptor = openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | exclusiveLock, 0o600);
      return { descriptor, release: () => closeSync(descriptor) };
    } catch (thrown) {
      if (errorCode(thrown) === 'EAGAIN') return null;
      throw thrown;
    }
  },
  holdFolder(path) {
    const { O_NONBLOCK, O_RDONLY } = constants;
    try {
      const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | exclusiveLock);
      return { release: () => closeSync(descriptor) };
    } catch (thrown) {
      if (errorCode(thrown) === 'EAGAIN') return null;
      throw thrown;
    }
  },
  socketLimit: 104, // `sun_path` in sys/un.h
  bootId,
  isSameBoot: (id) => id === bootId(),
  readEntry: (pid) => entriesIn(ps('-p', String(pid)))[0] ?? null,
  startOfChild: (pid) => entriesIn(ps('-p', String(pid)))[0]?.startTime ?? null,
  readTable: () => ({
    alive: entriesIn(ps('-A', '-E')).filter(({ isZombie }) => !isZombie),
    ended: new Set(),
    blank: 0,
  }),
  holdsForWriting: () => false,
  usageOf: null,
  sightOf: () => null,
  openCensus: () => null,
  wholeLookEvery: 40,
};

/** O_EXLOCK in sys/fcntl.h; Node does not name it. */
const exclusiveLock = 0x20;

let boot: string | undefined;

function bootId(): string {
  return (boot ??= run('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid']).trim());
}

/** ps(1) by its full path: programs of the same name in PATH know other options. -ww: lines of any length. */
function ps(...selection: readonly string[]): string {
  return run('/bin/ps', ['-ww', ...selection, '-o', 'pid=,ppid=,pgid=,stat=,lstart=,command=']);
}

/** What ps prints; its exit code is 1 when it has found nobody. */
function run(file: string, args: readonly string[]): string {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { error, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { LC_ALL: 'C', TZ: 'UTC' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  if (stdout === '' && stderr !== '') throw new Error(`${file}: ${stderr.trim()}`);
  return stdout;
}

/** `  501   1   501 Ss   Sun Nov  2 01:46:12 2025     /bin/sh -c … HUDDLE_MARK=…`: -E puts the environment behind the command. */
const line = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+\w{3}\s+(\w{3}\s+\d+\s+[\d:]{8}\s+\d{4})\s?(.*)$/;
const marker = new RegExp(`(?:^|\\s)${markVariable}=(\\S+)`);

/** The processes that ps tells of. A line that it cannot have written is passed over: a command may hold line breaks. */
export function entriesIn(output: string): MarkedEntry[] {
  return output.split('\n').flatMap((text) => {
    const [, pid, parent, group, state = '', started, command = ''] = line.exec(text) ?? [];
    if (pid === undefined) return [];
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        session: Number(group),
        startTime: Date.parse(`${started} UTC`) / 1000,
        isZombie: state.startsWith('Z'),
        mark: marker.exec(command)?.[1] ?? '',
      },
    ];
  });
}
