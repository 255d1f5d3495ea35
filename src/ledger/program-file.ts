import {
  type BigIntStats,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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

/** `inode`: of the very file that the record was written in, so that a copy is known for one. */
const inodeEntry = { inode: v.optional(v.string()) };

/** One is written as it always was, so that an older Huddle takes it over as well. */
const fileSchema = v.union([
  v.object({ ...recordEntries, ...inodeEntry }),
  v.object({ programs: v.pipe(v.array(recordSchema), v.minLength(1), v.maxLength(2)), ...inodeEntry }),
]);

/**
 * The programs that were last written down. A damaged file is set aside with a warning, and counts as none: their marks
 * find them too. So does a copy: `cp -r DIR OTHER` takes the file along, but not the programs, whose marks begin with the
 * hash of DIR and not with `marks`. A folder that was moved (`mv` on one disk) takes the very file along: its programs are
 * its own.
 */
export function readPrograms(path: string, marks: string, warn: (text: string) => void): Programs {
  try {
    const { inode, ...found } = v.parse(fileSchema, JSON.parse(readFileSync(path, 'utf8')));
    const records = 'programs' in found ? found.programs : [found];
    const isOurs = inode === inodeOf(statSync(path, { bigint: true }));
    const own = records.filter(({ mark }) => isOurs || mark.startsWith(marks));
    for (const { pid } of records.filter((record) => !own.includes(record)))
      warn(`program.json is a copy: process ${pid} is left alone, it belongs to the folder that was copied`);
    const [blue = null, green = null] = own;
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
  const [only] = records;
  if (only === undefined) rmSync(path, { force: true });
  else replace(path, records.length === 1 ? only : { programs: records });
  faultPoint('ledger.program.after');
}

function replace(path: string, content: object): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  const file = openSync(fresh, 'w', 0o600);
  try {
    const inode = inodeOf(fstatSync(file, { bigint: true }));
    writeFileSync(file, JSON.stringify({ ...content, inode }));
  } finally {
    closeSync(file);
  }
  faultPoint('ledger.program.fresh');
  here.rename(fresh, path);
}

/** One file of all that there are; of one with several names (`cp -l`) nobody can tell which is the copy. */
function inodeOf({ dev, ino, nlink }: BigIntStats): string {
  return nlink === 1n ? `${dev}:${ino}` : '';
}
