import { once } from 'node:events';
import { statSync } from 'node:fs';
import { styleText } from 'node:util';
import { oneLine } from '../../machines/failure.ts';
import { statePaths, type StatePaths } from '../ledger/paths.ts';
import { tail } from '../logs/follow.ts';
import { Lines, shownLine } from './log-lines.ts';
import { appsOnDisk, unreadable } from './on-disk.ts';
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
  const names = appsOnDisk(paths, options.apps);
  const width = Math.max(0, ...names.map((name) => oneLine(name).length));
  const prefixes = names.map((name, index) => (names.length > 1 ? prefixOf(name, index, width) : ''));
  const one = (name: string, index: number) => show(paths, name, prefixes[index] ?? '', options);
  if (options.follow) await Promise.all(names.map(one));
  else for (const [index, name] of names.entries()) await one(name, index);
  return 0;
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
