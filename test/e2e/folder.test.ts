import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { suite, test } from 'node:test';
import { eventually, plain, scene, type Scene, type Sections } from './harness.ts';
import type { AppStatus, Huddle } from './command.ts';
import type { Repository } from './repository.ts';

/** A running app `shop` at its first revision; the checks are an hour apart, so that only the folder acts. */
async function runningShop(
  stage: Scene,
): Promise<{ repo: Repository; huddle: Huddle; status: AppStatus; sections: Sections; remote: string; first: string }> {
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  const sections = stage.sections('shop', repo.remote, { timing: { minimum: 3600 } });
  await stage.writeConfig('shop', sections);
  const huddle = stage.startHuddle();
  await huddle.live('shop', first);
  // The events come by a connection of their own, so that the answer may be ahead of them.
  const status = await eventually('the events have told the same', async () => {
    const now = await huddle.app('shop');
    return isDeepStrictEqual(huddle.seen.at(-1), now) && now;
  });
  return { repo, huddle, status, sections, remote: repo.remote, first };
}

suite('The hot folder', { concurrency: 2 }, () => {
  test('a file that is dropped in starts its app; one that is not a config is left alone', async (t) => {
    const stage = await scene(t);
    const { huddle, first, remote } = await runningShop(stage);
    for (const name of ['_off.json', '.hidden.json', 'notes.txt']) await writeFile(stage.file(name), 'no config');
    await stage.app('blog', remote);
    await huddle.live('blog', first);
    assert.deepEqual((await huddle.status()).map(({ name }) => name).toSorted(), ['blog', 'shop']);
    await huddle.stop();
  });

  test('an edited timing, test, scripts, watchdog or logs restarts nothing and takes effect', async (t) => {
    const stage = await scene(t);
    const { huddle, status, sections } = await runningShop(stage);
    await stage.writeConfig('shop', { ...sections, timing: { minimum: 0.2 } });
    await huddle.until('shop', ({ state }) => state === 'checking', 'a check at the new pace');
    await stage.writeConfig('shop', {
      ...sections,
      timing: { minimum: 1800 },
      test: { command: 'true' },
      scripts: { 'post-pull': 'true' },
      logs: { size: 1 },
      watchdog: { command: 'true', period: 0.1 },
    });
    const watched = await huddle.until(
      'shop',
      ({ health, state }) => health === 'healthy' && state === 'running',
      'watched',
    );
    assert.deepEqual(watched.program, status.program);
    const wait = Date.parse(watched.nextCheck ?? '') - Date.now();
    assert.ok(wait > 1000_000 && wait < 2000_000, `next check in ${wait} ms`);
    await huddle.stop();
  });

  test('where there is none yet, the log says how to begin', async (t) => {
    const stage = await scene(t);
    const empty = stage.startHuddle();
    await empty.logged(/there are no apps yet: huddle -c \S+ init writes an example/);
    await empty.stop();
    await writeFile(stage.file('shop.json'), '{');
    const broken = stage.startHuddle();
    await broken.until('shop', ({ error }) => error !== null, 'read');
    await broken.stop();
    assert.doesNotMatch(broken.log, /no apps/);
  });

  test('a rewrite with the same meaning does nothing', async (t) => {
    const stage = await scene(t);
    const { huddle, status, sections } = await runningShop(stage);
    const from = huddle.seen.length;
    await writeFile(stage.file('shop.json'), `// the same\n${JSON.stringify(sections)}\n`);
    // A file that comes later has been read later.
    await stage.writeConfig('other', { repository: {} });
    await huddle.until('other', ({ error }) => error !== null, 'read');
    assert.deepEqual(
      huddle.seen.slice(from).filter(({ name }) => name === 'shop'),
      [],
    );
    assert.deepEqual((await huddle.app('shop')).program, status.program);
    await huddle.stop();
  });

  test('an edited application restarts the program and nothing else', async (t) => {
    const stage = await scene(t);
    const { huddle, status, sections, first } = await runningShop(stage);
    const from = huddle.seen.length;
    await stage.writeConfig('shop', {
      ...sections,
      application: { ...sections['application'], environment: { JOURNAL: stage.journalFile, NEW: '1' } },
    });
    const after = await huddle.until(
      'shop',
      ({ program }) => program?.state === 'up' && program.pid !== status.program?.pid,
      'replaced',
    );
    assert.equal(after.revision, first);
    assert.match(readFileSync(`/proc/${after.program?.pid}/environ`, 'latin1'), /NEW=1/);
    const states = new Set(huddle.seen.slice(from).map(({ state }) => state));
    for (const state of ['cloning', 'testing', 'pulling', 'checking']) assert.ok(!states.has(state), state);
    await eventually('the new program has told of itself', () =>
      stage.livePrograms().includes(after.program?.pid ?? 0),
    );
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
  });

  test('an edited branch or remote syncs the working copy anew', async (t) => {
    const stage = await scene(t);
    const { huddle, sections, first } = await runningShop(stage);
    const other = await stage.repo('other');
    const elsewhere = await other.publish(plain('elsewhere'));
    await other.git('switch', '--quiet', '--create', 'next');
    const next = await other.publish(plain('next'));
    const repository = { ...sections['repository'], 'remote path': other.remote };
    await stage.writeConfig('shop', { ...sections, repository });
    assert.equal((await huddle.live('shop', elsewhere)).previous, first);
    await stage.writeConfig('shop', { ...sections, repository: { ...repository, branch: 'next' } });
    assert.equal((await huddle.live('shop', next)).branch, 'next');
    assert.deepEqual(
      stage.story().filter((line) => line.startsWith('start')),
      ['start v1', 'start elsewhere', 'start next'],
    );
    await huddle.stop();
  });

  test('a broken edit disturbs nothing, is shown with line and column, and is healed by the next one', async (t) => {
    const stage = await scene(t);
    const { huddle, status, sections } = await runningShop(stage);
    await writeFile(stage.file('shop.json'), '{\n  "repository": {\n    "remote path": nonsense\n');
    const broken = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(broken.error?.code, 'config-invalid');
    assert.match(broken.error?.message ?? '', /shop\.json:3:\d+/);
    assert.deepEqual(broken.program, status.program);

    await writeFile(stage.file('shop.json'), JSON.stringify({ ...sections, timing: { minimun: 5 } }, null, 2));
    const misspelt = await huddle.until('shop', ({ error }) => /minimun/.test(error?.message ?? ''), 'another error');
    assert.match(`${misspelt.error?.message} ${misspelt.error?.hint}`, /minimum/);
    await stage.writeConfig('shop', sections);
    const healed = await huddle.until('shop', ({ error }) => error === null, 'healed');
    assert.deepEqual(healed.program, status.program);
    await huddle.stop();
  });

  test('a file that is broken from the start is listed, and starts its app once it is mended', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await writeFile(stage.file('shop.json'), '{ "repository": ');
    const huddle = stage.startHuddle();
    const broken = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(broken.state, 'waiting');
    assert.equal(broken.error?.code, 'config-invalid');
    await stage.app('shop', repo.remote);
    assert.equal((await huddle.live('shop', first)).error, null);
    await huddle.stop();
  });

  for (const [how, leave] of [
    ['removed', (stage: Scene) => unlink(stage.file('shop.json'))],
    ['renamed with _', (stage: Scene) => rename(stage.file('shop.json'), stage.file('_shop.json'))],
  ] as const) {
    test(`an app whose file is ${how} is stopped, which ends every order, and its working copy stays`, async (t) => {
      const stage = await scene(t);
      const { repo, huddle, sections, first } = await runningShop(stage);
      const tested = { ...sections, test: { command: 'sleep 60' } };
      await stage.writeConfig('shop', tested);
      await repo.publish(plain('v2'));
      const check = stage.run('-c', stage.dir, 'check', 'shop');
      await huddle.until('shop', ({ state }) => state === 'testing', 'testing');
      await leave(stage);
      await huddle.gone('shop');
      const { code, stderr } = await check;
      assert.equal(code, 1);
      assert.match(stderr, /does not run/);
      assert.deepEqual(stage.livePrograms(), []);
      assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');
      await stage.writeConfig('shop', tested);
      await huddle.until('shop', ({ program, revision }) => program?.state === 'up' && revision === first, 'up again');
      await eventually('it has started', () => stage.story().length === 3);
      assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v1']);
      await huddle.stop();
    });
  }

  test('thirty files at once start thirty apps', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const huddle = stage.startHuddle();
    await eventually('its socket', () =>
      huddle.status().then(
        () => true,
        () => false,
      ),
    );
    const names = Array.from({ length: 30 }, (_, index) => `app${index}`);
    await Promise.all(names.map((name) => stage.app(name, repo.remote, { timing: { minimum: 3600 } })));
    for (const name of names) await huddle.live(name, first);
    assert.equal(stage.livePrograms().length, 30);
    for (const name of names.slice(0, 15)) await unlink(stage.file(`${name}.json`));
    for (const name of names.slice(0, 15)) await huddle.gone(name);
    assert.equal(stage.livePrograms().length, 15);
    await huddle.stop();
    assert.deepEqual(stage.livePrograms(), []);
  });

  test('the second of two files with one name is refused, and takes over when the first one leaves', async (t) => {
    const stage = await scene(t);
    const { huddle, remote, first, status } = await runningShop(stage);
    const ini = `[repository]\nremote path = ${remote}\nlocal path = ${stage.copy('twin')}\n[application]\nstart = exec sleep 1000\nsettle = 0.1\n`;
    await writeFile(stage.file('Shop.ini'), ini);
    await huddle.logged(/Shop\.ini/);
    const shop = (await huddle.status()).find(({ name }) => name === 'shop');
    assert.deepEqual(shop?.program, status.program);
    await unlink(stage.file('shop.json'));
    const name = await eventually('its successor', async () => {
      const heir = (await huddle.status()).find(
        (app) => app.program?.state === 'up' && app.program.pid !== status.program?.pid,
      );
      return heir?.name;
    });
    assert.equal((await huddle.live(name, first)).error, null);
    await huddle.stop();
  });

  test('the second of two apps with one working copy is refused, and starts when the first one leaves', async (t) => {
    const stage = await scene(t);
    const { huddle, remote, first } = await runningShop(stage);
    for (const [name, path] of [
      ['twin', stage.copy('shop')],
      ['inner', join(stage.copy('shop'), 'inner')],
    ] as const) {
      await stage.writeConfig(name, stage.sections(name, remote, { repository: { 'local path': path } }));
      const refused = await huddle.until(name, ({ error }) => error !== null, 'refused');
      assert.equal(refused.error?.code, 'config-invalid');
      assert.equal(refused.program?.pid ?? null, null);
    }
    await unlink(stage.file('inner.json'));
    await unlink(stage.file('shop.json'));
    await huddle.live('twin', first);
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
  });
});
