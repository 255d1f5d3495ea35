import assert from 'node:assert/strict';
import { plain, type Scene } from '../e2e/harness.ts';
import { median, spread, type Line } from './line.ts';

/** From the operator's command to the release being in charge: back to one on disk, and a plain start. Both hold `settle`. */
export async function rollback(stage: Scene, rounds: number): Promise<Line[]> {
  const { repo, huddle, first } = await stage.deployed(plain('v1'), {
    timing: { minimum: 3600 },
    deployment: { strategy: 'side by side' },
  });
  const second = await repo.publish(plain('v2'));
  huddle.check();
  await huddle.live('shop', second);
  const timed = async (verb: string, revision: string): Promise<number> => {
    const begun = performance.now();
    const ended = stage.run('-c', stage.dir, verb, 'shop');
    // It is in charge before the one that was is gone.
    await huddle.until(
      'shop',
      (app) => app.revision === revision && ['running', 'stopping'].includes(app.state) && app.program?.state === 'up',
      `${verb}: in charge`,
    );
    const took = performance.now() - begun;
    assert.equal((await ended).code, 0, (await ended).stderr);
    return took;
  };
  const [back, start]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    assert.equal((await stage.run('-c', stage.dir, 'stop', 'shop')).code, 0);
    start.push(await timed('start', second));
    back.push(await timed('rollback', first));
    assert.equal((await stage.run('-c', stage.dir, 'deploy', 'shop', second)).code, 0);
  }
  await huddle.stop();
  const limit = median(start) * 1.1;
  return [
    { what: 'huddle start of a program that was stopped, to live', target: '', measured: spread(start), met: null },
    {
      what: 'huddle rollback to a release on disk, to live',
      target: `≤ a start + 10 % = ${Math.round(limit)} ms`,
      measured: spread(back),
      met: median(back) <= limit,
    },
  ];
}
