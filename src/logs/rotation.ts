import { readSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { here } from '../platform/here.ts';
import { copyRange, heldFile, startsWith } from './bytes.ts';
import { beginMove, beginOf, endMove, forgetMove, moveOf, nullWhereMissing, part, rotated, sizeOf } from './layout.ts';
import { collapse, noOtherCut, punch, truncateInto } from './shorten.ts';

/** A log that is being written to, and how much of it is kept. */
export interface RotatedLog {
  readonly path: string;
  /** The folder that must stand for those in it to be made anew, where somebody removes a log with its folder. */
  readonly base?: string;
  /** From this many megabytes (of 1,048,576 bytes) on it is rotated; may be a fraction. */
  readonly size: number;
  /** How many rotated files (`app.log.1` is the newest) are kept; 0: none. */
  readonly keep: number;
}

/*
 * The writer has the file open to append and is never told anything. So the file stays, and its oldest bytes move out:
 *
 *   1. copy the head to app.log.part, and sync it;
 *   2. write what follows the head, and the number of its first byte, to app.log.moving, and sync it;
 *   3. drop what is too old, shift app.log.1 to app.log.2 and so on, name the copy app.log.1, and sync the folder;
 *   4. give back the room of the head in the live file, cut the head off, in one step of the file system, and rename
 *      app.log.moving to app.log.origin.
 *
 * Whatever cuts this short, no byte is lost: up to 3 the live file is whole. After 3 the head is there twice, or, after
 * 4, once; app.log.moving tells the two apart. Where it cannot (the log repeats itself) the bytes stay doubled.
 */

/** Bytes of a log at which it is rotated. */
export function limitOf(log: RotatedLog): number {
  return log.size * 1_048_576;
}

/**
 * Rotates a log that is above its limit, once: a writer that is faster than this is left to the next look. One that is
 * not there is left alone. Rejects with the system's error.
 */
export async function rotate(log: RotatedLog): Promise<void> {
  const live = await openLive(log.path);
  if (!live) return;
  try {
    await finish(live, log);
    await moveOut(live, log);
  } finally {
    await live.close();
  }
}

/** Finishes a rotation that was cut short, if one was. Rejects with the system's error. */
export async function recover(log: RotatedLog): Promise<void> {
  if ((await moveOf(log.path)) === null) return;
  const live = await openLive(log.path);
  if (!live) return;
  try {
    await finish(live, log);
  } finally {
    await live.close();
  }
}

async function moveOut(live: FileHandle, log: RotatedLog): Promise<void> {
  const limit = limitOf(log);
  const { size, blksize } = await live.stat();
  if (size < limit) return;
  const isFlood = size >= 2 * limit;
  // More than all that may be kept: no use in copying what would be dropped again at once.
  const excess = isFlood ? Math.ceil((size - Math.max(1, log.keep) * limit) / blksize) * blksize : 0;
  // A block stays, by which a rotation that was cut short is known to have been done or not.
  const most = wholeBlocks(size - blksize, blksize);
  const over = Math.max(0, Math.min(excess, most));
  // Of a flood all at once, into one file: to cut a head off takes the longer the more is behind it.
  const to = headLength(live, isFlood ? most : Math.min(Math.max(limit, blksize), most), blksize);
  if (to <= over) {
    if (over > 0) await drop(live, log, over);
  } else if (log.keep > 0) {
    await setApart(live, log, over, to).catch(async (error: unknown) => {
      // No room for the copy: what is not to be copied makes some, for the next look.
      if (over > 0) await drop(live, log, over);
      throw error;
    });
    await cutOff(live, log, to);
  } else if (!(await drop(live, log, to))) await live.truncate(0);
}

/** Drops the first bytes of the live file, and what is older. False where they cannot be cut off. */
async function drop(live: FileHandle, log: RotatedLog, bytes: number): Promise<boolean> {
  await beginMove(log.path, live, { start: (await beginOf(log.path)) + bytes, from: 0, to: bytes });
  // What is not there need not be written out, for which the cut would wait.
  await punch(live, bytes);
  if (!(await collapse(live, bytes))) {
    await forgetMove(log.path);
    return false;
  }
  await dropFrom(log, 1);
  await endMove(log.path);
  return true;
}

/** How many block boundaries to look at for one at which a line ends. */
const boundaries = 256;

/** The file system can only cut whole blocks off; one at which a line ends is preferred, so that lines stay whole. */
function headLength(live: FileHandle, most: number, block: number): number {
  const last = wholeBlocks(most, block);
  const byte = Buffer.alloc(1);
  for (let at = last; at > last / 2 && at > last - boundaries * block; at -= block) {
    if (readSync(live.fd, byte, 0, 1, at - 1) === 1 && byte[0] === 0x0a) return at;
  }
  return last;
}

const wholeBlocks = (bytes: number, block: number): number => bytes - (bytes % block);

/** Steps 1 to 3, for the bytes between two offsets. */
async function setApart(live: FileHandle, log: RotatedLog, from: number, to: number): Promise<void> {
  const first = await firstToDrop(log, to - from);
  // Who reads the log counts from the newest one on.
  await dropFrom(log, Math.max(2, first));
  try {
    await copyOut(live, log, from, to);
  } catch (error) {
    // On a full disk half a copy would only take the last of the room.
    await rm(part(log.path), { force: true });
    await forgetMove(log.path);
    throw error;
  }
  await dropFrom(log, first);
  await shift(log, 1);
  await rename(part(log.path), rotated(log.path, 1));
  await here.syncFolder(dirname(log.path));
}

async function copyOut(live: FileHandle, log: RotatedLog, from: number, to: number): Promise<void> {
  const copy = await open(part(log.path), 'w', 0o640);
  try {
    await copyRange(live, copy, from, to);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await beginMove(log.path, live, { start: (await beginOf(log.path)) + from, from, to });
}

/** The number of the first rotated file for which there is no room beside that many new bytes. */
async function firstToDrop(log: RotatedLog, bytes: number): Promise<number> {
  let room = log.keep * limitOf(log) - bytes;
  for (const number of (await numbersOf(log)).filter((number) => number < log.keep)) {
    room -= (await sizeOf(rotated(log.path, number))) ?? 0;
    if (room < 0) return number;
  }
  return log.keep;
}

/** Step 4. */
async function cutOff(live: FileHandle, log: RotatedLog, to: number): Promise<void> {
  // Written out beforehand, as writers have to wait for the rest of it; the head, which is safe in its copy, not at all.
  await punch(live, to);
  await live.datasync();
  if (!(await collapse(live, to))) await truncateInto(live, rotated(log.path, 1), to);
  await endMove(log.path);
}

async function finish(live: FileHandle, log: RotatedLog): Promise<void> {
  const move = await moveOf(log.path);
  if (move === null) return;
  await noOtherCut(live);
  const copy = rotated(log.path, 1);
  const moved = (await sizeOf(part(log.path))) === null ? await sizeOf(copy) : null;
  const isCut = await startsWith(live, move.next);
  const head = move.from + (moved ?? 0);
  const isDouble = moved !== null && !isCut && (await startsWith(live, move.next, head));
  if (isDouble && (await heldFile(live, copy, move.from))) await cutOff(live, log, head);
  else if (moved !== null || isCut) await endMove(log.path);
  else {
    await closeGap(log);
    await forgetMove(log.path);
  }
}

/** Where making room was cut short a number is missing; who reads the log would take that for its end. */
async function closeGap(log: RotatedLog): Promise<void> {
  for (const [index, number] of (await numbersOf(log)).entries()) {
    if (number !== index + 1) await rename(rotated(log.path, number), rotated(log.path, index + 1));
  }
}

/** Makes room at a number; where one is missing no further. */
async function shift(log: RotatedLog, number: number): Promise<void> {
  if ((await sizeOf(rotated(log.path, number))) === null) return;
  await shift(log, number + 1);
  await rename(rotated(log.path, number), rotated(log.path, number + 1));
}

/** Removes the rotated files from a number on; more than one where `keep` has been lowered. */
async function dropFrom(log: RotatedLog, first: number): Promise<void> {
  for (const number of await numbersOf(log)) if (number >= first) await rm(rotated(log.path, number), { force: true });
}

/** The numbers of the rotated files, the newest first. */
async function numbersOf(log: RotatedLog): Promise<number[]> {
  const prefix = `${basename(log.path)}.`;
  const names = (await readdir(dirname(log.path))).filter((name) => name.startsWith(prefix));
  const suffixes = names.map((name) => name.slice(prefix.length)).filter((suffix) => /^\d+$/.test(suffix));
  return suffixes.map(Number).sort((one, other) => one - other);
}

async function openLive(path: string): Promise<FileHandle | null> {
  return open(path, 'r+').catch(nullWhereMissing);
}
