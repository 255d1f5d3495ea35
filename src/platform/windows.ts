import { createHash } from 'node:crypto';
import { closeSync, constants, existsSync, fsyncSync, openSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { errorCode } from './error-code.ts';
import { isTaken } from './pid.ts';
import type { MarkedEntry, Platform } from './platform.ts';
import { launch, shell } from './windows-command.ts';

/**
 * Windows. There are no signals, sessions or users to become, and nobody's environment can be read, so that a mark finds
 * nothing: a program is known by its pid and the moment of its start, and its tree by who is whose parent.
 */
export const windows: Platform = {
  shell,
  launch,
  isPath: (program) => /[\\/]|^[a-z]:/i.test(program),
  fileNames,
  usualPath: `${systemRoot()}\\System32;${systemRoot()}`,
  gitProgram: (executable) =>
    executable === 'git' && !isInPath('git.exe') ? `${gitFolder()}\\cmd\\git.exe` : executable,
  posixShell: `${gitFolder()}\\bin\\sh.exe`, // Not in PATH: Git for Windows keeps it to itself.
  spareShell: null,
  environment,
  hasUsers: false,
  detachesCommands: false,

  /** A file that is open for nobody else cannot be read either: the pid stands beside it. */
  hold(path) {
    const guard = openAlone(`${path}.held`);
    if (guard === null) return null;
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const release = () => {
      closeSync(descriptor);
      closeSync(guard);
    };
    return { descriptor, release };
  },
  holdFolder: () => ({ release() {} }),
  hasModes: false,
  controlPipe(root) {
    const hash = createHash('sha256').update(root.toLowerCase()).digest('hex').slice(0, 24);
    return `\\\\.\\pipe\\huddle-${hash}`;
  },
  socketLimit: 256, // A pipe's name; Huddle's have 40.
  rename,
  pointLink,
  syncFile,
  syncFolder: async () => {}, // NTFS keeps a journal of names, and lets nobody sync a folder.

  // Restarts lie further apart than a minute's rounding; a clock that was set looks like one, which is only cautious.
  bootId: () => String(Math.round((Date.now() - uptime() * 1000) / 60_000)),
  isSameBoot: () => true, // Start times count from the epoch.
  readEntry: (pid) => (isTaken(pid) ? (processes().find((entry) => entry.pid === pid) ?? null) : null),
  startOfChild: () => Date.now(),
  /** What the clock said just after the start, and what the kernel did: a scanner may hold up a start for a while. */
  isSameStart: (written, read) => Math.abs(written - read) < 5000,
  readTable: () => ({ alive: [], ended: new Set(), blank: 0 }),
  holdsForWriting: () => false,
  usageOf: null,
  treeEnding: { killTree, orphansOf },
  sightOf: () => null,
  openCensus: () => null,
  wholeLookEvery: 240,
};

function systemRoot(): string {
  return process.env['SystemRoot'] ?? 'C:\\Windows';
}

function gitFolder(): string {
  return `${process.env['ProgramFiles'] ?? 'C:\\Program Files'}\\Git`;
}

function isInPath(file: string): boolean {
  return (process.env['PATH'] ?? '').split(';').some((folder) => folder !== '' && existsSync(`${folder}\\${file}`));
}

function fileNames(program: string): readonly string[] {
  const endings = (process.env['PATHEXT'] ?? '.COM;.EXE;.BAT;.CMD').split(';');
  return [program, ...endings.map((ending) => program + ending.toLowerCase())].filter((name) => /\.\w+$/.test(name));
}

/** Names are the same in any case, which a plain object does not know: `Path` and `PATH` would both be handed on. */
function environment(...layers: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const spelled = new Map<string, readonly [name: string, value: string]>();
  for (const [name, value] of layers.flatMap((layer) => Object.entries(layer))) {
    spelled.set(name.toUpperCase(), [name.toUpperCase() === 'PATH' ? 'PATH' : name, value]);
  }
  return Object.fromEntries(spelled.values());
}

/** libuv's UV_FS_O_EXLOCK: CreateFile with a share mode of 0. Node does not name it. */
const forNobodyElse = 0x10000000;

function openAlone(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | forNobodyElse);
  } catch (thrown) {
    if (errorCode(thrown) === 'EBUSY') return null;
    throw thrown;
  }
}

/** At one go: while a file is open nothing can take its name, and its next version may come at any moment. */
async function syncFile(path: string): Promise<void> {
  const descriptor = openSync(path, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A virus scanner or an indexer may have a file open for a moment, and then neither of its names can change. */
function rename(from: string, to: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let left = 20; ; left -= 1) {
    try {
      return renameSync(from, to);
    } catch (thrown) {
      if (left === 0 || !['EPERM', 'EACCES', 'EBUSY'].includes(errorCode(thrown))) throw thrown;
      Atomics.wait(pause, 0, 0, 25);
    }
  }
}

/** A junction, which needs no privilege. None takes the place of another by a rename: for an instant there is none. */
function pointLink(link: string, folder: string): void {
  const fresh = `${link}.huddle-new`;
  rmSync(fresh, { force: true });
  symlinkSync(folder, fresh, 'junction');
  rmSync(link, { force: true });
  rename(fresh, link);
}

/** Milliseconds for which a look at all processes holds: a takeover asks for one program after the other. */
const lookHolds = 2000;

let lastLook: { readonly at: number; readonly entries: readonly MarkedEntry[] } | undefined;

function processes(): readonly MarkedEntry[] {
  if (lastLook !== undefined && performance.now() - lastLook.at < lookHolds) return lastLook.entries;
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  const [file, args] = listing();
  const output = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true });
  lastLook = { at: performance.now(), entries: entriesIn(output) };
  return lastLook.entries;
}

/** Takes PowerShell most of a second. wmic was quicker, but Windows has it no more. */
function listing(): readonly [file: string, args: readonly string[]] {
  const file = `${systemRoot()}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`;
  const each = '"$($_.ProcessId) $($_.ParentProcessId) $(([DateTimeOffset]$_.CreationDate).ToUnixTimeMilliseconds())"';
  const script = `Get-CimInstance Win32_Process | Where-Object CreationDate | ForEach-Object { ${each} }`;
  return [file, ['-NoProfile', '-NonInteractive', '-Command', script]];
}

/** The processes of a listing: a line each, `pid parent start`, the start in milliseconds since the epoch. */
export function entriesIn(output: string): MarkedEntry[] {
  return [...output.matchAll(/^(\d+) (\d+) (\d+)\r?$/gm)].map(([, pid, parent, start]) => ({
    pid: Number(pid),
    parent: Number(parent),
    session: 0,
    startTime: Number(start),
    isZombie: false,
    mark: '',
  }));
}

/** taskkill finds by parents: while the tree is whole, all of it. Where it fails, at least the process itself is ended. */
async function killTree(pid: number): Promise<void> {
  await output(`${systemRoot()}\\System32\\taskkill.exe`, ['/PID', String(pid), '/T', '/F']).catch(() => '');
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if (errorCode(thrown) !== 'ESRCH' && errorCode(thrown) !== 'EPERM') throw thrown;
  }
}

/** Nobody inherits an orphan: its parent's pid stays with it. A stranger's child may bear the same, but began before. */
async function orphansOf({ pid, startTime }: { readonly pid: number; readonly startTime: number }): Promise<number[]> {
  const entries = entriesIn(await output(...listing()));
  return entries
    .filter((entry) => entry.parent === pid && entry.startTime >= startTime - 5000)
    .map((entry) => entry.pid);
}

/** Not blocking: Huddle has other programs to look after. */
function output(file: string, args: readonly string[]): Promise<string> {
  const { execFile } = process.getBuiltinModule('node:child_process');
  return new Promise((resolve, reject) => {
    execFile(file, args, { windowsHide: true, timeout: 30_000 }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
}
