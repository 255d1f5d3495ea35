import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { FolderReport } from '../../machines/protocol.ts';
import { configFiles, readFromDisk } from './file.ts';
import type { Origin } from './paths.ts';
import { problemsToFailure } from './problem.ts';

/** How long a file must be away until its app is stopped; milliseconds. */
const awayTime = 2_000;

/** How long a file must stay as it is until it is read: who writes it may not be done. Milliseconds. */
const settleTime = 80;

type FileReport = Extract<FolderReport, { type: 'config.put' | 'config.broken' }>;

/** What a look at the folder came to. */
export interface Look {
  /** Which folder it was (a path can become another one); null: none is there. */
  readonly identity: string | null;
  readonly reports: readonly FolderReport[];
  /** Milliseconds until the next look is due, if nothing happens before. */
  readonly again: number | null;
}

interface Known {
  /** What `stat` said at the last look, and since when. */
  readonly trace: string;
  readonly traceSince: number;
  /** What `stat` said when it was last read. */
  readonly read: string | null;
  readonly told: FileReport | null;
  /** Since when it has been away; null: it is there. */
  readonly awaySince: number | null;
}

/**
 * What is known of the files of a folder. Each `look` compares it with what is there and says what has changed: events
 * only tell that it is time for one, so none that is lost, doubled or late can do harm. Looks must not overlap.
 */
export class KnownFiles {
  readonly #origin: Origin;
  readonly #known = new Map<string, Known>();
  /** The folder in which files were last seen. */
  #identity: string | null = null;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  /**
   * `now`: milliseconds of a clock that never jumps. `first`: everything is read as it is; afterwards only what has
   * stayed the same for a moment.
   */
  async look(now: number, { first = false } = {}): Promise<Look> {
    const { folder } = this.#origin;
    const identity = await identityOf(folder);
    const traces = identity === null ? null : await tracesIn(folder);
    if (traces === null) {
      this.#stopClocks();
      return { identity: null, reports: [], again: null };
    }
    const isOther = identity !== this.#identity;
    if (traces.size > 0) this.#identity = identity;
    const came = [...traces].map(([file, trace]) => this.#meet(file, trace, first ? null : now));
    const told = await Promise.all(came.filter(({ isDue }) => isDue).map(({ file }) => this.#read(file)));
    if (isOther && traces.size === 0) this.#stopClocks();
    else this.#startClocks(traces, now, isOther || came.some(({ wasAway }) => wasAway));
    return { identity, reports: [...told.flat(), ...this.#removed(now)], again: this.#nextLook(traces, now) };
  }

  /** `now`: null where it is not to be waited for whoever may be writing the file. */
  #meet(file: string, trace: string, now: number | null) {
    const known = this.#known.get(file) ?? { trace: '', traceSince: 0, read: null, told: null, awaySince: null };
    const traceSince = trace === known.trace ? known.traceSince : (now ?? 0);
    this.#known.set(file, { ...known, trace, traceSince, awaySince: null });
    const isDue = trace !== known.read && (now === null || now - traceSince >= settleTime);
    return { file, isDue, wasAway: known.awaySince !== null };
  }

  /** What to tell about a file; nothing where it means what it meant. */
  async #read(file: string): Promise<readonly FileReport[]> {
    const known = this.#known.get(file);
    const reading = await readFromDisk(path.join(this.#origin.folder, file), file, this.#origin);
    // Gone, or a folder now: the next look will miss it.
    if (known === undefined || reading === null) return [];
    const { name, config, problems } = reading;
    const report: FileReport =
      config === null
        ? { type: 'config.broken', file, name, failure: problemsToFailure(problems) }
        : { type: 'config.put', file, name, config };
    this.#known.set(file, { ...known, read: known.trace, told: report });
    return known.told !== null && isSame(known.told, report) ? [] : [report];
  }

  /**
   * Counts how long files have been away. `anew`: the folder is another one than before, or one of its files has come
   * back, so the others may follow. (Another folder without any file, as under an unmounted disk, says nothing at all.)
   */
  #startClocks(traces: ReadonlyMap<string, string>, now: number, anew: boolean): void {
    for (const [file, known] of this.#known) {
      if (traces.has(file)) continue;
      this.#known.set(file, { ...known, awaySince: anew ? now : (known.awaySince ?? now) });
    }
  }

  #stopClocks(): void {
    for (const [file, known] of this.#known) this.#known.set(file, { ...known, awaySince: null });
  }

  #removed(now: number): readonly FolderReport[] {
    const gone = [...this.#known].filter(([, { awaySince }]) => awaySince !== null && now - awaySince >= awayTime);
    for (const [file] of gone) this.#known.delete(file);
    const told = gone.filter(([, known]) => known.told !== null).map(([file]) => file);
    return told.sort().map((file) => ({ type: 'config.removed', file }));
  }

  #nextLook(traces: ReadonlyMap<string, string>, now: number): number | null {
    const moments = [...this.#known].flatMap(([file, { trace, traceSince, read, awaySince }]) => {
      if (awaySince !== null) return [awaySince + awayTime];
      return traces.has(file) && trace !== read ? [traceSince + settleTime] : [];
    });
    return moments.length === 0 ? null : Math.max(1, Math.min(...moments) - now);
  }
}

/**
 * What tells a folder from another one that takes its place: an inode number alone is soon used again. null where
 * there is no folder.
 */
export async function identityOf(folder: string): Promise<string | null> {
  const found = await statOrNull(folder);
  return found?.isDirectory() === true ? `${found.dev}:${found.ino}:${found.birthtimeNs}` : null;
}

/** Each config file with what changes when it is written or replaced; null where the folder cannot be read. */
async function tracesIn(folder: string): Promise<ReadonlyMap<string, string> | null> {
  const files = await configFiles(folder).catch(() => null);
  if (files === null) return null;
  const traces = await Promise.all(files.map(async (file) => [file, await traceOf(path.join(folder, file))] as const));
  return new Map(traces.flatMap(([file, trace]) => (trace === null ? [] : [[file, trace]])));
}

/** null: not there, or a folder. A symlink that points nowhere is there. */
async function traceOf(file: string): Promise<string | null> {
  const found = (await statOrNull(file)) ?? (await statOrNull(file, lstat));
  if (found === null || found.isDirectory()) return null;
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':');
}

async function statOrNull(path: string, look: typeof stat = stat): Promise<BigIntStats | null> {
  return look(path, { bigint: true }).catch(() => null);
}

function isSame(before: FileReport, now: FileReport): boolean {
  if (before.type === 'config.put') return now.type === 'config.put' && isDeepStrictEqual(before.config, now.config);
  return (
    now.type === 'config.broken' &&
    before.failure.message === now.failure.message &&
    before.failure.hint === now.failure.hint
  );
}
