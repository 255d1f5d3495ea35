import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { plain, scene } from './harness.ts';

suite('Scripts', { concurrency: 2 }, () => {
  test('they run in the working copy around the pull, while the program is stopped', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const tell = (what: string) => `echo "${what} $$ $(cat version 2>/dev/null)" >> ${stage.journalFile}`;
    await stage.app('shop', repo.remote, {
      scripts: { 'pre-pull': tell('pre'), 'post-pull': [tell('post'), 'echo built > built'] },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    assert.deepEqual(stage.story().slice(-2), ['post v1', 'start v1']);
    assert.equal(readFileSync(join(stage.copy('shop'), 'built'), 'utf8'), 'built\n');
    const earlier = stage.story().length;
    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    assert.deepEqual(stage.story().slice(earlier), ['stop v1', 'pre v1', 'post v2', 'start v2']);
    await huddle.stop();
  });

  for (const hook of ['pre-pull', 'post-pull']) {
    test(`a ${hook} script that keeps failing brings the last good revision back and rejects the new one`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const first = await repo.publish(plain('v1'));
      const tries = join(stage.root, 'tries');
      // A pre-pull script sees the old files: it fails for what is fetched, not for what is in place.
      const bad = hook === 'pre-pull' ? `test ! -e ${stage.root}/broken` : '! grep -q bad version';
      await stage.app('shop', repo.remote, {
        timing: { minimum: 0.1 },
        scripts: { [hook]: `echo try >> ${tries}; ${bad}` },
      });
      const huddle = stage.startHuddle();
      await huddle.live('shop', first);
      const before = existsSync(tries) ? lines(tries) : 0;
      if (hook === 'pre-pull') writeFileSync(join(stage.root, 'broken'), '');
      const revision = await repo.publish(plain('bad'));
      const back = await huddle.until(
        'shop',
        ({ state, rejected, program }) => state === 'running' && rejected.includes(revision) && program?.state === 'up',
        'rolled back',
      );
      assert.equal(back.revision, first);
      assert.equal(back.error?.code, 'script-failed');
      assert.ok(!stage.story().includes('start bad'));
      assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');
      assert.ok(lines(tries) - before >= 3, `tried ${lines(tries) - before} times`);
      assert.equal(stage.livePrograms().length, 1);
      const [last] = (await stage.historyOf('shop', revision)).slice(-1);
      assert.equal(last?.result, 'script failed');
      await huddle.stop();
    });
  }

  test('a script that fails once succeeds at its next try', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const marker = join(stage.root, 'marker');
    await stage.app('shop', repo.remote, {
      scripts: { 'post-pull': `grep -q v1 version || test -e ${marker} || { touch ${marker}; exit 1; }` },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    assert.equal(stage.story().at(-1), 'start v2');
    await huddle.stop();
  });

  test('what a script printed is in the deployment log, not in Huddle’s own; it knows app and revision', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const revision = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, {
      scripts: { 'post-pull': 'echo from the script of $HUDDLE_APP at $HUDDLE_REVISION' },
      test: { command: 'echo from the test of $HUDDLE_APP at $HUDDLE_REVISION' },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', revision);
    const log = stage.logOf('shop', 'deploy');
    assert.ok(log.includes(`from the test of shop at ${revision}\n`), log);
    assert.ok(log.includes(`from the script of shop at ${revision}\n`), log);
    assert.doesNotMatch(huddle.log, /from the (test|script)/);
    await huddle.stop();
  });
});

function lines(file: string): number {
  return readFileSync(file, 'utf8').split('\n').length - 1;
}
