import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../e2e/harness.ts';
import { Calls } from './calls.ts';
import { settled } from './crowd.ts';
import { median, spread, type Line } from './line.ts';
import { processorSeconds } from './usage.ts';

const apps = 100;

/** A hundred programs that a new Huddle has taken over: how soon it knows that one has ended, and what it costs to look. */
export async function takeover(stage: Scene, rounds: number, idleSeconds: number): Promise<Line[]> {
  const calls = new Calls(join(stage.root, 'calls'));
  const repo = await stage.repo();
  await repo.publish({ version: 'v1\n' });
  for (let index = 0; index < apps; index += 1) {
    const start = ['sh', '-c', `echo app${index}. $$ > ${calls.path}; exec sleep 1000`];
    await stage.app(`app${index}`, repo.remote, { timing: { minimum: 3600 }, application: { start, settle: 0.5 } });
  }
  const first = stage.startHuddle();
  await calls.hear('app', apps, 300);
  await settled(first, apps);
  const before = await minuteOf(first.pid, idleSeconds);
  await first.kill9();

  const began = performance.now();
  const huddle = stage.startHuddle();
  await huddle.until(`app${apps - 1}`, ({ program }) => program?.adopted === true, 'taken over');
  const all = async () => (await huddle.status()).filter(({ program }) => program?.adopted === true).length;
  while ((await all()) < apps) await sleep(20);
  const took = performance.now() - began;
  await settled(huddle, apps);
  assert.equal(calls.heard.length, apps, 'one was started a second time');

  const after = await minuteOf(huddle.pid, idleSeconds);
  const times: number[] = [];
  for (let index = 0; index < rounds; index += 1) {
    await sleep(50 + Math.random() * 200);
    const pid = Number(calls.heard.find(({ text }) => text.startsWith(`app${index}.`))?.text.split(' ')[1]);
    const killed = performance.now();
    process.kill(pid, 'SIGKILL');
    times.push((await calls.hear(`app${index}.`, 2)).at - killed);
  }
  await huddle.stop();
  calls.close();
  return [
    { what: `${apps} programs taken over, command to all`, target: '', measured: spread([took]), met: null },
    {
      what: '  end of one to its successor’s start',
      target: '≤ 250 ms',
      measured: spread(times),
      met: median(times) <= 250,
    },
    {
      what: '  processor time a minute for looking',
      target: '≤ 0.1 s',
      measured: `${(after - before).toFixed(3)} s (${after.toFixed(3)} s, with own children ${before.toFixed(3)} s)`,
      met: after - before <= 0.1,
    },
  ];
}

/** Processor seconds that an idle process takes in a minute. */
async function minuteOf(pid: number, seconds: number): Promise<number> {
  const before = processorSeconds(pid);
  await sleep(seconds * 1000);
  return ((processorSeconds(pid) - before) * 60) / seconds;
}
