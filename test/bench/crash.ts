import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../e2e/harness.ts';
import { cleanEnvironment } from '../e2e/command.ts';
import { Calls } from './calls.ts';
import { median, spread, type Line } from './line.ts';
import { countProcesses } from './usage.ts';

/** The host that the target speaks of. */
const crowd = 150;

/** runsv waits a second before it starts what has run for less. */
const betweenKills = 1200;

/** Kills a `sleep` again and again: how long until its successor runs, under Huddle and under runit's runsv. */
export async function crash(stage: Scene, rounds: number): Promise<Line[]> {
  const calls = new Calls(join(stage.root, 'calls'));
  const around = Array.from({ length: Math.max(0, crowd - countProcesses()) }, () =>
    spawn('sleep', ['10000'], { stdio: 'ignore', env: { ...cleanEnvironment(), E2E_SCENE: stage.root } }),
  );
  const line = (name: string) => `echo ${name} $$ > ${calls.path}; exec sleep 1000`;
  const repo = await stage.repo();
  await repo.publish({ version: '1' });
  await stage.app('shop', repo.remote, {
    timing: { minimum: 3600 },
    // Each kill is a first one: the growing delays between later ones are not what is measured.
    application: { start: ['sh', '-c', line('huddle')], settle: 0.1, 'crash window': 0.5 },
  });
  const huddle = stage.startHuddle();
  const runit = runsv(stage, line('runit'));
  const names = runit === null ? ['huddle'] : ['huddle', 'runit'];
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (const name of names) await calls.hear(name);
  for (let round = 0; round < rounds; round += 1) {
    await sleep(betweenKills);
    for (const name of names) {
      const pid = pidOf(name, calls);
      const before = calls.heard.filter(({ text }) => text.startsWith(name)).length;
      const killed = performance.now();
      process.kill(pid, 'SIGKILL');
      times.get(name)?.push((await calls.hear(name, before + 1)).at - killed);
      await sleep(50);
    }
  }
  await huddle.stop();
  runit?.kill('SIGTERM');
  for (const child of around) child.kill('SIGKILL');
  calls.close();
  return linesOf(times.get('huddle') ?? [], times.get('runit') ?? null);
}

function linesOf(ours: readonly number[], theirs: readonly number[] | null): Line[] {
  const what = `crash to new process, ${crowd} processes around`;
  const lines: Line[] = [{ what, target: '≤ 8 ms', measured: spread(ours), met: median(ours) <= 8 }];
  if (theirs === null) {
    const target = '≤ 2.5 × runit';
    return [
      ...lines,
      { what: '  runit in the same run', target, measured: 'runsv is missing (apt: runit)', met: null },
    ];
  }
  const ratio = median(ours) / median(theirs);
  return [
    ...lines,
    { what: '  runit in the same run', target: '', measured: spread(theirs), met: null },
    { what: '  Huddle / runit', target: '≤ 2.5', measured: ratio.toFixed(2), met: ratio <= 2.5 },
  ];
}

/** runit's supervisor of one service, or null where runit is not installed. */
function runsv(stage: Scene, line: string): ChildProcess | null {
  if (spawnSync('runsv').error !== undefined) return null;
  const service = join(stage.root, 'service');
  mkdirSync(service);
  writeFileSync(join(service, 'run'), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return spawn('runsv', [service], { stdio: 'ignore', env: { ...cleanEnvironment(), E2E_SCENE: stage.root } });
}

/** Of the one that called last. */
function pidOf(name: string, calls: Calls): number {
  const last = calls.heard.findLast(({ text }) => text.startsWith(name));
  return Number(last?.text.split(' ')[1]);
}
