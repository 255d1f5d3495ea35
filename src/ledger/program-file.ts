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
}

const recordEntries: { [Key in keyof ProgramRecord]: v.GenericSchema<unknown, ProgramRecord[Key]> } = {
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.pipe(v.number(), v.integer(), v.minValue(0)),
  bootId: v.string(),
  mark: v.string(),
  revision: revisionSchema,
  config: v.string(),
  since: v.number(),
};

/** `inode`: of the very file that the record was written in, so that a copy is known for one. */
const fileSchema = v.object({ ...recordEntries, inode: v.optional(v.string()) });

/**
 * The program that was last written down. A damaged file is set aside with a warning, and counts as none: its mark finds
 * the program too. So does a copy: `cp -r DIR OTHER` takes the file along, but not the program, whose mark begins with the
 * hash of DIR and not with `marks`. A folder that was moved (`mv` on one disk) takes the very file along: its program is its own.
 */
export function readProgram(path: string, marks: string, warn: (text: string) => void): ProgramRecord | null {
  try {
    const { inode, ...record } = v.parse(fileSchema, JSON.parse(readFileSync(path, 'utf8')));
    if (record.mark.startsWith(marks) || inode === inodeOf(statSync(path, { bigint: true }))) return record;
    warn(`program.json is a copy: process ${record.pid} is left alone, it belongs to the folder that was copied`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT')
      warn(`program.json is damaged (${inWords(error)}); the program is looked for by its mark; ${setAside(path)}`);
  }
  return null;
}

/**
 * Writes a program down, or with null removes the file. Synchronous (about 0.2 ms), so that between a spawn and its
 * record there is no moment in which Huddle could be doing something else. Atomic against a kill, but not synced: after a
 * power cut no program is alive to be taken over, and a program that crashes in a loop must not wear out a flash card.
 * Throws the system's error.
 */
export function writeProgram(path: string, record: ProgramRecord | null): void {
  faultPoint('ledger.program.before');
  if (record === null) rmSync(path, { force: true });
  else replace(path, record);
  faultPoint('ledger.program.after');
}

function replace(path: string, record: ProgramRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  const file = openSync(fresh, 'w', 0o600);
  try {
    const inode = inodeOf(fstatSync(file, { bigint: true }));
    writeFileSync(file, JSON.stringify({ ...record, inode }));
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
