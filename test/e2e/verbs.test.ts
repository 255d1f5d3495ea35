import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { plain, scene } from './harness.ts';

suite('An operator at the command line', { concurrency: 2 }, () => {
  test('deploys, goes back, stops and starts, and each command returns when that is done', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 3600 } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const told = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await stage.run('-c', stage.dir, ...args);
      assert.deepEqual([code, stderr], [0, ''], args.join(' '));
      return stdout;
    };
    const app = async () => await huddle.app('shop');

    assert.match(await told('check', 'shop'), new RegExp(`^shop: .*${first.slice(0, 7)}`));
    const second = await repo.publish(plain('v2'));
    assert.match(await told('check', '--dry-run', 'shop'), new RegExp(`^shop: .*${second.slice(0, 7)}`));
    assert.equal((await app()).revision, first);
    await told('check', 'shop');
    assert.deepEqual([(await app()).revision, (await app()).program?.state], [second, 'up']);
    await told('rollback', 'shop');
    assert.deepEqual([(await app()).revision, (await app()).pinned], [first, true]);
    await told('deploy', 'shop', second.slice(0, 10));
    assert.equal((await app()).revision, second);

    await told('stop', 'shop');
    assert.deepEqual([(await app()).state, stage.livePrograms()], ['stopped', []]);
    await told('start', 'shop');
    const { pid } = (await app()).program ?? {};
    await told('restart', '--all');
    assert.notEqual((await app()).program?.pid, pid);
    await told('pause', 'shop');
    assert.equal((await app()).paused, true);
    await told('resume', 'shop');
    assert.deepEqual([(await app()).paused, (await app()).pinned], [false, false]);

    const history = (await told('history', 'shop')).trimEnd().split('\n');
    assert.equal(history.length, 5, history.join('\n'));
    assert.match(history[1] ?? '', new RegExp(`deployed +${second.slice(0, 7)} ← ${first.slice(0, 7)} `));
    assert.match(history[2] ?? '', / rolled back /);
    await huddle.stop();
  });

  test('is told why a deployment failed, with exit code 1', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: 'grep -q v1 version' }, timing: { minimum: 3600 } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    await repo.publish(plain('v2'));
    for (const args of [
      ['check', 'shop'],
      ['deploy', 'shop'],
      ['deploy', 'shop', 'nonsense'],
    ]) {
      const { code, stdout, stderr } = await stage.run('-c', stage.dir, ...args);
      assert.deepEqual([code, stdout], [1, ''], args.join(' '));
      assert.match(stderr, /^huddle: (checking|deploying) shop: /);
    }
    assert.equal((await huddle.app('shop')).revision, first);
    await huddle.stop();
  });

  test('has Huddle leave, and the next one takes the programs over, paused and pinned as they were', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const leaving = stage.startHuddle();
    const { program } = await leaving.live('shop', first);
    for (const args of [
      ['deploy', 'shop', first],
      ['pause', 'shop'],
    ])
      assert.equal((await stage.run('-c', stage.dir, ...args)).code, 0);
    const detached = await stage.run('-c', stage.dir, 'detach', '--json');
    // At once: whoever waits for `detach` may start the next one.
    const next = stage.startHuddle();
    assert.deepEqual([detached.code, detached.stdout, detached.stderr], [0, '{"apps":["shop"]}\n', '']);
    assert.equal((await leaving.ended).code, 0);
    const taken = await next.live('shop', first);
    assert.deepEqual([taken.program?.pid, taken.program?.adopted], [program?.pid, true]);
    assert.deepEqual([taken.pinned, taken.paused, taken.nextCheck], [true, true, null]);
    assert.deepEqual(stage.story(), ['start v1']);
    await next.stop();
  });
});
