import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { refusal } from '../ledger/paths.ts';
import { nextEvent } from './event.ts';
import type { Wait } from './event.ts';
import { whenOpened } from './open.ts';
import { RemovedLogs } from './removed.ts';
import { limitOf, recover, rotate } from './rotation.ts';
import type { RotatedLog } from './rotation.ts';

export type { RotatedLog } from './rotation.ts';

export interface RotatorInput {
  /** Seconds between two looks at all files; a file that grows fast is looked at more often. */
  readonly every: number;
  /** Asked at each look, so that it may change at any time. */
  readonly files: () => Iterable<RotatedLog>;
  /** Told once when a log cannot be rotated, or removed ones cannot be looked for; a later look tries again. */
  readonly warn: (text: string) => void;
}

/** Keeps logs bounded. One timer for all of them, which does not keep the process alive. */
export interface Rotator {
  /** Looks at every file now; resolves when those that are too large have been rotated. Never rejects. */
  look(): Promise<void>;
  /** No more looks; resolves when a rotation that is under way has ended. */
  stop(): Promise<void>;
}

/** The shortest time between two looks at one file; milliseconds. */
const shortest = 100;
/** The longest one for a file that grows: what grows slowly may be about to grow fast. Milliseconds. */
const second = 1_000;

/** What a look at a file came to. Times are milliseconds of `performance.now()`. */
interface Look {
  readonly size: number;
  readonly at: number;
  /** When it has to be looked at again, even if that is before the others. */
  readonly due: number;
  readonly failing: boolean;
}

interface Seen extends Look {
  /** Which file it was before the look; empty: none was there; `unsought`: it could not be looked whether it was removed. */
  readonly inode: string;
}

const unsought = '?';

const none: ReadonlySet<string> = new Set();

/** Rounds from one that asks whether what is watched is still there to the next: a folder may have been moved away. */
const doubtEvery = 12;

/** A wait for an event in a folder. */
interface Vigil {
  /** Which folder it is that is watched. */
  readonly inode: string;
  /** Since when; milliseconds of `performance.now()`. */
  readonly since: number;
  readonly wait: Wait;
}

/**
 * Starts looking after logs. An event tells that a log which had come to rest is written to again, or removed; so nothing
 * is looked at in a round but what cannot be watched or could not be looked at, and once a minute the folders: a `stat`
 * (some 5 µs) each. Where all is watched, that is the only round.
 */
export function createRotator({ every, files, warn }: RotatorInput): Rotator {
  const period = every * 1_000;
  const removed = new RemovedLogs();
  const events = new Map<string, Vigil>();
  /** The folders in which something has happened since the last look, and when. */
  const woken = new Map<string, number>();
  let seen: ReadonlyMap<string, Seen> = new Map();
  let nextRound = performance.now() + Math.min(second, period);
  let nextDoubt = nextRound;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let looking: Promise<void> = Promise.resolve();

  async function lookAt(all: boolean): Promise<void> {
    if (stopped) return;
    const started = performance.now();
    const round = all || started >= nextRound;
    const listed = [...files()];
    const paths = new Set(listed.map(({ path }) => path));
    const isDue = ({ path }: RotatedLog) => woken.has(dirname(path)) || (seen.get(path)?.due ?? 0) <= started;
    if (round && started >= nextDoubt) {
      forgetReplaced();
      nextDoubt = started + doubtEvery * period;
    }
    const logs = listed.filter((log) => all || isDue(log) || (round && !isWatched(log)));
    const since = new Map(woken);
    woken.clear();
    // As they are before it is looked for removed ones: what is removed later is seen as a change at the next look.
    const inodes = new Map(logs.map(({ path }) => [path, inodeOf(path)]));
    const failed = await seekRemoved(logs, inodes, round);
    const found = new Map([...seen].filter(([path]) => paths.has(path)));
    for (const log of logs) {
      const last = seen.get(log.path);
      const at = since.get(dirname(log.path)) ?? 0;
      const now = await examine(log, last && { ...last, at: Math.max(last.at, at) });
      const inode = inodes.get(log.path) ?? '';
      if (!failed.has(log.path)) found.set(log.path, { ...now, inode });
      // Of a file that is another one by now, what was seen of the removed one is still to be known when it is found.
      else found.set(log.path, { ...now, size: inode === '' ? now.size : (last?.size ?? 0), inode: unsought });
    }
    seen = found;
    if (round && logs.length > 0) awaitEvents();
    // Where an event would tell of everything, a round would look at nothing.
    if (listed.every(isWatched)) nextRound = nextDoubt;
    else nextRound = round ? started + period : Math.min(nextRound, started + period);
    plan();
  }

  /**
   * A look at all processes, but only where a file has gone or become another one, or is new to this Huddle. The paths of
   * those that could not be looked for.
   */
  async function seekRemoved(
    logs: readonly RotatedLog[],
    inodes: ReadonlyMap<string, string>,
    round: boolean,
  ): Promise<ReadonlySet<string>> {
    const isOther = ({ path }: RotatedLog) => seen.get(path)?.inode !== inodes.get(path);
    const suspects = logs.filter((log) => isOther(log) || (round && removed.has(log)));
    if (suspects.length === 0) return none;
    try {
      await removed.seek(new Map(suspects.map(({ path }) => [path, seen.get(path)?.size ?? 0])));
      return none;
    } catch (error) {
      const isKnown = suspects.some(({ path }) => seen.get(path)?.inode === unsought);
      if (!isKnown) warn(`looking for removed logs: ${refusal(error)}; it is tried again`);
      return new Set(suspects.map(({ path }) => path));
    }
  }

  async function examine(log: RotatedLog, last: Seen | undefined): Promise<Look> {
    try {
      await removed.carryOver(log);
      const now = await boundedNow(log, last);
      return removed.has(log) ? { ...now, due: Math.min(now.due, now.at + second) } : now;
    } catch (error) {
      if (!last?.failing) warn(`rotating ${basename(log.path)}: ${refusal(error)}; it is tried again`);
      return { size: last?.size ?? 0, at: performance.now(), due: Infinity, failing: true };
    }
  }

  /** Whether an event would have told of all that has happened since it was last looked at, with success. */
  function isWatched({ path }: RotatedLog): boolean {
    const vigil = events.get(dirname(path));
    const last = seen.get(path);
    if (last === undefined || last.failing || last.inode === unsought) return false;
    return vigil?.wait.isOver() === false && vigil.since <= last.at;
  }

  /** Who watches a folder that has been replaced since sees nothing any more. */
  function forgetReplaced(): void {
    for (const [folder, { inode, wait }] of events) {
      if (inodeOf(folder) === inode) continue;
      wait.cancel();
      events.delete(folder);
    }
  }

  /**
   * Once a round for each folder whose logs have come to rest: a log that is written to now and then costs no more. A wait that
   * goes on is left alone.
   */
  function awaitEvents(): void {
    const resting = restingFolders(seen);
    for (const [folder, { wait }] of events) {
      if (resting.has(folder) && !wait.isOver()) continue;
      wait.cancel();
      events.delete(folder);
    }
    for (const folder of resting) {
      if (events.has(folder)) continue;
      const inode = inodeOf(folder);
      const wait = nextEvent(folder, () => wake(folder));
      events.set(folder, { inode, since: performance.now(), wait });
    }
  }

  /** It is about to be written to, or has just been. */
  function wake(folder: string): void {
    if (!woken.has(folder)) woken.set(folder, performance.now());
    plan();
  }

  function plan(): void {
    if (stopped) return;
    let due = woken.size > 0 ? 0 : nextRound;
    for (const file of seen.values()) due = Math.min(due, file.due);
    const wait = Math.max(shortest, due - performance.now());
    clearTimeout(timer);
    timer = setTimeout(() => void look(false), wait);
    timer.unref();
  }

  function look(all: boolean): Promise<void> {
    looking = looking.then(() => lookAt(all));
    return looking;
  }

  /** What programs have said in their last moments is still carried over. */
  async function end(): Promise<void> {
    await looking;
    for (const log of files()) if (removed.has(log)) await examine(log, seen.get(log.path));
    await removed.close();
  }

  const forget = whenOpened((path) => wake(dirname(path)));
  plan();
  return {
    look: () => look(true),
    stop() {
      stopped = true;
      clearTimeout(timer);
      forget();
      for (const { wait } of events.values()) wait.cancel();
      return end();
    },
  };
}

/** The folders in which no log has to be looked at soon. */
function restingFolders(seen: ReadonlyMap<string, Seen>): ReadonlySet<string> {
  const awake = new Set([...seen].flatMap(([path, { due }]) => (due < Infinity ? [dirname(path)] : [])));
  return new Set([...seen.keys()].map((path) => dirname(path)).filter((folder) => !awake.has(folder)));
}

async function boundedNow(log: RotatedLog, last: Seen | undefined): Promise<Look> {
  if (!last) await recover(log);
  const found = performance.now();
  const size = sizeOf(log.path);
  const isFull = size >= limitOf(log);
  if (isFull) await rotate(log);

  const at = performance.now();
  const left = isFull ? sizeOf(log.path) : size;
  const due =
    last && size === last.size ? Infinity : at + untilFull(log, left, last ? growth(last, size, found) : Infinity);
  return { size: left, at, due, failing: false };
}

/**
 * How long to wait until a look at a log that grows by so much a millisecond: half of what it takes to be full. A flood
 * that fills it before that is left to grow to four times what is kept, for a second at most: what is dropped then has
 * not to be copied first, and the writer has the disk for itself.
 */
function untilFull(log: RotatedLog, size: number, growth: number): number {
  const limit = limitOf(log);
  const filling = (limit - size) / growth / 2;
  const wait = filling < shortest ? (4 * Math.max(1, log.keep) * limit) / growth : filling;
  return Math.min(second, Math.max(shortest, wait));
}

/** Bytes per millisecond since the last look. */
function growth(last: Seen, size: number, at: number): number {
  return Math.max(Number.EPSILON, (size - last.size) / Math.max(1, at - last.at));
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function inodeOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}
