import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { appendTo } from '../../src/logs/open.ts';
import { collapse } from '../../src/logs/shorten.ts';
import { open } from 'node:fs/promises';

/** A program that writes numbered lines to a log as the programs of apps do: it has the file open, and Huddle has not. */
export function flood(t: TestContext, path: string, lines?: number): ChildProcess {
  const descriptor = appendTo(path);
  const program = join(import.meta.dirname, 'programs/flood.ts');
  const args = lines === undefined ? [program] : [program, String(lines)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', descriptor, 'inherit'] });
  closeSync(descriptor);
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Resolves when a child has ended; sends it a signal first where one is given. */
export async function end(child: ChildProcess, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('close', done));
  if (signal) child.kill(signal);
  await ended;
}

/** The rotated files, oldest first, then the live one. */
export function filesOf(path: string): string[] {
  const files = [path];
  for (let number = 1; existsSync(`${path}.${number}`); number += 1) files.unshift(`${path}.${number}`);
  return files;
}

/** Everything that is left of a log, oldest byte first. */
export function textOf(path: string): string {
  return filesOf(path)
    .map((file) => readFileSync(file, 'utf8'))
    .join('');
}

export function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, file) => sum + statSync(file).size, 0);
}

/** The numbers of a flood, in the order in which they stand in the log. */
export function numbersOf(path: string): number[] {
  const lines = textOf(path).split('\n');
  assert.equal(lines.pop(), '', 'ends in a whole line');
  return lines.map((line) => {
    assert.match(line, /^\d{9}\.*$/, 'a whole line');
    return Number(line.slice(0, 9));
  });
}

/** Whether logs in a folder can be rotated without loss; skips the test where not. */
export async function collapses(t: TestContext, folder: string): Promise<boolean> {
  const path = join(folder, 'probe');
  mkdirSync(dirname(path), { recursive: true });
  const probe = await open(path, 'w+');
  try {
    await probe.writeFile(Buffer.alloc(2 * (await probe.stat()).blksize));
    if (await collapse(probe, (await probe.stat()).blksize)) return true;
  } finally {
    await probe.close();
  }
  t.skip('the file system of the temporary folder cannot collapse a range; ext4 and xfs can');
  return false;
}
