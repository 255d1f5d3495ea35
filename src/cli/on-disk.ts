import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { errorCode, refused, type StatePaths } from '../ledger/paths.ts';
import { appNames } from './app-names.ts';
import { chosen } from './chosen.ts';

// What can be read without a running Huddle.

/** The apps of the folder; by name also those that are gone and have left their files. An unknown name is a `Misuse`. */
export function appsOnDisk({ folder, root }: StatePaths, names: readonly string[]): readonly string[] {
  const present = appNames(folder);
  const known = names.length === 0 ? present : [...new Set([...present, ...namesIn(join(root, 'apps'))])].sort();
  return chosen(
    known.map((name) => ({ name })),
    names,
  ).map(({ name }) => name);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw unreadable(error, folder);
  }
}

/** Why a file of Huddle's could not be read, as a failure. */
export function unreadable(error: unknown, path: string): Failure {
  const code = errorCode(error);
  if (code !== 'EACCES' && code !== 'EPERM') return refused(error, 'reading', path);
  const hint = 'Run this as the user who runs Huddle, or as root.';
  return new Failure('permission-denied', { doing: 'reading', subject: path, reason: 'permission denied', hint });
}
