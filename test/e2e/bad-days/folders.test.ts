import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { AppStatus } from '../command.ts';
import { eventually, plain, scene, type Scene } from '../harness.ts';
import { sceneWithMounts } from './mounts.ts';

const state = (stage: Scene) => join(stage.dir, '.huddle');
const pidOf = (app: AppStatus) => app.program?.pid;

suite('A folder that goes', { concurrency: 3 }, () => {
  test('the state folder is made anew, locked and written; commands reach Huddle again, and a second one is refused', async (t) => {
    const stage = await scene(t);
    const { repo, first, huddle, app: before } = await stage.deployed();

    await rm(state(stage), { recursive: true, maxRetries: 20 });
    await huddle.logged(/warning: the state folder \S+ had gone; it is there again/);
    const second = await stage.run('-c', stage.dir);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`another Huddle \\(pid ${huddle.pid}\\) is running`));
    const status = await eventually('commands reach it', async () => {
      const { code, stdout } = await stage.run('status', '--json', '-c', stage.dir);
      return code === 0 && (JSON.parse(stdout) as { apps: AppStatus[] }).apps;
    });
    assert.equal(status[0] && pidOf(status[0]), pidOf(before));
    assert.equal(status[0]?.error, null);
    const { facts } = JSON.parse(readFileSync(join(state(stage), 'apps/shop/state.json'), 'utf8'));
    assert.equal(facts.good, first);
    const [entry] = await stage.historyOf('shop', first);
    assert.equal(entry?.result, 'deployed', 'the history is there again');

    await huddle.kill9();
    const next = stage.startHuddle();
    assert.equal(pidOf(await next.live('shop', first)), pidOf(before), 'the next one finds what it must know');
    await next.live('shop', await repo.publish(plain('v2')));
    assert.equal(stage.livePrograms().length, 1);
    await next.stop();
  });

  test('a Huddle that sleeps while its state folder is removed keeps its folder and its programs', async (t) => {
    const stage = await scene(t);
    const { repo, huddle: asleep, app: before } = await stage.deployed();
    asleep.signal('SIGSTOP');
    await rm(state(stage), { recursive: true, maxRetries: 20 });
    const second = await stage.startHuddle().ended;
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another Huddle is running on it/);
    asleep.signal('SIGCONT');
    await asleep.logged(/it is there again/);
    assert.deepEqual(stage.livePrograms(), [pidOf(before)]);
    const pushed = await repo.publish(plain('v2'));
    await asleep.live('shop', pushed);
    assert.equal(stage.livePrograms().length, 1);
    await asleep.stop();
  });

  test('DIR stops nothing, and is followed again when it is back', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const kept = join(stage.root, 'kept');
    await cp(stage.file('shop.json'), kept);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);

    await rm(stage.dir, { recursive: true, maxRetries: 20 });
    await huddle.logged(/error: keeping state in \S+: it has gone/);
    assert.deepEqual(stage.livePrograms(), [pidOf(before)]);
    await mkdir(stage.dir);
    await cp(kept, `${stage.file('shop.json')}.new`);
    await rename(`${stage.file('shop.json')}.new`, stage.file('shop.json'));
    await huddle.logged(/it is there again/);
    assert.equal(pidOf(await huddle.live('shop', first)), pidOf(before));
    await huddle.live('shop', await repo.publish(plain('v2')));
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
    await huddle.stop();
  });

  test('DIR under an empty mount stops nothing, and nothing is made there', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const { repo, huddle, app: before } = await stage.deployed();

    mounts.tmpfs(stage.dir, 'size=1m');
    await huddle.logged(/error: keeping state in \S+: it has gone/);
    const second = await repo.publish(plain('v2'));
    await huddle.logged(/shop: warning: .*next try in/);
    assert.ok(!existsSync(state(stage)));
    assert.deepEqual(stage.livePrograms(), [pidOf(before)]);
    mounts.off(stage.dir);
    await huddle.live('shop', second);
    await huddle.until('shop', ({ error }) => error === null, 'well again');
    assert.equal((await stage.historyOf('shop', second)).length, 2);
    await huddle.stop();
  });

  test('a state folder that can only be read is told; nothing is deployed, and all is when it can be written', async (t) => {
    const ground = await sceneWithMounts(t);
    if (ground === null) return;
    const { stage, mounts } = ground;
    const { repo, huddle, app: before } = await stage.deployed();

    mounts.readOnly(state(stage));
    const second = await repo.publish(plain('v2'));
    const told = await huddle.until('shop', ({ error }) => error !== null, 'told');
    assert.equal(told.error?.code, 'permission-denied');
    assert.match(told.error?.message ?? '', /the file system is read-only/);
    assert.equal(pidOf(await huddle.app('shop')), pidOf(before));
    mounts.off(state(stage));
    await huddle.live('shop', second);
    await huddle.until('shop', ({ error }) => error === null, 'well again');
    assert.equal((await stage.historyOf('shop', second)).length, 2);
    await huddle.stop();
  });

  test('the working copy is cloned again and put back under its program, which runs on', async (t) => {
    const stage = await scene(t);
    const {
      repo,
      first,
      huddle,
      app: before,
    } = await stage.deployed(plain('v1'), { scripts: { 'post-pull': 'cp version made' } });

    await rename(repo.remote, `${repo.remote}.away`);
    await rm(stage.copy('shop'), { recursive: true, maxRetries: 20 });
    const told = await huddle.until('shop', ({ error }) => error?.code === 'directory-missing', 'told');
    assert.match(told.error?.message ?? '', /the working copy has gone/);
    assert.match(told.error?.hint ?? '', /clones it again/);
    await huddle.until('shop', ({ error }) => error?.code === 'remote-unreachable', 'it cannot be had yet');
    await rename(`${repo.remote}.away`, repo.remote);
    await huddle.until('shop', ({ error }) => error === null, 'well again');
    const after = await huddle.live('shop', first);
    assert.equal(pidOf(after), pidOf(before));
    for (const file of ['version', 'made']) {
      assert.equal(readFileSync(join(stage.copy('shop'), file), 'utf8'), 'v1\n');
    }
    assert.equal((await stage.historyOf('shop', first)).length, 1);

    const second = await repo.publish(plain('v2'));
    assert.equal((await huddle.live('shop', second)).previous, first);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
    await huddle.stop();
  });
});
