import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { moment } from '../../src/memory.ts';
import type { Huddle } from '../e2e/command.ts';
import type { Scene } from '../e2e/harness.ts';
import { Calls } from './calls.ts';
import { median, spread, type Line } from './line.ts';
import { processorSeconds, residentMegabytes } from './usage.ts';

const apps = 100;

/** A hundred apps of `sleep`: how soon all are up, what Huddle needs for them, and what it costs when nothing happens. */
export async function crowd(stage: Scene, rounds: number, idleSeconds: number): Promise<Line[]> {
  const calls = new Calls(join(stage.root, 'calls'));
  const repo = await stage.repo();
  await repo.publish({ version: 'v1\n' });
  for (let index = 0; index < apps; index += 1) {
    await stage.app(`app${index}`, repo.remote, {
      timing: { minimum: 3600 },
      application: { start: ['sh', '-c', `echo up > ${calls.path}; exec sleep 1000`], settle: 2 },
    });
  }
  const cloning = stage.startHuddle();
  await calls.hear('up', apps, 300);
  await settled(cloning, apps);
  await cloning.stop();

  const times: number[] = [];
  let huddle = cloning;
  for (let round = 0; round < rounds; round += 1) {
    calls.forget();
    const begun = performance.now();
    huddle = stage.startHuddle();
    times.push((await calls.hear('up', apps)).at - begun);
    await settled(huddle, apps);
    if (round < rounds - 1) await huddle.stop();
  }
  const memory = residentMegabytes(huddle.pid);
  const before = processorSeconds(huddle.pid);
  await sleep(idleSeconds * 1000);
  const minute = ((processorSeconds(huddle.pid) - before) * 60) / idleSeconds;
  await huddle.stop();
  calls.close();
  return [
    {
      what: `${apps} apps of sleep, command to all up`,
      target: '≤ 1.5 s',
      measured: spread(times),
      met: median(times) <= 1500,
    },
    {
      what: `  Huddle’s memory with ${apps} apps`,
      target: '≤ 100 MB',
      measured: `${memory.toFixed(1)} MB`,
      met: memory <= 100,
    },
    {
      what: '  processor time a minute, idle',
      target: '≤ 0.05 s',
      measured: `${minute.toFixed(3)} s (over ${idleSeconds} s)`,
      met: minute <= 0.05,
    },
  ];
}

/** Until every app is up, has asked its remote, what the start has taken of memory is given back, and nothing is done any more. */
export async function settled(huddle: Huddle, count: number): Promise<void> {
  await sleep(moment);
  for (let before = -1; ;) {
    await sleep(4000);
    const spent = processorSeconds(huddle.pid);
    if (spent - before < 0.03) break;
    before = spent;
  }
  const all = await huddle.status();
  const up = all.filter(({ state, program }) => state === 'running' && program?.state === 'up');
  assert.equal(up.length, count, huddle.log);
}
