import { homedir } from 'node:os';
import { readFolder } from '../config/folder.ts';
import { describeProblem } from '../config/problem.ts';
import { pasteable } from '../control/paste.ts';
import type { Options } from './options.ts';

/** What a validation prints, and how it ends. */
export interface Validation {
  readonly exitCode: number;
  readonly stdout: string;
  /** What is allowed, but hardly meant; nothing of it with JSON. */
  readonly stderr: string;
}

/** `huddle validate [--json]`: a line for each mistake of the config files. */
export async function validate(options: Options): Promise<number> {
  const { exitCode, stdout, stderr } = await validation({ ...options, home: homedir() });
  process.stderr.write(stderr);
  process.stdout.write(stdout);
  return exitCode;
}

/** Checks the config files of a folder, named as it will be in front of each mistake. A `Failure` where it cannot be read. */
export async function validation({ folder, json, home }: Wanted): Promise<Validation> {
  const { files, problems, notes } = await readFolder({ folder, home });
  const exitCode = problems.length === 0 ? 0 : 1;
  if (json) return { exitCode, stdout: `${JSON.stringify({ errors: problems })}\n`, stderr: '' };
  const lines =
    problems.length === 0 ? [`${count(files.length, 'config file')}, no mistakes`] : problems.map(describeProblem);
  if (files.length === 0 && problems.length === 0) lines.push(pasteable(whatCounts, { folder, state: undefined }));
  const doubts = notes.map((note) => `note: ${describeProblem(note)}\n`);
  return { exitCode, stdout: `${lines.join('\n')}\n`, stderr: doubts.join('') };
}

const whatCounts =
  'A config file ends in .json or .ini and does not begin with _ or a dot; huddle init writes an example.';

type Wanted = Pick<Options, 'folder' | 'json'> & { readonly home: string };

function count(number: number, what: string): string {
  return `${number === 0 ? 'no' : number} ${what}${number === 1 ? '' : 's'}`;
}
