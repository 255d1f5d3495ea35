import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { eventually, program, scene, type Scene, type Sections } from './harness.ts';
import { ask, ended, load, type Load } from './load.ts';
import { alive } from './proc.ts';
import type { Files } from './repository.ts';

const release = (version: string): Files => ({ 'beside.mjs': program('beside.mjs'), version: `${version}\n` });

/** Where the switch script writes the port of the release in charge. */
const front = (stage: Scene) => join(stage.root, 'front');
const portOf = (stage: Scene) => Number(readFileSync(front(stage), 'utf8'));

/** An app side by side, whose switch script says where requests are to go. */
function besideSections(stage: Scene, remote: string, more: Sections = {}): Sections {
  const file = front(stage);
  const usual = stage.sections('shop', remote);
  return {
    ...usual,
    application: { ...usual['application'], start: [process.execPath, 'beside.mjs'], ...more['application'] },
    scripts: {
      switch: `echo to $HUDDLE_PORT; echo $HUDDLE_PORT > ${file}.new && mv ${file}.new ${file}`,
      ...more['scripts'],
    },
    deployment: { strategy: 'side by side', ...more['deployment'] },
    // Accepted is what answers, however long the machine takes to start it.
    watchdog: { host: 'http://127.0.0.1:{port}/' },
  };
}

/** Somebody who asks the release in charge again and again. */
const visitor = (t: TestContext, stage: Scene) => load(t, () => portOf(stage), 1);

/** What failed, and the versions that have answered, in order. */
async function met(visits: Load): Promise<readonly [string[], string[]]> {
  const [failed, seen] = await ended(visits);
  return [failed, [...new Set(seen.map((answer) => answer.split(' ')[0] ?? ''))]];
}

/** An app that serves its first release. */
async function served(t: TestContext, more: Sections = {}) {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(release('v1'));
  await stage.writeConfig('shop', besideSections(stage, repo.remote, more));
  const huddle = stage.startHuddle();
  const before = await huddle.live('shop', first);
  return { stage, repo, first, huddle, before };
}

const short = (revision: string) => revision.slice(0, 7);

suite('A deployment side by side', { concurrency: 2 }, () => {
  test('goes live beside the old release, which ends when it has been switched from: nothing fails meanwhile', async (t) => {
    const { stage, repo, first, huddle, before } = await served(t);
    const current = join(stage.copy('shop'), 'current');
    assert.equal(readlinkSync(current), `releases/${short(first)}`);
    const visits = visitor(t, stage);
    const second = await repo.publish(release('v2'));
    const after = await huddle.live('shop', second);
    assert.deepEqual(await met(visits), [[], ['v1', 'v2']]);
    assert.notEqual(after.program?.pid, before.program?.pid);
    assert.equal(readlinkSync(current), `releases/${short(second)}`);
    assert.deepEqual(stage.story(), ['start v1', 'start v2', 'stop v1']);
    const way = /running checking (testing )?pulling restarting stopping running$/;
    await eventually('it has gone this way', () => way.test(huddle.states('shop').join(' ')));
    const [, last] = await stage.historyOf('shop', second);
    assert.deepEqual([last?.result, last?.downtime], ['deployed', 0]);
    assert.equal(await ask(portOf(stage)), `v2 ${short(second)} ${realpathSync(current)}`);
    await huddle.stop();
    assert.deepEqual(stage.livePrograms(), []);
  });

  test('that is not accepted leaves the old process alone, and is told as rolled back', async (t) => {
    const { stage, repo, first, huddle, before } = await served(t);
    const visits = visitor(t, stage);
    const bad = await repo.publish(release('bad'));
    const entry = (await stage.historyOf('shop', bad)).at(-1);
    const after = await huddle.live('shop', first);
    assert.deepEqual(await met(visits), [[], ['v1']]);
    assert.deepEqual(after.program, before.program);
    assert.deepEqual(after.rejected, [bad]);
    assert.equal(after.error?.code, 'not-accepted');
    assert.deepEqual([entry?.result, entry?.downtime], ['rolled back', 0]);
    assert.equal(readlinkSync(join(stage.copy('shop'), 'current')), `releases/${short(first)}`);
    const third = await repo.publish(release('v3'));
    await huddle.live('shop', third);
    assert.deepEqual(stage.livePrograms().length, 1);
    await huddle.stop();
  });

  test('whose switch script fails turns back, and the old release never noticed', async (t) => {
    const { stage, repo, first, huddle, before } = await served(t, {
      scripts: { switch: 'test ! -e refuse && echo $HUDDLE_PORT > ../../../../front' },
    });
    const bad = await repo.publish({ ...release('v2'), refuse: '' });
    await stage.historyOf('shop', bad);
    const after = await huddle.live('shop', first);
    assert.deepEqual(after.program, before.program);
    assert.equal(after.error?.code, 'script-failed');
    assert.match(await ask(portOf(stage)), /^v1 /);
    await huddle.stop();
  });

  test('is rolled back to a release on disk without the network and without its scripts', async (t) => {
    const { stage, repo, first, huddle } = await served(t, {
      scripts: { 'post-pull': 'echo made >> ../../../../made' },
    });
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    await rename(repo.remote, `${repo.remote}.away`);
    const visits = visitor(t, stage);
    const { code, stderr } = await stage.run('-c', stage.dir, 'rollback', 'shop');
    assert.equal(code, 0, stderr);
    const after = await huddle.live('shop', first);
    assert.deepEqual(await met(visits), [[], ['v1', 'v2']]);
    assert.deepEqual([after.rejected, after.pinned], [[second], true]);
    assert.equal(readFileSync(join(stage.root, 'made'), 'utf8'), 'made\nmade\n');
    await huddle.stop();
  });

  test('keeps as many releases as it is told to', async (t) => {
    const { stage, repo, huddle } = await served(t, { deployment: { keep: 2 } });
    let last = '';
    for (const version of ['v2', 'v3', 'v4']) {
      last = await repo.publish(release(version));
      await huddle.live('shop', last);
    }
    const releases = readdirSync(join(stage.copy('shop'), 'releases'));
    assert.equal(releases.length, 2);
    assert.ok(releases.includes(short(last)));
    await huddle.stop();
  });

  test('is put back beside its program when somebody has removed it, or the link to it', async (t) => {
    const { stage, first, huddle, before } = await served(t);
    const folder = join(stage.copy('shop'), 'releases', short(first));
    const current = join(stage.copy('shop'), 'current');
    const putBack = async (what: string) => {
      await stage.run('-c', stage.dir, 'check', 'shop');
      await eventually(`${what} is back`, () => existsSync(join(current, 'version')) && existsSync(folder));
    };
    await rm(current);
    await putBack('current');
    await rm(join(stage.copy('shop'), 'releases'), { recursive: true });
    await putBack('the release');
    assert.equal((await huddle.status())[0]?.program?.pid, before.program?.pid);
    process.kill(before.program?.pid ?? 0, 'SIGKILL');
    await huddle.until('shop', ({ program }) => program?.state === 'up' && program.pid !== before.program?.pid, 'up');
    assert.deepEqual(stage.story(), ['start v1', 'start v1']);
    await huddle.stop();
  });

  test('starts an edited program beside the one that serves', async (t) => {
    const { stage, repo, huddle, before } = await served(t);
    const visits = visitor(t, stage);
    const environment = { JOURNAL: stage.journalFile, COLOUR: 'blue' };
    await stage.writeConfig('shop', besideSections(stage, repo.remote, { application: { environment } }));
    await huddle.until(
      'shop',
      (app) => app.state === 'running' && app.program?.pid !== before.program?.pid,
      'another program',
    );
    const { failed } = await visits.end();
    assert.deepEqual(failed, []);
    await eventually('the old one has ended', () => !alive(before.program?.pid ?? 0));
    assert.deepEqual(stage.story(), ['start v1', 'start v1', 'stop v1']);
    await huddle.stop();
  });
});

suite('A Huddle that is killed', { concurrency: 2 }, () => {
  for (const state of ['pulling', 'restarting', 'stopping'] as const) {
    test(`while ${state} leaves a good release, which the next one takes over without a restart`, async (t) => {
      const { stage, repo, first, huddle } = await served(t, { scripts: { 'post-pull': 'sleep 0.3' } });
      const second = await repo.publish(release('v2'));
      await huddle.until('shop', (app) => app.state === state, state);
      const visits = visitor(t, stage);
      await huddle.kill9();
      const programs = stage.livePrograms();
      const next = stage.startHuddle();
      const taken = await next.until('shop', (app) => app.program?.adopted === true, 'taken over');
      assert.ok(programs.includes(taken.program?.pid ?? 0), 'it is one of those that ran');
      assert.ok([first, second].includes(taken.revision ?? ''));
      await next.live('shop', second);
      await eventually('one program is left', () => stage.livePrograms().length === 1);
      const { failed, requests } = await visits.end();
      assert.deepEqual(failed, [], `${failed.length} of ${requests} failed`);
      await next.stop();
    });
  }
});

suite('The strategy', () => {
  test('is changed both ways, without loss and without a restart before the next deployment', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish({ ...release('v1'), 'data/kept': 'in git\n' });
    const both = besideSections(stage, repo.remote);
    const inPlace = {
      ...both,
      deployment: { strategy: 'in place' },
      scripts: {},
      watchdog: { host: '127.0.0.1', port: '{port}' },
    };
    await stage.writeConfig('shop', inPlace);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);
    assert.ok(existsSync(join(stage.copy('shop'), 'version')));
    await stage.writeConfig('shop', both);
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    assert.equal(readlinkSync(join(stage.copy('shop'), 'current')), `releases/${short(second)}`);
    assert.deepEqual(stage.story(), ['start v1', 'start v2', 'stop v1']);
    assert.ok(!alive(before.program?.pid ?? 0));
    // By now both programs have been in a release.
    await huddle.live('shop', await repo.publish(release('v3')));
    await stage.writeConfig('shop', inPlace);
    await huddle.live('shop', await repo.publish(release('v4')));
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v4\n');
    assert.deepEqual(stage.story().slice(3), ['start v3', 'stop v2', 'stop v3', 'start v4']);
    assert.ok(!existsSync(join(stage.copy('shop'), 'current')));
    await eventually('the releases are gone', () => !existsSync(join(stage.copy('shop'), 'releases')));
    await huddle.stop();
  });
});
