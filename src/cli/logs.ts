import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { Failure, oneLine } from '../../machines/failure.ts';
import { errorCode, refused, statePaths, type StatePaths } from '../ledger/paths.ts';
import { tail } from '../logs/follow.ts';
import { appNames } from './app-names.ts';
import { chosen } from './chosen.ts';
import { Lines, shownLine } from './log-lines.ts';
import type { Options } from './options.ts';

/** As many as `tail` shows. */
const defaultLines = 10;

/**
 * `huddle logs [APP…] [-f] [-n N] [--deploy]`: what the programs of the apps have written, or with `--deploy` what their
 * deployments have. It reads the files, so it needs no running Huddle. Of one app it is the very bytes; of several each
 * line has its app's name in front. On a terminal control characters are shown, not obeyed.
 */
export async function logs(options: Options): Promise<number> {
  const paths = statePaths(options.folder, options.state);
  const names = wanted(paths, options.apps);
  const width = Math.max(0, ...names.map((name) => oneLine(name).length));
  const prefixes = names.map((name, index) => (names.length > 1 ? prefixOf(name, index, width) : ''));
  const one = (name: string, index: number) => show(paths, name, prefixes[index] ?? '', options);
  if (options.follow) await Promise.all(names.map(one));
  else for (const [index, name] of names.entries()) await one(name, index);
  return 0;
}

/** The apps of the folder; by name also those that are gone and have left their logs. */
function wanted({ folder, root }: StatePaths, names: readonly string[]): readonly string[] {
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

async function show(paths: StatePaths, name: string, prefix: string, options: Options): Promise<void> {
  const { appLog, deployLog } = paths.app(name);
  const path = options.deploy ? deployLog : appLog;
  const { follow, lines = defaultLines } = options;
  try {
    if (!statSync(path, { throwIfNoEntry: false }))
      process.stderr.write(`huddle: ${oneLine(name)} has no ${options.deploy ? 'deploy log' : 'log'} yet\n`);
    const pieces = tail(path, { lines, follow, signal: new AbortController().signal });
    if (prefix === '' && !process.stdout.isTTY) for await (const piece of pieces) await print(piece);
    else await showLines(pieces, prefix);
  } catch (error) {
    throw unreadable(error, path);
  }
}

async function showLines(pieces: AsyncIterable<Buffer>, prefix: string): Promise<void> {
  const lines = new Lines();
  for await (const piece of pieces) {
    for (const line of lines.take(piece)) await print(lineOf(line, prefix));
  }
  const rest = lines.rest();
  if (rest !== null) await print(lineOf(rest, prefix));
}

function lineOf(line: Buffer, prefix: string): string | Buffer {
  const { stdout } = process;
  if (stdout.isTTY) return `${prefix}${shownLine(line, stdout.hasColors())}\n`;
  return Buffer.concat([Buffer.from(prefix), line, Buffer.from('\n')]);
}

const colours = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const;

function prefixOf(name: string, index: number, width: number): string {
  const colour = colours[index % colours.length] ?? 'cyan';
  return styleText(colour, `${oneLine(name).padEnd(width)} | `, { stream: process.stdout });
}

let drained: Promise<unknown> | null = null;

/** Waits for a reader who is slower than the log. */
async function print(text: string | Buffer): Promise<void> {
  if (process.stdout.write(text)) return;
  drained ??= once(process.stdout, 'drain').finally(() => (drained = null));
  await drained;
}

function unreadable(error: unknown, path: string): Failure {
  const code = errorCode(error);
  if (code !== 'EACCES' && code !== 'EPERM') return refused(error, 'reading', path);
  const hint = 'Run this as the user who runs Huddle, or as root.';
  return new Failure('permission-denied', { doing: 'reading', subject: path, reason: 'permission denied', hint });
}
