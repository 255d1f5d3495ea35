import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { appConfig } from './config.ts';
import { play, type Stage, type World } from './stage.ts';

const failure = new Failure('test-failed', { doing: 'running', subject: 'the test', reason: 'exit code 1' });

/** An app that runs revision a; whatever a slot of this name is asked takes five seconds. */
async function runningWithSlow(slot: string, world: Partial<World> = {}, test = false): Promise<Stage> {
  const stage = await play({
    config: appConfig(test ? { test: { kind: 'command', commands: ['check'], timeout: 9 } } : {}),
    facts: { good: 'a', current: 'a', branch: 'main' },
    world: { head: 'a', ...world },
  });
  await stage.pass(3);
  stage.world.gate = (asked) =>
    asked === slot ? new Promise((resolve) => void stage.clock.setTimeout(() => resolve(), 5000)) : Promise.resolve();
  stage.world.tip = 'b';
  await stage.send({ type: 'check' });
  return stage;
}

suite('What history tells of an attempt', () => {
  test('is how long nothing ran: from the stop to the new process, and neither the test nor its settling', async () => {
    const stage = await runningWithSlow('pull', {}, true);
    await stage.pass(10);
    const [entry] = stage.world.history;
    assert.deepEqual([entry?.revision, entry?.from, entry?.result, entry?.reason], ['b', 'a', 'deployed', '']);
    assert.deepEqual([entry?.downtime, entry?.seconds], [5, 7]);
    const tested = await runningWithSlow('test', {}, true);
    await tested.pass(10);
    assert.deepEqual([tested.world.history[0]?.downtime, tested.world.history[0]?.seconds], [0, 7]);
  });

  test('goes on until the good revision runs again, where the new one was not accepted, and says why it was not', async () => {
    const stage = await runningWithSlow('pull', {
      fate: (revision) => (revision === 'b' ? { code: 3, signal: null } : null),
    });
    await stage.pass(20);
    const [entry, ...more] = stage.world.history;
    assert.deepEqual([entry?.revision, entry?.from, entry?.result, more], ['b', 'a', 'rolled back', []]);
    assert.match(entry?.reason ?? '', /exit code 3/);
    assert.equal(entry?.downtime, 10);
  });

  test('is no downtime where nothing was stopped', async () => {
    const stage = await runningWithSlow('fetch', { verdict: () => ({ kind: 'failed', failure }) }, true);
    await stage.pass(10);
    const [entry] = stage.world.history;
    assert.deepEqual([entry?.result, entry?.reason, entry?.downtime], ['test failed', failure.message, null]);
    const first = await play();
    await first.pass(3);
    assert.deepEqual([first.world.history[0]?.result, first.world.history[0]?.downtime], ['deployed', null]);
  });
});
