import { readSync } from 'node:fs';
import { open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../ledger/paths.ts';
import { copyRange, startsWith } from './bytes.ts';
import { collapse, truncateInto } from './shorten.ts';

/** A log that is being written to, and how much of it is kept. */
export interface RotatedLog {
  readonly path: string;
  /** From this many megabytes (of 1,048,576 bytes) on it is rotated; may be a fraction. */
  readonly size: number;
  /** How many rotated files (`app.log.1` is the newest) are kept; 0: none. */
  readonly keep: number;
}

/*
 * The writer has the file open to append and is never told anything. So the file stays, and its oldest bytes move out:
 *
 *   1. copy the head to app.log.part, and sync it;
 *   2. write what follows the head to app.log.moving, and sync it;
 *   3. shift app.log.1 to app.log.2 and so on, name the copy app.log.1, and sync the folder;
 *   4. cut the head off the live file, in one step of the file system, and remove app.log.moving.
 *
 * Whatever cuts this short, no byte is lost: up to 3 the live file is whole. After 3 the head is there twice, or, after
 * 4, once; app.log.moving tells the two apart. Where it cannot (the log repeats itself) the bytes stay doubled.
 */

/** Bytes of a log at which it is rotated. */
export function limitOf(log: RotatedLog): number {
  return log.size * 1_048_576;
}

/** Rotates a log until it is below its limit; one that is not there is left alone. Rejects with the system's error. */
export async function rotate(log: RotatedLog): Promise<void> {
  const live = await openLive(log.path);
  if (!live) return;
  try {
    await finish(live, log);
    // A writer that is faster than we are is left to the next look.
    for (let round = 0; round < log.keep + 2; round += 1) {
      if (!(await rotateOnce(live, log))) return;
    }
  } finally {
    await live.close();
  }
}

/** Finishes a rotation that was cut short, if one was. Rejects with the system's error. */
export async function recover(log: RotatedLog): Promise<void> {
  if ((await sizeOf(marker(log))) === null) return;
  const live = await openLive(log.path);
  if (!live) return;
  try {
    await finish(live, log);
  } finally {
    await live.close();
  }
}

async function rotateOnce(live: FileHandle, log: RotatedLog): Promise<boolean> {
  const limit = limitOf(log);
  const { size, blksize } = await live.stat();
  const head = headLength(live, Math.min(Math.max(limit, blksize), size - 1), blksize);
  if (size < limit || head === 0) return false;
  await dropFrom(log, log.keep);
  // More than all that may be kept: no use in copying what would be dropped again at once.
  const excess = size - (log.keep + 1) * limit;
  if (excess >= blksize && (await collapse(live, excess - (excess % blksize)))) return true;
  if (log.keep === 0) {
    if (!(await collapse(live, head))) await live.truncate(0);
    return true;
  }

  await setApart(live, log, head);
  await cutOff(live, log, head);
  return true;
}

/** How many block boundaries to look at for one at which a line ends. */
const boundaries = 256;

/** The file system can only cut whole blocks off; one at which a line ends is preferred, so that lines stay whole. */
function headLength(live: FileHandle, most: number, block: number): number {
  const last = Math.floor(most / block) * block;
  const byte = Buffer.alloc(1);
  for (let at = last; at > last / 2 && at > last - boundaries * block; at -= block) {
    if (readSync(live.fd, byte, 0, 1, at - 1) === 1 && byte[0] === 0x0a) return at;
  }
  return last;
}

/** Steps 1 to 3. */
async function setApart(live: FileHandle, log: RotatedLog, head: number): Promise<void> {
  try {
    await copyHead(live, log, head);
  } catch (error) {
    // On a full disk half a copy would only take the last of the room.
    await rm(part(log), { force: true });
    throw error;
  }
  await shift(log, 1);
  await rename(part(log), rotated(log, 1));
  await syncFolder(dirname(log.path));
}

async function copyHead(live: FileHandle, log: RotatedLog, head: number): Promise<void> {
  const copy = await open(part(log), 'w', 0o640);
  try {
    await copyRange(live, copy, 0, head);
    await copy.sync();
  } finally {
    await copy.close();
  }
  const { buffer, bytesRead } = await live.read(Buffer.alloc(4096), 0, 4096, head);
  await writeFile(marker(log), buffer.subarray(0, bytesRead), { mode: 0o640, flush: true });
}

/** Step 4. */
async function cutOff(live: FileHandle, log: RotatedLog, head: number): Promise<void> {
  if (await collapse(live, head)) await live.datasync();
  else await truncateInto(live, rotated(log, 1), head);
  await rm(marker(log), { force: true });
}

async function finish(live: FileHandle, log: RotatedLog): Promise<void> {
  const next = await readIfThere(marker(log));
  if (next === null) return;
  const renamed = (await sizeOf(part(log))) === null;
  const moved = renamed ? await sizeOf(rotated(log, 1)) : null;
  if (moved !== null && !(await startsWith(live, next)) && (await startsWithFile(live, rotated(log, 1)))) {
    await cutOff(live, log, moved);
  }
  await rm(marker(log), { force: true });
}

/** Makes room at a number. A gap, left by a rotation that was cut short, is filled. */
async function shift(log: RotatedLog, number: number): Promise<void> {
  if ((await sizeOf(rotated(log, number))) === null) return;
  await shift(log, number + 1);
  await rename(rotated(log, number), rotated(log, number + 1));
}

/** Removes the rotated files from a number on; more than one where `keep` has been lowered. */
async function dropFrom(log: RotatedLog, number: number): Promise<void> {
  const prefix = `${basename(log.path)}.`;
  for (const name of await readdir(dirname(log.path))) {
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^\d+$/.test(suffix) && Number(suffix) >= number) await rm(join(dirname(log.path), name), { force: true });
  }
}

async function startsWithFile(live: FileHandle, path: string): Promise<boolean> {
  return startsWith(live, await readFile(path));
}

async function openLive(path: string): Promise<FileHandle | null> {
  return open(path, 'r+').catch(nullWhereMissing);
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(({ size }) => size, nullWhereMissing);
}

async function readIfThere(path: string): Promise<Buffer | null> {
  return readFile(path).catch(nullWhereMissing);
}

function nullWhereMissing(error: unknown): null {
  if (errorCode(error) === 'ENOENT') return null;
  throw error;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const rotated = (log: RotatedLog, number: number): string => `${log.path}.${number}`;
const part = (log: RotatedLog): string => `${log.path}.part`;
const marker = (log: RotatedLog): string => `${log.path}.moving`;
