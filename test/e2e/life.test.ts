import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { eventually, plain, scene } from './harness.ts';

suite('The life of an app', { concurrency: 2 }, () => {
  test('an app is cloned, tested, started; a push is tested and goes live', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: 'grep -q v version' } });
    const huddle = stage.startHuddle();
    const running = await huddle.live('shop', first);
    assert.equal(running.branch, 'main');
    assert.equal(running.program?.state, 'up');

    const second = await repo.publish(plain('v2'), 'Second');
    const moved = await huddle.live('shop', second);
    assert.equal(moved.previous, first);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v2\n');

    const way =
      /^cloning testing (pulling )?restarting (?=running).*running checking testing stopping pulling restarting running/;
    // What was asked for is sooner here than what the events tell.
    await eventually('it has gone this way', () => way.test(huddle.states('shop').join(' ')));
    const results = (await stage.historyOf('shop', second)).map(({ revision, from, result }) => ({
      revision,
      from,
      result,
    }));
    assert.deepEqual(results, [
      { revision: first, from: null, result: 'deployed' },
      { revision: second, from: first, result: 'deployed' },
    ]);
    await huddle.stop();
    assert.equal(stage.story().at(-1), 'stop v2');
  });

  test('a revision that fails its test never runs, and the next one that passes does', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: ['true', '! grep -q bad version'] } });
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);

    const bad = await repo.publish(plain('bad'));
    const after = await huddle.until(
      'shop',
      (app) => app.rejected.includes(bad) && app.state === 'running',
      'rejected',
    );
    assert.equal(after.revision, first);
    assert.equal(after.program?.pid, before.program?.pid);
    assert.equal(after.error?.code, 'test-failed');
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');

    const good = await repo.publish(plain('v3'));
    assert.equal((await huddle.live('shop', good)).error, null);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v3']);
    const results = (await stage.historyOf('shop', good)).map(({ result }) => result);
    assert.deepEqual(results, ['deployed', 'test failed', 'deployed']);
    await huddle.stop();
  });

  test('the test runs in a clean checkout of the candidate, apart from the working copy', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish({ ...plain('v1'), '.gitignore': 'ignored\n' });
    const where = join(stage.root, 'where');
    await stage.app('shop', repo.remote, {
      test: {
        command: ['test ! -e ignored', 'test ! -e stray', 'touch ignored stray', `pwd >> ${where}`, 'test -e stray'],
      },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    writeFileSync(join(stage.copy('shop'), 'ignored'), '');
    writeFileSync(join(stage.copy('shop'), 'untracked'), '');
    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    const places = readFileSync(where, 'utf8').trim().split('\n');
    assert.equal(places.length, 2);
    assert.ok(
      places.every((place) => place !== stage.copy('shop')),
      'tested in the working copy',
    );
    assert.ok(!existsSync(join(stage.copy('shop'), 'stray')), 'the test wrote into the working copy');
    assert.ok(existsSync(join(stage.copy('shop'), 'untracked')), 'an untracked file is gone');
    await huddle.stop();
  });

  test('an app whose first revision fails its test waits, and is fixed by a push', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('bad'));
    await stage.app('shop', repo.remote, { test: { command: '! grep -q bad version' } });
    const huddle = stage.startHuddle();
    const waiting = await huddle.until('shop', ({ state, error }) => state === 'waiting' && error !== null, 'waiting');
    assert.equal(waiting.error?.code, 'test-failed');
    assert.deepEqual(stage.journal(), []);
    const fixed = await repo.publish(plain('v2'));
    await huddle.live('shop', fixed);
    assert.deepEqual(stage.story(), ['start v2']);
    await huddle.stop();
  });

  test('a test that takes too long is an error, not a verdict', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, {
      test: { command: 'if grep -q slow version; then sleep 999; fi', timeout: 0.5 },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    await repo.publish(plain('slow'));
    const late = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(late.error?.code, 'timeout');
    assert.deepEqual(late.rejected, []);
    await eventually('the slow test is ended', () => stage.processes().every(({ command }) => command !== 'sleep 999'));
    await huddle.live('shop', await repo.publish(plain('v3')));
    await huddle.stop();
  });

  test('an app without a program keeps its files in sync', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo('site');
    const first = await repo.publish({ 'index.html': 'one', 'old.html': 'old' });
    await stage.app('site', repo.remote, { application: null });
    const huddle = stage.startHuddle();
    const synced = await huddle.until(
      'site',
      ({ state, revision }) => state === 'running' && revision === first,
      'synced',
    );
    assert.ok(synced.program === null || synced.program.pid === null);
    const second = await repo.publish({ 'index.html': 'two', 'old.html': null, 'deep/new.html': 'new' });
    await huddle.until('site', ({ state, revision }) => state === 'running' && revision === second, 'synced again');
    const copy = stage.copy('site');
    assert.equal(readFileSync(join(copy, 'index.html'), 'utf8'), 'two');
    assert.equal(readFileSync(join(copy, 'deep/new.html'), 'utf8'), 'new');
    assert.ok(!existsSync(join(copy, 'old.html')));
    await huddle.stop();
  });

  test('a remote test is asked until it has made up its mind', async (t) => {
    const answers = new Map<string, string>();
    const server = createServer((request, response) => {
      const revision = request.url?.split('/').at(-1) ?? '';
      response.end(request.headers['x-token'] === 'secret' ? (answers.get(revision) ?? 'pending') : 'who are you?');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    answers.set(first, 'state: success');
    await stage.app('shop', repo.remote, {
      test: {
        remote: `http://127.0.0.1:${port}/{branch}/{revision}`,
        'pass response': 'success',
        'fail response': 'failure',
        headers: { 'X-Token': 'secret' },
      },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const bad = await repo.publish(plain('bad'));
    const pending = await huddle.until('shop', ({ error }) => error?.code === 'test-pending', 'pending');
    assert.deepEqual(pending.rejected, []);
    answers.set(bad, 'state: failure');
    await huddle.until('shop', ({ rejected }) => rejected.includes(bad), 'rejected');
    const good = await repo.commit(plain('v3'));
    answers.set(good, 'state: success');
    await repo.push();
    await huddle.live('shop', good);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v3']);
    assert.doesNotMatch(huddle.log, /secret/);
    await huddle.stop();
  });
});
