import { statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { HistoryEntry } from '../../machines/facts.ts';
import type { Failure } from '../../machines/failure.ts';
import { faultPoint } from '../fault.ts';
import { attemptsAt } from './attempts.ts';
import { makeDurable, makeFolder, replaceFile } from './durable.ts';
import { entrySchema } from './entry.ts';
import { type AppPaths, errorCode, mustStand, refused } from './paths.ts';
import { inWords, setAside } from './set-aside.ts';

/** When the file has this many lines, the older half is dropped. */
const mostLines = 1_000;

/** So many of the newest entries are known by heart: a file that has been removed is written anew with them. */
const mostByHeart = 20;

/** What a line takes that tells of nothing unusual, with room to spare; bytes. */
const usualLine = 512;

/** No history is larger, in bytes. */
const mostBytes = 64 * 1_048_576;

/** The past of an app, in its file; what the disk refuses waits in memory until it can be added. */
export interface History {
  readonly trouble: Failure | null;
  /** What is not in the file yet, oldest first. */
  readonly waiting: readonly HistoryEntry[];
  /** Resolves to null once the entry is on disk, or to what keeps it in memory. Never rejects. */
  append(entry: HistoryEntry): Promise<Failure | null>;
  /** Writes what is waiting, and puts back a file that has been removed. Resolves as `append`. */
  rewrite(): Promise<Failure | null>;
  /**
   * The newest `limit` entries, newest first. A line that is no entry (cut short when the power went) is passed over. A
   * file that is not there is an empty one. Rejects with a `Failure` where it cannot be read.
   */
  read(limit: number): Promise<readonly HistoryEntry[]>;
  /** Resolves when nothing is being read or written any more. */
  flush(): Promise<unknown>;
  /** From now on nothing is written; resolves when that is so. */
  close(): Promise<unknown>;
}

export interface HistoryOptions {
  /** Told of what goes wrong, a line without the app's name. */
  readonly warn: (text: string) => void;
  /** Entries that an earlier Huddle may not have come to add. */
  readonly untold: readonly HistoryEntry[];
}

export function openHistory(paths: AppPaths, { warn, untold }: HistoryOptions): History {
  const path = paths.history;
  const attempts = attemptsAt(path, { warn, again: () => void drain() });
  let waiting = untold;
  let byHeart: readonly HistoryEntry[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let begun: Promise<void> | null = null;
  let isClosed = false;

  /** Once, before the file is first used. */
  async function begin(): Promise<void> {
    await setAsideForeign(path, warn);
    const told = await readHistory(path, untold.length === 0 ? mostByHeart : Infinity);
    byHeart = told.slice(-mostByHeart);
    const known = new Set(told.map((entry) => JSON.stringify(entry)));
    waiting = waiting.filter((entry) => !untold.includes(entry) || !known.has(JSON.stringify(entry)));
  }
  function ready(): Promise<void> {
    begun ??= begin().catch((error: unknown) => {
      begun = null;
      throw error;
    });
    return begun;
  }
  async function addAll(): Promise<void> {
    await ready();
    if (byHeart.length > 0 && isGone(path)) {
      mustStand(paths);
      await replaceLines(
        path,
        byHeart.map((entry) => JSON.stringify(entry)),
      );
    }
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      mustStand(paths);
      await appendHistory(path, next);
      waiting = waiting.slice(1);
      byHeart = [...byHeart, next].slice(-mostByHeart);
    }
    await trim(path);
  }
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch((_told: unknown) => undefined);
    return turn;
  }
  function drain(): Promise<Failure | null> {
    return inTurn(() => (isClosed ? Promise.resolve(attempts.failure) : attempts.of(addAll())));
  }
  if (untold.length > 0) void drain();
  // What cannot be read now is tried again when it is wanted.
  else void inTurn(ready).catch(() => undefined);
  return {
    get trouble() {
      return attempts.failure;
    },
    get waiting() {
      return waiting;
    },
    append(entry) {
      waiting = [...waiting, entry].slice(-mostLines);
      return drain();
    },
    rewrite: drain,
    // In turn: while an entry is being added it is both in the file and waiting.
    read: (limit) =>
      inTurn(async () => {
        try {
          await ready();
          const told = isGone(path) ? byHeart : await readHistory(path);
          return [...told, ...waiting].toReversed().slice(0, limit);
        } catch (error) {
          throw refused(error, 'reading', path);
        }
      }),
    flush: () => last,
    close() {
      isClosed = true;
      return last;
    },
  };
}

/** Moves away what is no history: a folder, another program's file. A single line that is none is passed over. */
async function setAsideForeign(path: string, warn: (text: string) => void): Promise<void> {
  const reason = await whyForeign(path);
  if (reason !== null) warn(`history.jsonl is damaged (${reason}); ${setAside(path)}`);
}

async function whyForeign(path: string): Promise<string | null> {
  try {
    if ((await stat(path)).size > mostBytes) return 'it is too large';
    // The whole of it is only read where its end says nothing.
    if ((await readHistory(path, mostByHeart)).length > 0) return null;
    const lines = await linesOf(path);
    return lines.length === 0 || lines.some((line) => parseEntry(line) !== null) ? null : 'it holds no entry';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return null;
    if (code === 'EISDIR' || code === 'ELOOP') return inWords(error);
    throw error;
  }
}

/**
 * The entries in the newest so many lines of a `history.jsonl`, oldest first; none where there is no file. Rejects with the
 * system's error.
 */
export async function readHistory(path: string, lines = Infinity): Promise<readonly HistoryEntry[]> {
  return (await linesOf(path, lines)).map(parseEntry).filter((entry) => entry !== null);
}

function isGone(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) === undefined;
}

async function replaceLines(path: string, lines: readonly string[]): Promise<void> {
  replaceFile(path, `${lines.join('\n')}\n`);
  await makeDurable(path);
}

/** Adds an entry, and resolves once it is on disk. One call at a time. Rejects with the system's error. */
async function appendHistory(path: string, entry: HistoryEntry): Promise<void> {
  await makeFolder(dirname(path));
  const file = await open(path, 'a+', 0o600);
  const { size } = await file.stat();
  try {
    // After a line that was cut short the new one must not become a part of it.
    faultPoint('ledger.history.before');
    const heal = (await endsInLine(file)) ? '' : '\n';
    await file.writeFile(`${heal}${JSON.stringify(entry)}\n`);
    await file.sync();
    faultPoint('ledger.history.after');
  } catch (error) {
    // It is tried again; half a line for each time would only take the last of the room.
    await file.truncate(size);
    throw error;
  } finally {
    await file.close();
  }
}

async function endsInLine(file: { stat(): Promise<{ size: number }>; read: ReadAt }): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

type ReadAt = (buffer: Buffer, offset: number, length: number, position: number) => Promise<{ buffer: Buffer }>;

/** Reading all of a file that grows by a line per deployment costs less than keeping count would. */
async function trim(path: string): Promise<void> {
  const lines = await linesOf(path);
  if (lines.length <= mostLines) return;
  const kept = lines.slice(-mostLines / 2).filter((line) => parseEntry(line) !== null);
  await replaceLines(path, kept);
}

/** The newest so many lines, oldest first; no more of the file is read than that takes. */
async function linesOf(path: string, newest = Infinity): Promise<string[]> {
  const file = await openIfThere(path);
  if (file === null) return [];
  try {
    const { size } = await file.stat();
    for (let length = Math.min(size, newest * usualLine); ; length = Math.min(size, 2 * length)) {
      // Never of no bytes at all: that would not tell of a folder in its place.
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(1, length)), { position: size - length });
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
      if (length < size) lines.shift(); // Its beginning has not been read.
      const whole = lines.filter((line) => line !== '');
      if (length === size || whole.length >= newest) return whole.slice(-newest);
    }
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function parseEntry(line: string): HistoryEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const parsed = v.safeParse(entrySchema, value);
  return parsed.success ? parsed.output : null;
}
