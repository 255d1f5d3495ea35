import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { appConfig } from './config.ts';
import { play } from './stage.ts';

const broken = (code: 'remote-unreachable' | 'script-failed' | 'test-failed' = 'remote-unreachable') =>
  new Failure(code, { doing: 'doing', subject: 'something', reason: 'it broke' });

suite('the life of an app', () => {
  test('clones, tests, pulls, starts, and is good when it has settled', async () => {
    const stage = await play({ config: appConfig({ test: { kind: 'command', commands: ['true'], timeout: 9 } }) });
    assert.deepEqual(stage.world.deeds, ['open', 'test a', 'pull a', 'spawn a']);
    assert.equal(stage.state(), 'restarting');
    assert.equal(stage.facts().good, null);
    await stage.pass(2);
    assert.equal(stage.state(), 'running');
    assert.equal(stage.facts().good, 'a');
    assert.equal(stage.app.getSnapshot().context.program.state, 'up');
    assert.deepEqual(
      stage.world.history.map(({ result, revision }) => [result, revision]),
      [['deployed', 'a']],
    );
  });

  test('starts a good revision that is in place at once, and asks afterwards', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    assert.deepEqual(stage.world.deeds, ['open', 'spawn a']);
    await stage.pass(2);
    assert.deepEqual(stage.world.deeds, ['open', 'spawn a', 'ask']);
    assert.equal(stage.state(), 'running');
    assert.deepEqual(stage.world.history, []);
  });

  test('deploys what the branch has moved to: stop, pull, start', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    await stage.pass(3);
    stage.world.tip = 'b';
    await stage.pass(61);
    await stage.pass(3);
    assert.deepEqual(stage.world.deeds.slice(3), ['ask', 'fetch b', 'stop a', 'gone a', 'pull b', 'spawn b']);
    assert.equal(stage.state(), 'running');
    assert.deepEqual([stage.facts().good, stage.facts().previous], ['b', 'a']);
  });

  test('never runs a revision that fails its test, and remembers it', async () => {
    const stage = await play({
      config: appConfig({ test: { kind: 'command', commands: ['true'], timeout: 9 } }),
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', verdict: () => ({ kind: 'failed', failure: broken('test-failed') }) },
    });
    await stage.pass(200);
    assert.equal(stage.state(), 'running');
    assert.deepEqual(
      stage.world.deeds.filter((deed) => deed.startsWith('test')),
      ['test b'],
    );
    assert.deepEqual(
      stage.facts().rejected.map(({ revision }) => revision),
      ['b'],
    );
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    await stage.pass(3600);
    assert.deepEqual(
      stage.world.deeds.filter((deed) => deed.startsWith('test')),
      ['test b', 'test b'],
    );
  });

  test('goes back to the last good revision when the new one is not accepted', async () => {
    const stage = await play({
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', fate: (revision) => (revision === 'b' ? { code: 1, signal: null } : null) },
    });
    await stage.pass(10);
    assert.equal(stage.state(), 'running');
    assert.equal(stage.facts().current, 'a');
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    assert.deepEqual(
      stage.facts().rejected.map(({ revision, why }) => [revision, why]),
      [['b', 'rolled back']],
    );
    assert.deepEqual(
      stage.world.history.map(({ result, revision }) => [result, revision]),
      [['rolled back', 'b']],
    );
    await stage.pass(200);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'spawn b').length, 2);
  });

  test('gives scripts three tries, running the good revision in between', async () => {
    const stage = await play({
      config: appConfig({ scripts: { postPull: ['make'] } }),
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', script: (_, revision) => (revision === 'b' ? broken('script-failed') : undefined) },
    });
    await stage.pass(5);
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    await stage.pass(2000);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'post-pull b').length, 3);
    assert.deepEqual(
      stage.facts().rejected.map(({ why }) => why),
      ['script failed'],
    );
    assert.equal(stage.world.history.length, 3);
  });

  test('waits and tries again while there is nothing fit to run', async () => {
    const stage = await play({ world: { tip: broken() } });
    assert.equal(stage.state(), 'waiting');
    stage.world.tip = 'a';
    await stage.pass(130);
    assert.equal(stage.state(), 'running');
  });

  test('ends its program when its file is gone, and is done', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a' }, world: { head: 'a' } });
    await stage.pass(5);
    await stage.send({ type: 'retire' });
    assert.equal(stage.app.getSnapshot().status, 'done');
    assert.equal(stage.world.alive.size, 0);
  });

  test('rolls back a revision that is given up while it is being proved', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a', tip: 'b' } });
    await stage.pass(10);
    assert.equal(stage.facts().good, 'b');
    for (let exits = 0; exits < 5; exits++) {
      await stage.crash();
      await stage.pass(9);
    }
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    assert.equal(stage.facts().good, 'a');
    assert.equal(stage.facts().previous, null);
  });
});
