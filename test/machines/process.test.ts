import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fromCallback, fromPromise, SimulatedClock } from 'xstate';
import { Failure } from '../../machines/failure.ts';
import { processMachine } from '../../machines/process.ts';
import type { Exit, ProcessReport } from '../../machines/slots.ts';
import { appConfig } from './config.ts';
import { raise } from './parent.ts';

const failure = new Failure('command-not-found', { doing: 'starting', subject: 'shop', reason: 'no such file' });

/** One process on its stage: what the system reports, and what it is asked, in the hands of the test. */
async function begin() {
  const deeds: string[] = [];
  const hands: { report: (report: ProcessReport) => void; end: (name: string, isWell?: boolean) => void } = {
    report: () => {},
    end: () => {},
  };
  const waiting = new Map<string, { resolve: () => void; reject: (reason: Error) => void }>();
  const ending = (name: string) =>
    fromPromise<void, never>(({ signal }) => {
      deeds.push(name);
      signal.addEventListener('abort', () => deeds.push(`${name} aborted`));
      return new Promise((resolve, reject) => void waiting.set(name, { resolve, reject }));
    });
  const machine = processMachine.provide({
    actors: {
      run: fromCallback(({ sendBack }) => {
        hands.report = (report) => sendBack(report);
        return () => void deeds.push('left');
      }),
      endGently: ending('ask') as never,
      endByForce: ending('kill') as never,
    },
  });
  const clock = new SimulatedClock();
  const family = await raise(machine, { name: 'shop', revision: 'a', config: appConfig() }, clock);
  const report = async (given: ProcessReport) => {
    hands.report(given);
    await family.settle();
  };
  return {
    ...family,
    deeds,
    spawned: () => report({ type: 'process.spawned', pid: 7, at: clock.now() }),
    exits: (exit: Exit) => report({ type: 'process.exited', exit, at: clock.now() }),
    fails: () => report({ type: 'process.failed', failure, at: clock.now() }),
    async ended(name: 'ask' | 'kill', isWell = true) {
      if (isWell) waiting.get(name)?.resolve();
      else waiting.get(name)?.reject(new Error('it is still there'));
      await family.settle();
    },
    output: () => family.heard.find(({ type }) => type === 'xstate.done.actor.child')?.['output'],
  };
}

suite('one process', () => {
  test('is up when it has been spawned, and says so', async () => {
    const stage = await begin();
    assert.deepEqual(stage.news(), []);
    await stage.spawned();
    assert.deepEqual(stage.heard, [{ type: 'process.up', pid: 7, at: 0, adopted: false }]);
  });

  test('that cannot be spawned is gone, with the failure', async () => {
    const stage = await begin();
    await stage.fails();
    assert.deepEqual(stage.output(), { exit: null, failure, ran: 0 });
  });

  test('that exits is swept before it is gone, and tells how it ended and how long it ran', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.pass(3);
    await stage.exits({ code: 2, signal: null });
    assert.deepEqual(stage.news(), ['process.up', 'process.ended']);
    assert.deepEqual(stage.deeds, ['kill']);
    await stage.ended('kill');
    assert.deepEqual(stage.output(), { exit: { code: 2, signal: null }, failure: null, ran: 3000 });
  });

  test('that is stopped is asked, and is gone when nothing of it is left', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'stop' });
    await stage.exits({ code: null, signal: 'SIGTERM' });
    assert.equal(stage.output(), undefined);
    await stage.ended('ask');
    assert.deepEqual(stage.output(), { exit: { code: null, signal: 'SIGTERM' }, failure: null, ran: 0 });
    assert.deepEqual(stage.deeds.slice(0, 1), ['ask']);
  });

  test('is stopped by the config of today, not by the one that it was started with', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'stop', config: appConfig({ application: { stopTimeout: 2 } }) });
    await stage.pass(2.1);
    assert.deepEqual(stage.deeds, ['ask', 'ask aborted', 'kill']);
  });

  test('that does not heed the stop is killed after its stop timeout', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'stop' });
    await stage.pass(9.9);
    assert.deepEqual(stage.deeds, ['ask']);
    await stage.pass(0.2);
    assert.deepEqual(stage.deeds, ['ask', 'ask aborted', 'kill']);
  });

  test('that cannot be asked is killed at once, and a second stop changes nothing', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'stop' });
    await stage.send({ type: 'stop' });
    assert.deepEqual(stage.deeds, ['ask']);
    await stage.ended('ask', false);
    assert.ok(stage.deeds.includes('kill'));
  });

  test('is killed at once by kill: while it is up, and while it is being stopped', async () => {
    for (const before of [[], [{ type: 'stop' }]]) {
      const stage = await begin();
      await stage.spawned();
      for (const event of before) await stage.send(event);
      await stage.send({ type: 'kill' });
      assert.equal(stage.deeds.at(-1), 'kill');
    }
  });

  test('that is stopped before it has a pid is stopped as soon as it has one', async () => {
    const stage = await begin();
    await stage.send({ type: 'stop' });
    assert.deepEqual(stage.deeds, []);
    await stage.spawned();
    assert.deepEqual(stage.deeds, ['ask']);
  });

  test('that is killed before it has a pid is killed as soon as it has one', async () => {
    for (const before of [[], [{ type: 'stop' }]]) {
      const stage = await begin();
      for (const event of before) await stage.send(event);
      await stage.send({ type: 'kill' });
      await stage.spawned();
      assert.deepEqual(stage.deeds, ['kill']);
    }
  });

  test('that is stopped and then cannot be spawned is gone', async () => {
    const stage = await begin();
    await stage.send({ type: 'stop' });
    await stage.fails();
    assert.ok(stage.output() !== undefined);
  });

  test('that cannot be killed for 30 s is told as stuck, again and again, and is gone when it ends after all', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'kill' });
    await stage.pass(29);
    assert.deepEqual(stage.news(), ['process.up']);
    await stage.pass(62);
    assert.deepEqual(stage.news(), ['process.stuck', 'process.stuck', 'process.stuck']);
    await stage.ended('kill');
    assert.ok(stage.output() !== undefined);
  });

  test('whose killing fails is told as stuck, and is killed again after 5 s', async () => {
    const stage = await begin();
    await stage.spawned();
    await stage.send({ type: 'kill' });
    await stage.ended('kill', false);
    assert.deepEqual(stage.news(), ['process.up', 'process.stuck']);
    const kills = () => stage.deeds.filter((deed) => deed === 'kill').length;
    await stage.pass(4);
    assert.equal(kills(), 1);
    await stage.pass(2);
    assert.equal(kills(), 2);
    await stage.ended('kill');
    assert.ok(stage.output() !== undefined);
  });

  test('of an earlier Huddle is told as taken over', async () => {
    const stage = await begin();
    assert.equal(stage.heard.length, 0);
    await stage.send({ type: 'process.spawned', pid: 8, at: 0, adopted: true });
    assert.deepEqual(stage.heard, [{ type: 'process.up', pid: 8, at: 0, adopted: true }]);
  });
});

suite('A process whose config has been edited', () => {
  test('is asked to end by the config of today', async () => {
    const asked: string[] = [];
    const machine = processMachine.provide({
      actors: {
        run: fromCallback(({ sendBack }) => sendBack({ type: 'process.spawned', pid: 1, at: 0 })),
        endGently: fromPromise(async ({ input }) => {
          asked.push(input.config.application.stopSignal);
        }),
      },
    });
    const family = await raise(machine, { name: 'shop', revision: 'a', config: appConfig() }, new SimulatedClock());
    await family.send({ type: 'stop', config: appConfig({ application: { stopSignal: 'SIGUSR1' } }) });
    await family.settle();
    assert.deepEqual(asked, ['SIGUSR1']);
  });
});
