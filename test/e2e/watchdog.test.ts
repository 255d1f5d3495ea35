import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { eventually, program, scene, type Scene, type Sections } from './harness.ts';
import { freePort } from './proc.ts';

const web = (version: string) => ({ 'program.mjs': program('web.mjs'), version: `${version}\n` });

/** An app whose program is the web server, watched as `watchdog` says. */
async function watched(
  stage: Scene,
  remote: string,
  watchdog: (port: number) => Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<void> {
  const port = await freePort();
  const application = {
    ...more,
    start: [process.execPath, 'program.mjs'],
    environment: { JOURNAL: stage.journalFile, PORT: String(port) },
  };
  const sections: Sections = { application, watchdog: { period: 0.2, timeout: 1, failures: 2, ...watchdog(port) } };
  await stage.app('shop', remote, sections);
}

suite('Watchdog', { concurrency: 2 }, () => {
  const kinds: readonly [string, (port: number, stage: Scene) => Record<string, unknown>][] = [
    ['HTTP body', (port) => ({ host: `http://127.0.0.1:${port}/`, response: 'version v1' })],
    ['command', (_port, stage) => ({ command: `test ! -e ${stage.journalFile}.sick` })],
  ];
  for (const [kind, watchdog] of kinds) {
    test(`a program that is sick by its ${kind} is restarted, and healthy again`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const revision = await repo.publish(web('v1'));
      await watched(stage, repo.remote, (port) => watchdog(port, stage));
      const huddle = stage.startHuddle();
      await huddle.live('shop', revision);
      const before = await huddle.until('shop', ({ health }) => health === 'healthy', 'healthy');
      writeFileSync(`${stage.journalFile}.sick`, '');
      const after = await huddle.until(
        'shop',
        (app) =>
          app.program?.pid !== null && app.program?.pid !== before.program?.pid && (app.program?.restarts ?? 0) > 0,
        'restarted',
      );
      rmSync(`${stage.journalFile}.sick`);
      assert.ok((after.program?.restarts ?? 0) >= 1);
      await huddle.until(
        'shop',
        ({ health, program }) => health === 'healthy' && program?.state === 'up',
        'healthy again',
      );
      assert.ok(
        huddle.seen.some(({ health }) => health === 'unhealthy'),
        'nobody was told',
      );
      assert.equal(stage.livePrograms().length, 1);
      await huddle.stop();
    });
  }

  test('a single failed probe restarts nothing', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const revision = await repo.publish(web('v1'));
    const counter = `${stage.root}/probes`;
    await watched(stage, repo.remote, () => ({ command: `echo >> ${counter}; test $(wc -l < ${counter}) -ne 8` }));
    const huddle = stage.startHuddle(['--debug']);
    const before = await huddle.live('shop', revision);
    await huddle.logged(/shop: .*probe failed/);
    await eventually('two more probes', () => readFileSync(counter, 'utf8').length >= 10);
    const after = await huddle.until('shop', ({ health }) => health === 'healthy', 'healthy');
    assert.deepEqual(after.program, before.program);
    await huddle.stop();
  });

  test('a revision that is never healthy is not accepted, and the last good one comes back', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(web('v1'));
    const watchdog = (port: number) => ({ host: `http://127.0.0.1:${port}/`, response: 'version v' });
    await watched(stage, repo.remote, watchdog, { 'ready timeout': 3 });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const bad = await repo.publish({ version: 'bad\n' });
    const back = await huddle.until(
      'shop',
      ({ state, rejected, program }) => state === 'running' && rejected.includes(bad) && program?.state === 'up',
      'rolled back',
    );
    assert.equal(back.revision, first);
    assert.equal(back.error?.code, 'not-accepted');
    assert.deepEqual(
      stage
        .story()
        .filter((line) => line.includes('bad'))
        .at(0),
      'start bad',
    );
    assert.equal(stage.story().at(-1), 'start v1');
    const good = await repo.publish({ version: 'v3\n' });
    await huddle.live('shop', good);
    await huddle.stop();
  });
});
