import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type Scene } from '../e2e/harness.ts';
import type { Huddle } from '../e2e/command.ts';
import { median, spread, type Line } from './line.ts';
import { residentMegabytes } from './usage.ts';

const megabyte = 1_048_576;
const flood = join(import.meta.dirname, '../logs/programs/flood.ts');

/** Runs its arguments, and tells in its journal how many nanoseconds they took. */
const timed = `from=$(date +%s%N); "$@"; echo $(($(date +%s%N) - from)) >>"$JOURNAL"\n`;

/**
 * What a log costs: a program's throughput against a plain shell redirect of the same; what rotation under a flood loses;
 * what a flood of so many megabytes leaves on the disk and in Huddle's memory.
 */
export async function logs(stage: Scene, rounds: number, megabytes: number): Promise<Line[]> {
  const repo = await stage.repo();
  await repo.publish({ 'timed.sh': timed });
  const huddle = stage.startHuddle();
  try {
    const run = async (name: string, sections: object, command: readonly string[]) =>
      await runOnce(stage, huddle, { name, remote: repo.remote, sections, command });
    return [
      ...(await throughput(stage, run, rounds)),
      ...(await loss(stage, run, 5_000_000)),
      ...(await bounds(stage, huddle, run, megabytes)),
    ];
  } finally {
    await huddle.stop();
  }
}

type Run = (name: string, sections: object, command: readonly string[]) => Promise<number>;

/** Has an app run a command to its end, once more each time; how long that took, in milliseconds. */
async function runOnce(
  stage: Scene,
  huddle: Huddle,
  { name, remote, sections, command }: { name: string; remote: string; sections: object; command: readonly string[] },
): Promise<number> {
  const before = stage.journal().length;
  const application = {
    start: ['sh', 'timed.sh', ...command],
    restart: 'never',
    // Each run is another config, and so another start.
    environment: { JOURNAL: stage.journalFile, RUN: String(before) },
  };
  await stage.app(name, remote, { timing: { minimum: 3600 }, application, ...sections });
  await eventually('the command has ended', () => stage.journal().length > before);
  await huddle.until(name, ({ program }) => program?.state === 'down', 'down');
  return Number(stage.journal().at(-1)) / 1e6;
}

async function throughput(stage: Scene, run: Run, rounds: number): Promise<Line[]> {
  const command = [process.execPath, flood, '4000000'];
  const [ours, plain]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    // What one of them has left to be written to the disk is not to weigh on the other, nor is the order.
    const turns = [async () => ours.push(await run('shop', {}, command)), () => plain.push(redirected(stage, command))];
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
      execFileSync('sync');
      await turn();
    }
  }
  const ratio = median(plain.map((time, round) => time / (ours[round] ?? Infinity)));
  return [
    { what: 'a program writes 200 MB, rotated at 10 MB', target: '', measured: spread(ours), met: null },
    { what: '  the same with a plain shell redirect', target: '', measured: spread(plain), met: null },
    { what: '  throughput, Huddle / redirect', target: '≥ 0.95', measured: ratio.toFixed(2), met: ratio >= 0.95 },
  ];
}

/** The same program by hand: `sh program.sh >>file`. */
function redirected(stage: Scene, command: readonly string[]): number {
  const file = join(stage.root, 'redirected');
  const line = `rm -f ${file}; exec sh ${join(stage.copy('shop'), 'timed.sh')} "$@" >>${file} 2>&1`;
  execFileSync('sh', ['-c', line, 'sh', ...command], { env: { ...stage.environment(), JOURNAL: stage.journalFile } });
  return Number(stage.journal().at(-1)) / 1e6;
}

/** Every line of a flood is numbered: they must all be there, in their order, once. */
async function loss(stage: Scene, run: Run, lines: number): Promise<Line[]> {
  await run('kept', { logs: { size: 1, keep: 10_000 } }, [process.execPath, flood, String(lines)]);
  const log = logOf(stage, 'kept');
  await eventually('the log is within its bounds', () => statSync(log).size < megabyte);
  let bytes = 0;
  let number = 0;
  let wrong = 0;
  const files = filesOf(log);
  for (const file of files) {
    bytes += statSync(file).size;
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (line !== `${String(number).padStart(9, '0')}${'.'.repeat(number % 83)}`) wrong += 1;
      number += 1;
    }
  }
  let expected = 0;
  for (let each = 0; each < lines; each += 1) expected += 10 + (each % 83);
  const what = `flood of ${lines / 1e6} million lines, ${files.length - 1} rotations`;
  const measured = `${lines - number} lines, ${expected - bytes} bytes lost; ${wrong} not in their place`;
  return [{ what, target: 'none lost', measured, met: number === lines && bytes === expected && wrong === 0 }];
}

/** As fast as a shell can write. */
async function bounds(stage: Scene, huddle: Huddle, run: Run, megabytes: number): Promise<Line[]> {
  const memory = residentMegabytes(huddle.pid);
  const peak = { memory, disk: 0 };
  const watching = new AbortController();
  const watched = watch(stage, huddle, peak, watching.signal);
  const line = `yes "a line of a flood that nobody will ever read" | head -c ${megabytes * megabyte}`;
  const took = await run('flood', {}, ['sh', '-c', line]);
  const log = logOf(stage, 'flood');
  await eventually('the log is within its bounds', () => statSync(log).size < 10 * megabyte);
  await sleep(1_000);
  watching.abort();
  await watched;
  const left = diskOf(stage) / megabyte;
  const what = `flood of ${megabytes} MB in ${(took / 1000).toFixed(1)} s`;
  return [
    { what: `${what}: left on the disk`, target: '≤ 60 MB', measured: `${left.toFixed(0)} MB`, met: left <= 60 },
    {
      what: '  most on the disk meanwhile',
      target: '',
      measured: `${(peak.disk / megabyte).toFixed(0)} MB`,
      met: null,
    },
    {
      what: '  memory of Huddle before, and at most',
      target: '≤ + 16 MB',
      measured: `${memory.toFixed(0)} MB, ${peak.memory.toFixed(0)} MB`,
      met: peak.memory <= memory + 16,
    },
  ];
}

async function watch(stage: Scene, huddle: Huddle, peak: { memory: number; disk: number }, signal: AbortSignal) {
  while (!signal.aborted) {
    peak.memory = Math.max(peak.memory, residentMegabytes(huddle.pid));
    peak.disk = Math.max(peak.disk, diskOf(stage));
    await sleep(10);
  }
}

/** What the logs of the flooding app take. */
function diskOf(stage: Scene): number {
  const folder = join(logOf(stage, 'flood'), '..');
  if (!existsSync(folder)) return 0;
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

function logOf(stage: Scene, name: string): string {
  return join(stage.dir, '.huddle/apps', name, 'logs/app.log');
}

/** The rotated files, oldest first, then the live one. */
function filesOf(path: string): string[] {
  const files = [path];
  for (let number = 1; existsSync(`${path}.${number}`); number += 1) files.unshift(`${path}.${number}`);
  return files;
}
