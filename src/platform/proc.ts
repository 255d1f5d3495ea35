import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { errorCode } from './error-code.ts';
import {
  type Census,
  type MarkedEntry,
  markVariable,
  type ProcessEntry,
  type ProcessUsage,
  type Sight,
  type Table,
} from './platform.ts';

// The one place that knows Linux's /proc. Reads are synchronous, into one buffer that is used again: a look at 150
// processes takes a millisecond or two, and the answer to a crash waits for it.

let buffer = Buffer.allocUnsafe(64 * 1024);

/** Reads a whole file of /proc into the shared buffer; null when there is nothing to be read (gone, not permitted). */
function slurp(path: string): Buffer | null {
  const file = unlessGone(() => openSync(path, 'r'));
  if (file === null) return null;
  try {
    return unlessGone(() => slurpFrom(file));
  } finally {
    closeSync(file);
  }
}

function slurpFrom(file: number): Buffer {
  for (let length = 0; ;) {
    const read = readSync(file, buffer, length, buffer.length - length, null);
    length += read;
    if (read === 0 || length < buffer.length) return buffer.subarray(0, length);
    buffer = Buffer.concat([buffer], buffer.length * 2);
  }
}

/**
 * Null when the process has ended meanwhile or belongs to somebody else. Any other refusal is thrown: to a Huddle that
 * has no descriptors left, all processes would seem to be gone, and it would start them a second time.
 */
function unlessGone<T>(look: () => T): T | null {
  try {
    return look();
  } catch (thrown) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errorCode(thrown))) return null;
    throw thrown;
  }
}

interface ProcEntry extends ProcessEntry {
  readonly isKernelThread: boolean;
}

const kernelThread = 0x00200000; // PF_KTHREAD in include/linux/sched.h

/** One process by its pid; null when there is none. Zombies are told too. */
export function readEntry(pid: number): ProcEntry | null {
  const stat = slurp(`/proc/${pid}/stat`);
  if (stat === null || stat.length === 0) return null;
  // proc_pid_stat(5). The command's name, in parentheses, may itself hold anything: count from the last one.
  const fields = stat.toString('latin1', stat.lastIndexOf(')') + 2).split(' ', 20);
  const number = (field: number) => Number(fields[field - 3]);
  return {
    pid,
    parent: number(4),
    session: number(6),
    startTime: number(22),
    // A first thread that has ended is a zombie too, while the others (20) work on.
    isZombie: (fields[0] === 'Z' || fields[0] === 'X') && number(20) < 2,
    isKernelThread: (number(9) & kernelThread) !== 0,
  };
}

/** USER_HZ: what /proc counts in, on every machine that Node runs on. */
const ticksPerSecond = 100;

/** What a process uses; null when there is none. */
export function readUsage(pid: number): ProcessUsage | null {
  const stat = slurp(`/proc/${pid}/stat`);
  if (stat === null || stat.length === 0) return null;
  const fields = stat.toString('latin1', stat.lastIndexOf(')') + 2).split(' ', 16);
  // utime, stime, cutime and cstime of proc_pid_stat(5), where the first field here is its third.
  const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
  // In kB, whatever the size of a page is; a zombie has none.
  const status = slurp(`/proc/${pid}/status`)?.toString('latin1') ?? '';
  const memory = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  return { memory, cpu: ticks / ticksPerSecond };
}

const digit = Buffer.alloc(1);

/**
 * By its `statm`, held open: a file of /proc stays that of the process for which it was opened, and one digit of the memory
 * that it has costs two microseconds, where a whole look costs thirteen. Null without a descriptor to be had.
 */
export function sightOf(pid: number): Sight | null {
  let file: number;
  try {
    file = openSync(`/proc/${pid}/statm`, 'r');
  } catch {
    return null;
  }
  return {
    glance() {
      try {
        // Without memory is a zombie, and who has not ended altogether: its first thread may go before the others.
        return readSync(file, digit, 0, 1, 0) === 1 && digit[0] !== zero ? true : null;
      } catch (thrown) {
        return errorCode(thrown) === 'ESRCH' ? false : null;
      }
    },
    close: () => closeSync(file),
  };
}

const zero = 0x30;

/** The first pid namespace's inode (PROC_PID_INIT_INO of the kernel's proc_ns.h): where everybody has a pid. */
const firstNamespace = 'pid:[4026531836]';

/**
 * By `/proc/loadavg`, held open: how many threads there are, and which pid was given last, so that a beginning does not
 * hide an end. In a container it could, whose pids are not all there are. Null there, and without a descriptor.
 */
export function openCensus(): Census | null {
  let file: number;
  try {
    if (readlinkSync('/proc/self/ns/pid') !== firstNamespace) return null;
    file = openSync('/proc/loadavg', 'r');
  } catch {
    return null;
  }
  let [last, next] = [Buffer.alloc(64), Buffer.alloc(64)];
  return {
    hasChanged() {
      const length = readSync(file, next, 0, next.length, 0);
      // proc_loadavg(5), as in '0.20 0.18 0.12 1/80 11206'; before the slash is how many run just now.
      next.fill(0, length).fill(0, 0, next.indexOf('/'));
      [last, next] = [next, last];
      return !last.equals(next);
    },
    close: () => closeSync(file),
  };
}

/** What is settled about a process for as long as its folder in /proc is the same one. */
interface Birth {
  /** The folder's inode: made anew for each process, so that a pid that was given away again is seen. */
  readonly folder: number;
  /** -1: one of the kernel's own, older than anything. */
  readonly startTime: number;
}

const births = new Map<number, Birth>();

/**
 * Looks at every process that is not known to be older than `since`. To learn that an old one is still the same takes a
 * quarter of the time of reading it, and on most hosts nearly all are old.
 */
export function readTable(since: number): Table {
  const alive: MarkedEntry[] = [];
  const ended = new Set<number>();
  let blank = 0;
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
  // The youngest first: they are the likeliest to be gone in a moment.
  for (const pid of pids.toReversed()) {
    const folder = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.ino ?? 0;
    const birth = births.get(pid);
    if (birth?.folder === folder && birth.startTime < since) continue;
    const entry = readEntry(pid);
    if (entry === null || entry.isZombie) {
      ended.add(pid);
      continue;
    }
    births.set(pid, { folder, startTime: entry.isKernelThread ? -1 : entry.startTime });
    if (entry.isKernelThread || entry.startTime < since) continue;
    const mark = readMark(pid);
    if (mark === null) blank++;
    alive.push({ ...entry, mark: mark ?? '' });
  }
  if (births.size > 2 * pids.length) births.clear();
  return { alive, ended, blank };
}

const self = process.getuid?.() ?? 0;

/** Whether its environment and files may be looked into: asked first, because every refusal costs a thrown error. */
function isReadable(pid: number): boolean {
  return self === 0 || statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === self;
}

const marker = Buffer.from(`\0${markVariable}=`);

/** The mark that a process carries: '' when it carries none that we may read, null when it has no environment (any more). */
function readMark(pid: number): string | null {
  if (!isReadable(pid)) return '';
  const environment = slurp(`/proc/${pid}/environ`);
  if (environment === null || environment.length === 0) return null;
  const isFirst = environment.subarray(0, marker.length - 1).equals(marker.subarray(1));
  const at = isFirst ? -1 : environment.indexOf(marker);
  if (at < 0 && !isFirst) return '';
  const from = at + marker.length;
  const to = environment.indexOf(0, from);
  return environment.toString('latin1', from, to < 0 ? environment.length : to);
}

/** Whether a process could write to this file: who only reads a log, as `tail -f` does, has no part in it. */
export function holdsForWriting(entry: ProcessEntry, path: string): boolean {
  const namesakes = filesOf(entry).get(basename(path)) ?? [];
  return namesakes.some((file) => isFile(file, path) && isForWriting(file));
}

/** A link in `/proc/PID/fd`, and where it leads. */
interface OpenFile {
  readonly link: string;
  readonly target: string;
}

/** What a process has open, by name. */
type OpenFiles = ReadonlyMap<string, readonly OpenFile[]>;

const openFiles = new WeakMap<ProcessEntry, OpenFiles>();

/** As of the first question about this entry of a table: a hundred apps ask about the same strangers in one turn. */
function filesOf(entry: ProcessEntry): OpenFiles {
  const known = openFiles.get(entry);
  if (known !== undefined) return known;
  const files = isReadable(entry.pid) ? readFiles(`/proc/${entry.pid}/fd`) : [];
  const named = Map.groupBy(files, ({ target }) => basename(target).replace(/ \(deleted\)$/, ''));
  openFiles.set(entry, named);
  return named;
}

function readFiles(folder: string): OpenFile[] {
  const names = unlessGone(() => readdirSync(folder)) ?? [];
  return names.map((name) => ({ link: `${folder}/${name}`, target: targetOf(`${folder}/${name}`) }));
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // It was closed meanwhile.
  }
}

/**
 * Seen from another mount namespace the same file has another path. The file itself is asked only where its name is
 * right: to look at a stranger's file may hang with its network.
 */
function isFile({ link, target }: OpenFile, path: string): boolean {
  if (target === path || target === `${path} (deleted)`) return true;
  try {
    const [its, ours] = [statSync(link), statSync(path)];
    return its.dev === ours.dev && its.ino === ours.ino;
  } catch {
    return false; // It was closed meanwhile.
  }
}

function isForWriting({ link }: OpenFile): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(slurp(link.replace('/fd/', '/fdinfo/'))?.toString('latin1') ?? '')?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0; // O_ACCMODE: 0 is read-only
}
