import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Failure } from '../machines/failure.ts';
import type { Facts } from '../machines/facts.ts';
import type { Order } from '../machines/protocol.ts';
import { openOrders } from '../src/orders.ts';
import { lookOf } from '../src/view.ts';
import { appConfig } from './machines/config.ts';
import { play, type Stage, type World } from './machines/stage.ts';

const broken = new Failure('remote-unreachable', { doing: 'asking', subject: 'it', reason: 'nobody answers' });
const failing = new Failure('test-failed', { doing: 'testing', subject: 'b', reason: 'exit code 1' });
const tested = { test: { kind: 'command', commands: ['true'], timeout: 9 } } as const;

/** Keeps the slots of one kind from being done until what this returns is called. */
function holdUp(world: World, kind: 'pull' | 'test'): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = (slot) => (slot === kind ? promise : Promise.resolve());
  return resolve;
}

/** An app that runs `a`, with `z` before it; and what its operator is told, as it comes. */
async function running(but: {
  world?: Partial<World>;
  facts?: Partial<Facts>;
  config?: Parameters<typeof appConfig>[0];
}) {
  const facts = { good: 'a', current: 'a', previous: 'z', branch: 'main', ...but.facts };
  const stage = await play({
    config: appConfig({ timing: { minimum: 9999, maximum: null }, ...but.config }),
    facts,
    world: { head: 'a', ...but.world },
  });
  await stage.pass(3);
  const told: string[] = [];
  const orders = openOrders({
    look: () => lookAt(stage),
    send: (_name, command) => stage.app.send(command),
    subscribe(listener) {
      let known = stage.world.history.length;
      const subscription = stage.app.subscribe(() => {
        for (const entry of stage.world.history.slice(known)) listener({ type: 'deployment', name: 'shop', entry });
        known = stage.world.history.length;
        listener({ type: 'app', name: 'shop' });
      });
      return () => subscription.unsubscribe();
    },
  });
  const give = async (order: Order | Order['type'], seconds = 0) => {
    const given = typeof order === 'string' ? ({ type: order, revision: null } as Order) : order;
    void orders.give('shop', given).then(
      (done) => told.push(`${given.type}: ${done.type}${'revision' in done ? ` ${done.revision}` : ''}`),
      (failure: Failure) => told.push(`${given.type}: ${failure.code}: ${failure.reason}`),
    );
    await pass(seconds);
  };
  const pass = async (seconds: number) => {
    await turn();
    await stage.pass(seconds);
    await turn();
    await stage.settle();
  };
  return { stage, world: stage.world, told, give, pass };
}

function lookAt({ app }: Stage) {
  const snapshot = app.getSnapshot();
  return snapshot.status === 'active' ? lookOf(snapshot) : undefined;
}

suite('An order to check', () => {
  test('is done when the remote has answered', async () => {
    const { told, give } = await running({});
    await give('check');
    assert.deepEqual(told, ['check: unmoved a']);
  });

  test('is done only when the deployment that it led to has ended', async () => {
    const { told, give, pass, world } = await running({ config: tested });
    world.tip = 'b';
    await give('check');
    assert.deepEqual(told, []);
    await pass(3);
    assert.deepEqual(told, ['check: deployed b']);
  });

  test('fails with what is wrong with the remote', async () => {
    const { told, give, world } = await running({});
    world.tip = broken;
    await give('check');
    assert.deepEqual(told, ['check: remote-unreachable: nobody answers']);
  });

  test('fails with what the test said; and says later that nothing new is there', async () => {
    const { told, give, world } = await running({ config: tested });
    world.tip = 'b';
    world.verdict = () => ({ kind: 'failed', failure: failing });
    await give('check');
    await give('check');
    world.tip = 'a';
    await give('check');
    assert.deepEqual(told, [
      'check: test-failed: exit code 1',
      'check: test-failed: main is at b, which is rejected (test failed): exit code 1',
      'check: unmoved a',
    ]);
  });

  test('says that a test has no result yet', async () => {
    const { told, give, world } = await running({ config: tested });
    world.tip = 'b';
    const pending = new Failure('test-pending', { doing: 'testing', subject: 'b', reason: 'not yet' });
    world.verdict = () => ({ kind: 'pending', failure: pending });
    await give('check');
    assert.deepEqual(told, ['check: test pending b']);
  });

  test('fails when the new revision is not accepted, once the old one is back', async () => {
    const { told, give, world, stage } = await running({});
    world.tip = 'b';
    world.fate = (revision) => (revision === 'b' ? { code: 7, signal: null } : null);
    await give('check', 5);
    assert.deepEqual(told, ['check: not-accepted: it ended with exit code 7']);
    assert.equal(stage.facts().current, 'a');
  });

  for (const [flag, hint] of [
    ['paused', 'it is paused'],
    ['pinned', 'it is pinned'],
    ['stopped', 'it is stopped'],
  ] as const) {
    test(`is not taken by an app that is ${flag}`, async () => {
      const { told, give, world } = await running({ facts: { [flag]: true } });
      const before = world.deeds.length;
      await give('check');
      assert.deepEqual(told, [`check: not-accepted: ${hint}`]);
      assert.equal(world.deeds.length, before);
    });
  }
});

suite('An order to stop and to start', () => {
  test('is done when every process is gone, and when the program is accepted', async () => {
    const { told, give, pass, world } = await running({ world: { heeds: false } });
    await give('stop', 2);
    assert.deepEqual(told, []);
    world.heeds = true;
    await pass(2);
    assert.deepEqual(told, ['stop: stopped']);
    await give('start', 1);
    assert.deepEqual(told, ['stop: stopped']);
    await pass(3);
    await give('start');
    assert.deepEqual(told, ['stop: stopped', 'start: started', 'start: already started']);
  });

  test('fails when what runs cannot be killed', async () => {
    const { told, give } = await running({ world: { heeds: false, dies: false } });
    await give('stop', 60);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^stop: /);
    assert.doesNotMatch(told[0] ?? '', /stopped$/);
  });

  test('is off when the other comes in between', async () => {
    const { told, give, pass, world } = await running({ world: { heeds: false } });
    await give('stop', 1);
    await give('start', 1);
    assert.deepEqual(told, ['stop: not-accepted: an order to start came in between']);
    world.heeds = true;
    await pass(6);
    assert.deepEqual(told.slice(1), ['start: started']);
  });

  test('that is given twice is done twice', async () => {
    const { told, give } = await running({});
    await give('stop');
    await give('stop');
    assert.deepEqual(told, ['stop: stopped', 'stop: stopped']);
  });

  test('starts a program anew that was given up, and says when it fails again', async () => {
    const { told, give, pass, world, stage } = await running({ config: { application: { retry: 0 } } });
    world.fate = () => ({ code: 3, signal: null });
    await stage.crash();
    await pass(30);
    assert.equal(stage.app.getSnapshot().context.program.state, 'given up');
    await give('start', 30);
    assert.match(told[0] ?? '', /^start: (crash-limit|not-accepted)/);
    world.fate = () => null;
    await give('start', 3);
    assert.deepEqual(told.slice(1), ['start: started']);
  });
});

suite('An order to restart', () => {
  test('is done when the new process is accepted', async () => {
    const { told, give, pass } = await running({});
    await give('restart', 1);
    assert.deepEqual(told, []);
    await pass(2);
    assert.deepEqual(told, ['restart: restarted']);
  });

  test('fails when the program does not stay up', async () => {
    const { told, give, world } = await running({});
    world.fate = () => ({ code: 3, signal: null });
    await give('restart', 3);
    assert.deepEqual(told, ['restart: not-accepted: it ended with exit code 3']);
  });

  test('is done beside a test that goes on, whose deployment is another matter', async () => {
    const { told, give, world } = await running({ config: tested });
    world.tip = 'b';
    const goOn = holdUp(world, 'test');
    await give('check');
    await give('restart', 3);
    assert.deepEqual(told, ['restart: restarted']);
    goOn();
  });

  test('also starts an app that is stopped', async () => {
    const { told, give } = await running({ facts: { stopped: true } });
    await give('restart', 3);
    assert.deepEqual(told, ['restart: restarted']);
  });

  test('is not taken where there is no program', async () => {
    const { told, give } = await running({ config: { application: { start: null } } });
    await give('restart');
    assert.deepEqual(told, ['restart: not-accepted: it has no program']);
  });
});

suite('An order to deploy and to roll back', () => {
  test('is done when that revision is accepted, which then stays', async () => {
    const { told, give, stage } = await running({});
    await give({ type: 'deploy', revision: 'c' }, 3);
    assert.deepEqual(told, ['deploy: deployed c']);
    assert.equal(stage.facts().pinned, true);
  });

  test('is done at once where it is in place', async () => {
    const { told, give } = await running({});
    await give({ type: 'deploy', revision: 'a' });
    assert.deepEqual(told, ['deploy: in place a']);
  });

  test('goes back to the good revision before, or says that there is none', async () => {
    const { told, give } = await running({});
    await give('rollback', 3);
    await give('rollback');
    const none = 'rollback: not-accepted: there is no good revision before the one in place';
    assert.deepEqual(told, ['rollback: rolled back z', none]);
  });

  test('leaves what is being deployed, also where that is not accepted: back once, not twice', async () => {
    const { told, give, pass, world, stage } = await running({});
    const goOn = holdUp(world, 'pull');
    world.fate = (revision) => (revision === 'b' ? { code: 7, signal: null } : null);
    await give({ type: 'deploy', revision: 'b' });
    await give('rollback');
    goOn();
    await pass(10);
    assert.deepEqual(told.slice(1), ['rollback: rolled back a']);
    const { current, good, previous, pinned, rejected } = stage.facts();
    assert.deepEqual([current, good, previous, pinned], ['a', 'a', 'z', true]);
    assert.deepEqual(
      rejected.map(({ revision }) => revision),
      ['b'],
    );
  });

  test('leaves what is being deployed when that is accepted', async () => {
    const { told, give, pass, world, stage } = await running({});
    const goOn = holdUp(world, 'pull');
    await give({ type: 'deploy', revision: 'b' });
    await give('rollback');
    goOn();
    await pass(10);
    assert.deepEqual(told.slice(1), ['rollback: rolled back a']);
    assert.deepEqual([stage.facts().current, stage.facts().pinned], ['a', true]);
  });

  test('leaves no wish behind that nothing can fulfil', async () => {
    const { told, give, pass, world, stage } = await running({});
    const goOn = holdUp(world, 'pull');
    world.tip = 'z';
    world.fate = (revision) => (revision === 'z' ? { code: 7, signal: null } : null);
    await give('check');
    await give('rollback');
    goOn();
    await pass(10);
    assert.deepEqual(told.at(-1), 'rollback: rolled back a');
    await give('restart', 3);
    assert.deepEqual(told.at(-1), 'restart: restarted');
    assert.equal(stage.app.getSnapshot().context.wish, null);
  });

  test('of the good revision while another one fails is done when that one is left', async () => {
    const { told, give, pass, world, stage } = await running({});
    const goOn = holdUp(world, 'pull');
    world.tip = 'b';
    world.fate = (revision) => (revision === 'b' ? { code: 7, signal: null } : null);
    await give('check');
    await give({ type: 'deploy', revision: 'a' });
    goOn();
    await pass(10);
    assert.deepEqual(told, ['check: not-accepted: it ended with exit code 7', 'deploy: in place a']);
    assert.equal(stage.facts().pinned, true);
  });

  test('is off when another one comes in between, and the last one wins', async () => {
    const { told, give, pass, world, stage } = await running({ config: tested });
    const goOn = holdUp(world, 'test');
    await give({ type: 'deploy', revision: 'c' });
    await give({ type: 'deploy', revision: 'd' });
    assert.deepEqual(told, ['deploy: not-accepted: an order to deploy came in between']);
    goOn();
    await pass(4);
    assert.deepEqual(told.slice(1), ['deploy: deployed d']);
    assert.equal(stage.facts().current, 'd');
  });

  test('fails when the revision is not to be had, and leaves the app as it was', async () => {
    const { told, give, world, stage } = await running({});
    world.gate = (slot) => (slot === 'fetch' ? Promise.reject(broken) : Promise.resolve());
    await give({ type: 'deploy', revision: 'nonsense' });
    assert.deepEqual(told, ['deploy: remote-unreachable: nobody answers']);
    const { trouble, failures } = stage.app.getSnapshot().context;
    assert.deepEqual([trouble, failures], [null, 0], 'nothing is wrong with the app');
  });

  test('fails when the app leaves meanwhile', async () => {
    const { told, give, pass, stage, world } = await running({ config: tested });
    holdUp(world, 'test');
    await give({ type: 'deploy', revision: 'c' });
    stage.app.send({ type: 'retire' });
    await pass(3);
    assert.deepEqual(told, ['deploy: not-accepted: the app does not run']);
  });
});

suite('An order to pause and to resume', () => {
  test('is done at once; what it changes is seen', async () => {
    const { told, give, stage } = await running({});
    await give('pause');
    assert.equal(stage.facts().paused, true);
    await give('resume');
    assert.equal(stage.facts().paused, false);
    assert.deepEqual(told, ['pause: paused', 'resume: resumed']);
  });
});
