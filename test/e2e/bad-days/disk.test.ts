import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Deployment } from '../command.ts';
import { eventually, plain, program, scene, type Scene } from '../harness.ts';
import { git } from '../repository.ts';
import { ballast, fill, free, sceneWithMounts } from './mounts.ts';

const state = (stage: Scene) => join(stage.dir, '.huddle');
const copies = (stage: Scene) => join(stage.root, 'copies');
const chatty = (version: string) => ({ 'program.sh': program('chatty.sh'), version: `${version}\n` });
const results = (history: readonly Omit<Deployment, 'name'>[]) =>
  history.map(({ revision, result }) => `${result} ${revision}`);

suite('A full disk', { concurrency: 3 }, () => {
  test('under the state is told and stops nothing; what could not be written is written when there is room', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const disk = state(stage);
    mounts.tmpfs(disk, 'size=1m');
    const { repo, first, huddle, app: before } = await stage.deployed(chatty('v1'));

    fill(disk);
    await eventually('the program notices', () => stage.story().includes('mute v1'));
    const second = await repo.publish(chatty('v2'));
    const told = await huddle.until('shop', ({ error }) => error !== null, 'told');
    assert.equal(told.error?.code, 'disk-full');
    assert.match(told.error?.hint ?? '', /tries again/);
    await huddle.logged(/shop: warning: writing \S+: no space left on the disk/);
    await huddle.logged(/shop: warning: .*next try in/);
    const meanwhile = await huddle.app('shop');
    assert.equal(meanwhile.program?.pid, before.program?.pid);
    assert.equal(meanwhile.revision, first);

    const { size } = statSync(join(stage.dir, '.huddle/apps/shop/logs/app.log'));
    free(disk);
    await huddle.live('shop', second);
    await huddle.until('shop', ({ error }) => error === null, 'well again');
    assert.deepEqual(results(await stage.historyOf('shop', second)), [`deployed ${first}`, `deployed ${second}`]);
    assert.deepEqual(
      stage.story().filter((line) => !line.startsWith('mute')),
      ['start v1', 'stop v1', 'start v2'],
    );
    await eventually('its log grows again', () => stage.logOf('shop').length > size);
    await huddle.stop();
  });

  test('at the start keeps no program from starting; the facts are held in memory', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const disk = state(stage);
    mounts.tmpfs(disk, 'size=1m');
    const { repo, first, huddle: before } = await stage.deployed();
    await before.stop();
    fill(disk);

    const huddle = stage.startHuddle();
    const up = await huddle.live('shop', first);
    const second = await repo.publish(plain('v2'));
    await huddle.until('shop', ({ state, error }) => state === 'running' && error?.code === 'disk-full', 'told');
    assert.equal((await huddle.app('shop')).program?.pid, up.program?.pid);
    free(disk);
    await huddle.live('shop', second);
    await huddle.until('shop', ({ error }) => error === null, 'well again');
    assert.deepEqual(results(await stage.historyOf('shop', second)), [`deployed ${first}`, `deployed ${second}`]);
    await huddle.stop();
  });

  test('under Huddle’s own log ends nothing, and the log goes on when there is room', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const disk = join(stage.root, 'log');
    mounts.tmpfs(disk, 'size=64k');
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const file = join(disk, 'huddle.log');
    fill(disk);
    const huddle = stage.startHuddle([], {}, ['sh', '-c', 'exec "$@" 2>>"$0"', file]);
    const up = await huddle.live('shop', first);
    assert.equal(readFileSync(file, 'utf8'), '');
    free(disk);
    const second = await repo.publish(plain('v2'));
    assert.notEqual((await huddle.live('shop', second)).program?.pid, up.program?.pid);
    await eventually('the log goes on', () => /deployed/.test(readFileSync(file, 'utf8')));
    await huddle.stop();
  });

  test('under the working copy fails the fetch, or is seen before the program is stopped for what would not fit', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const disk = copies(stage);
    mounts.tmpfs(disk, 'size=8m');
    const { repo, huddle, app: before } = await stage.deployed();

    fill(disk);
    const second = await repo.publish(plain('v2'));
    const unfetched = await huddle.until('shop', ({ error }) => error !== null, 'the fetch fails');
    assert.equal(unfetched.error?.code, 'disk-full');
    assert.equal(unfetched.program?.pid, before.program?.pid);
    free(disk);
    const after = await huddle.live('shop', second);
    assert.equal(after.error, null);

    // Next to nothing to fetch, and more than there is room for in the tree.
    const large = await repo.publish({ ...plain('v3'), letters: 'x'.repeat(16_000_000) });
    const misfit = await huddle.until('shop', ({ error }) => error !== null, 'it does not fit');
    assert.equal(misfit.error?.code, 'disk-full');
    assert.match(misfit.error?.message ?? '', /15\.3 MB are needed, and \d\.\d MB are free/);
    assert.equal((await huddle.app('shop')).program?.pid, after.program?.pid);
    mounts.resize(disk, '64m');
    assert.equal((await huddle.live('shop', large)).error, null);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2', 'stop v2', 'start v3']);
    await huddle.stop();
  });

  test('under the working copy during a check-out leads back to the good revision, whole and running', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const disk = copies(stage);
    mounts.tmpfs(disk, 'size=8m');
    const repo = await stage.repo();
    const first = await repo.publish({ ...plain('v1'), letters: 'one' });
    const full = join(stage.root, 'full');
    await stage.app('shop', repo.remote, {
      scripts: { 'pre-pull': `test ! -e ${full} || head -c 6m /dev/zero > ${ballast(disk)}` },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);

    writeFileSync(full, '');
    const second = await repo.publish({ ...plain('v2'), letters: 'x'.repeat(4_000_000), more: 'y' });
    const failed = await huddle.until('shop', ({ error }) => error !== null, 'the check-out fails');
    assert.equal(failed.error?.code, 'disk-full');
    await huddle.until('shop', ({ state, program }) => state === 'running' && program?.state === 'up', 'back');
    assert.deepEqual(stage.story().slice(0, 3), ['start v1', 'stop v1', 'start v1']);
    assert.ok(!stage.story().includes('start v2'));
    assert.equal(await git(stage.copy('shop'), 'status', '--porcelain'), '');
    assert.equal(readFileSync(join(stage.copy('shop'), 'letters'), 'utf8'), 'one');
    assert.deepEqual((await huddle.app('shop')).rejected, []);

    rmSync(full);
    free(disk);
    assert.equal((await huddle.live('shop', second)).error, null);
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
  });
});

test('A reader of Huddle’s log that goes away ends nothing', async (t) => {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  await stage.app('shop', repo.remote);
  const reader = join(stage.root, 'reader');
  const script = 'mkfifo "$0"; (head -c 1 "$0" > /dev/null; rm "$0") & exec "$@" 2>"$0"';
  const huddle = stage.startHuddle(['--debug'], {}, ['sh', '-c', script, reader]);
  await huddle.live('shop', first);
  await huddle.live('shop', await repo.publish(plain('v2')));
  rmSync(reader, { force: true });
  await huddle.stop();
});
