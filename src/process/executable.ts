import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Command } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { errorCode, refused } from '../ledger/paths.ts';

/** A command as an argv: a line is for the shell, a list is the argv itself. */
export function argvOf(command: Command): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
}

/**
 * Where a program is, looked for as execvp does: a name with a slash starts at `directory`, any other is looked for in
 * `path`. Null when there is none that can be executed.
 */
export function findExecutable(name: string, directory: string, path: string): string | null {
  const places = name.includes('/') ? [name] : path.split(delimiter).map((folder) => join(folder, name));
  return places.map((place) => resolve(directory, place)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not for us: the next place is looked at.
  }
}

/** What execvp takes where there is no PATH. */
const usualPath = '/bin:/usr/bin';

/**
 * Throws a `Failure` when a command's program is nowhere to be found: asked before it is started, since behind setpriv
 * its absence would look like an exit of its own.
 */
export function mustExist(argv: readonly string[], directory: string, path: string | undefined, doing: string): void {
  const name = argv[0] ?? '';
  if (name !== '' && findExecutable(name, directory, path ?? usualPath) !== null) return;
  throw new Failure('command-not-found', {
    doing,
    subject: name,
    reason: name.includes('/') ? `there is no program of that name in ${directory}` : 'it is in no folder of PATH',
    hint: 'Install it, make it executable, or give its full path.',
  });
}

/** Why the system would not start a program, as a `Failure`. */
export function cannotStart(thrown: unknown, name: string, doing: string): Failure {
  const code = errorCode(thrown);
  const parts = { doing, subject: name, cause: thrown };
  if (code === 'ENOENT') {
    // It was there a moment ago, so it is what its first line names that is missing.
    const hint = 'Look at its first line (#!), and install what that names.';
    return new Failure('command-not-found', { ...parts, reason: 'its interpreter is not there', hint });
  }
  if (code === 'EACCES' || code === 'ENOEXEC') {
    const hint = 'Make it executable (chmod +x) for the user that it runs as.';
    return new Failure('command-not-found', { ...parts, reason: 'it may not be executed', hint });
  }
  return refused(thrown, doing, name);
}
