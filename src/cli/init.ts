import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { shellWord } from '../platform/shell-word.ts';
import { Failure } from '../../machines/failure.ts';
import type { Options } from './options.ts';

/** Begins with `_`, so that it starts nothing before it has been looked at. */
const exampleFile = '_example.json';

/** `huddle init`: writes a commented example into DIR, and never over a file that is there. */
export async function init({ folder }: Pick<Options, 'folder'>): Promise<number> {
  const file = path.join(folder, exampleFile);
  await writeFile(file, exampleConfig, { flag: 'wx' }).catch((thrown: unknown) => {
    throw notWritten(file, thrown);
  });
  const named = shellWord(path.join(folder, 'shop.json'));
  process.stdout.write(
    `${file} is written: edit it, and rename it after your app, as ${named}\nThen: huddle -c ${shellWord(folder)}\n`,
  );
  return 0;
}

function notWritten(file: string, thrown: unknown): Failure {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : '';
  const reasons = new Map<unknown, readonly [reason: string, hint: string]>([
    ['EEXIST', ['it is there already', 'Nothing was written: move it away first.']],
    ['ENOENT', ['there is no such folder', 'Make the folder first, or name another one with -c DIR.']],
  ]);
  const [reason, hint] = reasons.get(code) ?? [thrown instanceof Error ? thrown.message : String(thrown), ''];
  const failureCode = code === 'ENOENT' ? 'directory-missing' : 'path-occupied';
  return new Failure(failureCode, { doing: 'writing', subject: file, reason, hint, cause: thrown });
}

/** What most apps need, with a word on each key; the README and `huddle schema` know all of them. */
export const exampleConfig = `// An app of Huddle: rename this file after it, without the _ (shop.json), and \`huddle -c DIR\` runs it, DIR being the folder
// of this file; at once where it runs there already. Comments and trailing commas are fine; times are seconds.
{
  "repository": {
    // What to follow: an https or ssh URL, git@host:path, or a path.
    "remote path": "https://example.org/shop.git",
    // Where the working copy lives. Relative paths start at the folder of this file; ~ is your home.
    "local path": "~/shop",
    // Without it, the remote's default branch.
    "branch": "main",
  },

  // The wait between two checks: a random time between the two.
  "timing": { "minimum": 60, "maximum": 120 },

  // Run in a clean checkout of each new revision. What fails never goes live.
  "test": { "command": ["npm ci", "npm test"] },

  "scripts": {
    // Run in the working copy once the new revision is there, before the program starts.
    "post-pull": ["npm ci --omit=dev"],
  },

  "application": {
    // A text is a line for the shell, a list is the program and its arguments.
    "start": ["node", "server.js"],
    "environment": { "PORT": "8080" },
    // Names and values that belong in no repository, as NAME=value lines:
    // "environment file": "~/shop.env",
    // Run everything of this app as this user (needs root):
    // "user": "www-data",
  },

  // Restarts the program when it no longer answers; a new revision must answer to be accepted.
  "watchdog": { "host": "http://127.0.0.1:8080/health", "period": 30 },
}
`;
