import assert from 'node:assert/strict';
import type { Scene } from '../e2e/harness.ts';
import { median, spread, type Line } from './line.ts';

const apps = 10;

/** How long an operator waits for `huddle status`: the whole command, from its start to its end. */
export async function status(stage: Scene, rounds: number): Promise<Line[]> {
  const repo = await stage.repo();
  const revision = await repo.publish({ version: 'v1\n' });
  const names = Array.from({ length: apps }, (_, index) => `app${index}`);
  for (const name of names) {
    await stage.app(name, repo.remote, { timing: { minimum: 3600 }, application: { start: ['sleep', '1000'] } });
  }
  const huddle = stage.startHuddle();
  for (const name of names) await huddle.live(name, revision);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const begun = performance.now();
    const { code, stderr } = await stage.run('status', '-c', stage.dir);
    times.push(performance.now() - begun);
    assert.equal(code, 0, stderr);
  }
  await huddle.stop();
  return [
    { what: `huddle status of ${apps} apps`, target: '≤ 150 ms', measured: spread(times), met: median(times) <= 150 },
  ];
}
