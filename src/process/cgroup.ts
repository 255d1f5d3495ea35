import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { errorCode } from '../ledger/paths.ts';

// A process can leave its group, its session, its parent and its environment behind, but not its cgroup. Where Huddle
// has been given one of its own (`Delegate=yes`; systemd.io/CGROUP_DELEGATION), each program gets one inside it.

let delegated: string | null | undefined;

/** The folder of Huddle's own cgroup (version 2), when it may make others in it; asked once. */
function delegatedCgroup(): string | null {
  if (delegated === undefined) delegated = findDelegated();
  return delegated;
}

function findDelegated(): string | null {
  const own = /^0::(.*)$/m.exec(read('/proc/self/cgroup'))?.[1];
  const mount = /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(read('/proc/self/mountinfo'));
  if (own === undefined || mount === null) return null;
  const [, root = '/', place = ''] = mount;
  const folder = join(place, root === '/' || !own.startsWith(root) ? own : own.slice(root.length));
  // The root of all cgroups has no `cgroup.kill` (nor has a kernel before 5.14): it is nobody's to give.
  if (!existsSync(join(folder, 'cgroup.kill')) || !isWritable(folder)) return null;
  return isGiven(basename(folder)) ? folder : null;
}

function isWritable(folder: string): boolean {
  try {
    for (const path of [folder, join(folder, 'cgroup.procs')]) accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false; // Not for us: then there is none.
  }
}

/** To root everything is writable, also what systemd keeps for itself: there the unit's own word counts. */
function isGiven(unit: string): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/run/systemd/system')) return true;
  try {
    const answer = execFileSync('systemctl', ['show', '--property=Delegate', '--value', '--', unit], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    });
    return answer.trim() === 'yes';
  } catch {
    return false; // It cannot say so: then it is not ours.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // A kernel without cgroups.
  }
}

/** Where the cgroup of what bears this mark is; null when none is delegated. It need not exist. */
export function cgroupOf(mark: string): string | null {
  const own = delegatedCgroup();
  return own === null ? null : join(own, `huddle-${mark.slice(-200)}`); // Names end at 255 bytes; the nonce is last.
}

/** Makes the cgroup for this mark; false when there is none to be had, and the tree has to be found by other ways. */
function makeCgroup(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (thrown) {
    return errorCode(thrown) === 'EEXIST';
  }
}

/** An argv that enters the cgroup of this mark (making it) and then becomes the given one. */
export function inCgroup(mark: string, argv: readonly string[]): readonly string[] {
  const folder = cgroupOf(mark);
  if (folder === null || !makeCgroup(folder)) return argv;
  const enter = 'echo $$ >"$0" 2>/dev/null; exec "$@"';
  return ['/bin/sh', '-c', enter, join(folder, 'cgroup.procs'), ...argv];
}

/** The pids in a cgroup and in those below it. */
export function cgroupMembers(folder: string | null): Set<number> {
  const members = new Set<number>();
  for (const each of folder === null ? [] : withThoseBelow(folder)) {
    for (const pid of read(join(each, 'cgroup.procs')).split('\n')) if (pid !== '') members.add(Number(pid));
  }
  return members;
}

/** Kills all that is in a cgroup at one stroke, which no fork escapes. */
export function killCgroup(folder: string | null): void {
  if (folder === null) return;
  try {
    writeFileSync(join(folder, 'cgroup.kill'), '1');
  } catch (thrown) {
    if (!isGone(thrown)) throw thrown;
  }
}

/** Removes a cgroup in which nothing is left, and those that the program made in it. */
export function removeCgroup(folder: string | null): void {
  if (folder === null) return;
  try {
    for (const each of withThoseBelow(folder).toReversed()) rmdirSync(each);
  } catch (thrown) {
    if (!isGone(thrown) && errorCode(thrown) !== 'EBUSY') throw thrown; // EBUSY: a zombie that nobody reaps is in it
  }
}

function isGone(thrown: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes(errorCode(thrown));
}

function withThoseBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...below.flatMap(({ name }) => withThoseBelow(join(folder, name)))];
}
