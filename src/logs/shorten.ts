import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { errorCode, refusal } from '../ledger/paths.ts';
import { copyRange } from './bytes.ts';

/** The file systems, by device number, that have been found unable to collapse a range. */
const unable = new Set<number>();

/** What `fallocate` says where it cannot. EINVAL: its blocks come in clusters; last: a busybox without the option. */
const cannot = /not supported|invalid argument|unrecognized option|invalid option|illegal option/i;

/**
 * Cuts the first `bytes` (whole blocks, less than all) off a file, in one step against which every writer is either
 * before or after; ext4 and xfs can, with `fallocate` of util-linux. False where that is not possible, which is found
 * out once for each file system. Rejects with the system's error.
 */
export async function collapse(file: FileHandle, bytes: number): Promise<boolean> {
  const { dev, size } = await file.stat();
  if (unable.has(dev)) return false;
  // Somebody has emptied the log meanwhile; asking would look as if the file system were unable.
  if (bytes >= size) return true;
  const problem = await fallocate(file.fd, ['--collapse-range', '--offset', '0', '--length', String(bytes)]);
  if (problem === null) return true;
  if (!cannot.test(problem)) throw new Error(problem);
  unable.add(dev);
  return false;
}

/** Gives back the room of the first `bytes` of a file, which read as zeros from then on; where it cannot, nothing. */
export async function punch(file: FileHandle, bytes: number): Promise<void> {
  const { dev } = await file.stat();
  if (!unable.has(dev)) await fallocate(file.fd, ['--punch-hole', '--offset', '0', '--length', String(bytes)]);
}

/**
 * What went wrong; null: nothing. Node has no fallocate(2). The file is handed over as stdin, so that it is this one,
 * whatever its name means by now (with spawn, as execa's types know no descriptor above 9).
 */
function fallocate(descriptor: number, args: readonly string[]): Promise<string | null> {
  const child = spawn('fallocate', [...args, '/dev/stdin'], {
    stdio: [descriptor, 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  return new Promise((done) => {
    child.on('error', (error) => done(errorCode(error) === 'ENOENT' ? 'fallocate: not supported' : refusal(error)));
    child.on('close', (code) => done(code === 0 ? null : said.trim() || `fallocate: exit code ${code}`));
  });
}

/** How long to wait for the `fallocate` of a Huddle that was killed; milliseconds. */
const longestCut = 10_000;

/**
 * Resolves when nobody else is about to cut this file: what a Huddle that was killed has begun ends without it. It is
 * known by having the file as stdin. Rejects when it takes too long.
 */
export async function noOtherCut(file: FileHandle): Promise<void> {
  const { dev, ino } = await file.stat();
  const deadline = Date.now() + longestCut;
  const isCutting = (pid: string): boolean => {
    try {
      const stdin = statSync(`/proc/${pid}/fd/0`);
      return stdin.dev === dev && stdin.ino === ino;
    } catch {
      // It has ended, or is none of our processes.
      return false;
    }
  };
  while (existsSync('/proc/self') && readdirSync('/proc').some((name) => /^\d+$/.test(name) && isCutting(name))) {
    if (Date.now() > deadline) throw new Error('a fallocate that an earlier Huddle has started does not end');
    await pause(10);
  }
}

/** How many chunks to copy before emptying the file: a writer that is faster than we are must not keep us for ever. */
const mostChunks = 1_024;

/**
 * Where a range cannot be collapsed: appends what follows the first `copied` bytes to another file, then empties this
 * one. What is written between the last look and the emptying (microseconds) is lost. Rejects with the system's error.
 */
export async function truncateInto(file: FileHandle, path: string, copied: number): Promise<void> {
  const { size } = await file.stat();
  const copy = await open(path, 'a');
  try {
    await copyRange(file, copy, copied, size);
    await copy.sync();
  } finally {
    await copy.close();
  }
  truncateNow(file.fd, path, size);
}

/** Without a pause between the last bytes and the emptying, as each is a chance for a line to be lost. */
function truncateNow(live: number, path: string, copied: number): void {
  const copy = openSync(path, 'a');
  try {
    const buffer = Buffer.allocUnsafe(65_536);
    let at = copied;
    for (let chunk = 0; chunk < mostChunks; chunk += 1) {
      const read = readSync(live, buffer, 0, buffer.length, at);
      if (read === 0) break;
      appendFileSync(copy, buffer.subarray(0, read));
      at += read;
    }
    ftruncateSync(live, 0);
  } finally {
    closeSync(copy);
  }
}
