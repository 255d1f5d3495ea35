import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Revision } from '../../machines/facts.ts';
import type { Side } from '../../machines/protocol.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { revisionSchema } from './entry.ts';
import { errorCode } from './paths.ts';
import { inWords, setAside } from './set-aside.ts';

/** The process of an app's program, so that the next Huddle can take it over. */
export interface ProgramRecord {
  readonly pid: number;
  /** As `ProcessEntry` has it. With it a pid that was given away again is not mistaken. */
  readonly startTime: number;
  /** The boot that it was started in: on Linux the start time only means something within one. */
  readonly bootId: string;
  /** The value of `HUDDLE_MARK` that everything of this program carries. */
  readonly mark: string;
  readonly revision: Revision;
  /** Tells apart the ways in which a program may be configured to start. */
  readonly config: string;
  /** When it was spawned; milliseconds since the epoch. */
  readonly since: number;
  /** Where it runs: a release's folder; not given, or null: the local path. */
  readonly directory?: string | null | undefined;
  /** The port that was found for it; not given, or null: none was wanted. */
  readonly port?: number | null | undefined;
}

/** Those of both sides. */
export type Programs = Readonly<Record<Side, ProgramRecord | null>>;

export const noPrograms: Programs = { blue: null, green: null };

const recordEntries: { [Key in keyof ProgramRecord]-?: v.GenericSchema<unknown, ProgramRecord[Key]> } = {
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.pipe(v.number(), v.integer(), v.minValue(0)),
  bootId: v.string(),
  mark: v.string(),
  revision: revisionSchema,
  config: v.string(),
  since: v.number(),
  directory: v.optional(v.nullable(v.string())),
  port: v.optional(v.nullable(v.number())),
};
const recordSchema = v.object(recordEntries);
/** One is written as it always was, so that an older Huddle takes it over as well. */
const fileSchema = v.union([recordSchema, v.pipe(v.array(recordSchema), v.minLength(1), v.maxLength(2))]);

/**
 * The programs that were last written down. A damaged file is set aside with a warning, and counts as none: their marks
 * find them too.
 */
export function readPrograms(path: string, warn: (text: string) => void): Programs {
  try {
    const found = v.parse(fileSchema, JSON.parse(readFileSync(path, 'utf8')));
    const [blue = null, green = null] = Array.isArray(found) ? found : [found];
    return { blue, green };
  } catch (error) {
    if (errorCode(error) !== 'ENOENT')
      warn(`program.json is damaged (${inWords(error)}); the program is looked for by its mark; ${setAside(path)}`);
    return noPrograms;
  }
}

/**
 * Writes the programs down; with none it removes the file. Synchronous (about 0.2 ms), so that between a spawn and its
 * record there is no moment in which Huddle could be doing something else. Atomic against a kill, but not synced: after a
 * power cut no program is alive to be taken over, and a program that crashes in a loop must not wear out a flash card.
 * Throws the system's error.
 */
export function writePrograms(path: string, { blue, green }: Programs): void {
  faultPoint('ledger.program.before');
  const records = [blue, green].filter((record) => record !== null);
  if (records.length === 0) rmSync(path, { force: true });
  else replace(path, JSON.stringify(records.length === 1 ? records[0] : records));
  faultPoint('ledger.program.after');
}

function replace(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode: 0o600 });
  faultPoint('ledger.program.fresh');
  here.rename(fresh, path);
}
