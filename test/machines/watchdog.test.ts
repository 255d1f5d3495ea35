import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fromPromise, SimulatedClock } from 'xstate';
import { Failure } from '../../machines/failure.ts';
import { watchdogMachine } from '../../machines/watchdog.ts';
import { appConfig } from './config.ts';
import { raise } from './parent.ts';

const failure = new Failure('timeout', { doing: 'probing', subject: 'http://x', reason: 'no answer' });
const probe = { kind: 'command', command: 'look' } as const;

/** A watchdog whose probes answer as the test says; `at` holds the seconds at which it looked. */
async function begin(
  health: { isWell: boolean },
  change: { period?: number; timeout?: number; failures?: number } = {},
) {
  const watchdog = { period: 60, timeout: 5, failures: 3, probe, ...change };
  const at: number[] = [];
  const clock = new SimulatedClock();
  const machine = watchdogMachine.provide({
    actors: {
      probe: fromPromise(async () => {
        at.push(clock.now() / 1000);
        if (!health.isWell) throw failure;
      }),
    },
  });
  const family = await raise(
    machine,
    { name: 'shop', revision: 'a', config: appConfig({ watchdog }), watchdog },
    clock,
  );
  return { ...family, at, watchdog };
}

suite('a watchdog', () => {
  test('looks every period while the program answers', async () => {
    const stage = await begin({ isWell: true });
    await stage.pass(121);
    assert.deepEqual(stage.at, [0, 60, 120]);
    assert.deepEqual(new Set(stage.news()), new Set(['watchdog.healthy']));
  });

  test('looks every second until it has answered once, and calls nothing unhealthy till then', async () => {
    const health = { isWell: false };
    const stage = await begin(health);
    await stage.pass(5.5);
    assert.deepEqual(stage.at, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(new Set(stage.news()), new Set(['watchdog.missed']));
    health.isWell = true;
    await stage.pass(1);
    assert.deepEqual(stage.news(), ['watchdog.healthy']);
    assert.equal(stage.at.length, 7);
    await stage.pass(50);
    assert.equal(stage.at.length, 7);
  });

  test('looks every timeout after a miss, and calls it unhealthy after so many in a row', async () => {
    const health = { isWell: true };
    const stage = await begin(health);
    stage.news();
    health.isWell = false;
    await stage.pass(71);
    assert.deepEqual(stage.at, [0, 60, 65, 70]);
    assert.deepEqual(stage.news(), ['watchdog.missed', 'watchdog.missed', 'watchdog.unhealthy']);
    assert.equal(stage.heard.at(-1)?.['failure'], failure);
  });

  test('begins to count anew when the program answers in between', async () => {
    const health = { isWell: true };
    const stage = await begin(health);
    health.isWell = false;
    await stage.pass(66);
    health.isWell = true;
    await stage.pass(5);
    health.isWell = false;
    stage.news();
    await stage.pass(66);
    assert.deepEqual(stage.news(), ['watchdog.missed', 'watchdog.missed']);
  });

  test('never looks less often after a miss than before it', async () => {
    const health = { isWell: true };
    const stage = await begin(health, { period: 2, timeout: 5 });
    health.isWell = false;
    await stage.pass(7);
    assert.deepEqual(stage.at, [0, 2, 4, 6]);
  });

  test('with one failure allowed is unhealthy at once', async () => {
    const health = { isWell: true };
    const stage = await begin(health, { failures: 1 });
    stage.news();
    health.isWell = false;
    await stage.pass(61);
    assert.deepEqual(stage.news(), ['watchdog.unhealthy']);
  });

  test('takes another config at once: it looks, and forgets its misses', async () => {
    const health = { isWell: true };
    const stage = await begin(health);
    health.isWell = false;
    await stage.pass(66);
    const watchdog = { ...stage.watchdog, period: 10, timeout: 4, failures: 2 };
    stage.news();
    await stage.send({ type: 'configure', config: appConfig({ watchdog }), watchdog });
    assert.deepEqual(stage.news(), ['watchdog.missed']);
    await stage.pass(4.1);
    assert.deepEqual(stage.news(), ['watchdog.unhealthy']);
  });
});
