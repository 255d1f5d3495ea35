import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { errorCode, refused } from '../ledger/paths.ts';
import { here } from '../platform/here.ts';
import { placesOf } from '../platform/places.ts';
import type { Launch } from '../platform/platform.ts';

/** Where a command is started. */
interface Start {
  readonly directory: string;
  /** Its PATH is where the program is looked for. */
  readonly environment: Readonly<Record<string, string>>;
  /** For messages. */
  readonly doing: string;
}

/**
 * A command as the system is given it: a line is for the shell, a list is the argv itself. Throws a `Failure` when its
 * program is nowhere to be found: asked before it is started, since behind setpriv its absence would look like an exit
 * of its own.
 */
export function launchOf(command: Command, start: Start): Launch {
  const shell = typeof command === 'string' ? here.shell(command) : null;
  const argv = shell?.argv ?? (command as readonly string[]);
  const file = whereIs(argv[0] ?? '', start);
  return shell ?? here.launch(argv, file);
}

function whereIs(name: string, { directory, environment, doing }: Start): string {
  const file = name === '' ? null : findExecutable(name, directory, environment['PATH'] ?? here.usualPath);
  if (file !== null) return file;
  throw new Failure('command-not-found', {
    doing,
    subject: name,
    reason: here.isPath(name) ? `there is no program of that name in ${directory}` : 'it is in no folder of PATH',
    hint: 'Install it, make it executable, or give its full path.',
  });
}

/**
 * Where a program is, looked for as the system does: a name that is a path starts at `directory`, any other is looked for
 * in `path`. Null when there is none that can be executed.
 */
export function findExecutable(name: string, directory: string, path: string): string | null {
  const places = placesOf(name, path).map((place) => resolve(directory, place));
  return places.find(isExecutable) ?? null;
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
