import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Huddle } from './command.ts';
import { plain, scene } from './harness.ts';

suite('Where Huddle keeps its state', { concurrency: 2 }, () => {
  test('may be a path too long for a socket: the verbs find the running Huddle all the same', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const dir = join(stage.root, 'a-long-name-'.repeat(15));
    mkdirSync(dir);
    writeFileSync(join(dir, 'shop.json'), JSON.stringify(stage.sections('shop', repo.remote)));
    const huddle = new Huddle(dir, [], stage.environment());
    await huddle.logged(/program up/);
    const { code, stdout, stderr } = await stage.run('status', '--json', '-c', dir);
    assert.equal(code, 0, stderr);
    const [app] = (JSON.parse(stdout) as { apps: { revision: string }[] }).apps;
    assert.equal(app?.revision, first);
    const second = await stage.run('-c', dir);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another Huddle \(pid \d+\) is running/);

    // A socket that a killed Huddle has left is no obstacle, and one that has ended leaves none.
    await huddle.kill9();
    const again = new Huddle(dir, [], stage.environment());
    await again.logged(/ran on without Huddle/);
    assert.equal((await stage.run('status', '-c', dir)).code, 0);
    await again.stop();
    const ended = await stage.run('status', '-c', dir);
    assert.equal(ended.code, 1);
  });

  test('may be elsewhere, so that the config folder can be read-only', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const mount = (...args: string[]) => spawnSync('mount', args, { encoding: 'utf8' });
    if (mount('--bind', stage.dir, stage.dir).status !== 0) return t.skip('nothing can be mounted here');
    // Before the hook of the stage, which removes the folder, as hooks run in their order.
    const state = join(stage.root, 'state');
    try {
      assert.equal(mount('-o', 'remount,bind,ro', stage.dir).status, 0);
      const refused = await stage.run('-c', stage.dir);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /the file system is read-only/);
      assert.match(refused.stderr, /--state/);

      const killed = stage.startHuddle(['--state', state]);
      await killed.logged(/deployed/);
      await killed.kill9();
      const huddle = stage.startHuddle(['--state', state]);
      await huddle.logged(/ran on without Huddle/);
      const { code, stdout, stderr } = await stage.run('status', '--json', '-c', stage.dir, '--state', state);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(first));
      await huddle.stop();
      assert.ok(existsSync(join(state, 'apps/shop/state.json')));
      assert.deepEqual(readdirSync(stage.dir), ['shop.json']);
    } finally {
      spawnSync('umount', ['-l', stage.dir]);
    }
  });

  test('holds what happened before the log tells of it', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const fault = { HUDDLE_FAULT: 'ledger.state.before@shop:running' };
    const { signal, stderr } = await stage.startHuddle([], fault).ended;
    assert.equal(signal, 'SIGKILL');
    assert.match(stderr, /program up/);
    assert.doesNotMatch(stderr, /deployed/);
  });

  test('is refused where no folder can be made, in words and at once', async (t) => {
    const stage = await scene(t);
    const { code, stderr } = await stage.run('-c', stage.dir, '--state', '/proc/huddle/state');
    assert.equal(code, 1);
    assert.match(stderr, /takes no new folders/);
    assert.match(stderr, /--state DIR/);
  });
});
