import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { eventually, program, scene, type Scene, type Sections } from './harness.ts';
import { ask, ended, load } from './load.ts';
import { alive, freePort } from './proc.ts';
import type { Files } from './repository.ts';

/** One that answers what it has begun with before it ends. */
const polite = program('web.mjs').replace('process.exit(0)', 'server.close(() => process.exit(0))');
const release = (version: string): Files => ({ 'web.mjs': polite, version: `${version}\n` });

function proxied(stage: Scene, remote: string, port: number, strategy: string): Sections {
  const usual = stage.sections('shop', remote);
  const start = [process.execPath, 'web.mjs'];
  return {
    ...usual,
    application: { ...usual['application'], start, proxy: `127.0.0.1:${port}`, 'drain timeout': 2 },
    deployment: { strategy },
    watchdog: { host: 'http://127.0.0.1:{port}/' },
  };
}

async function served(t: TestContext, strategy = 'side by side') {
  const stage = await scene(t);
  const repo = await stage.repo();
  const port = await freePort();
  const first = await repo.publish(release('v1'));
  await stage.writeConfig('shop', proxied(stage, repo.remote, port, strategy));
  const huddle = stage.startHuddle();
  await huddle.live('shop', first);
  return { stage, repo, port, first, huddle };
}

const refused = async (port: number) =>
  await ask(port).then(
    () => false,
    () => true,
  );

suite('Behind the proxy of Huddle', { concurrency: 2 }, () => {
  test('no request fails while a release goes live, nor when one is not accepted', async (t) => {
    const { stage, repo, port, huddle } = await served(t);
    const visits = load(t, port, 1);
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    const bad = await repo.publish({ ...release('bad'), 'web.mjs': 'process.exit(1);\n' });
    await stage.historyOf('shop', bad);
    await huddle.live('shop', second);
    assert.deepEqual(await ended(visits), [[], ['version v1', 'version v2']]);
    await huddle.stop();
    assert.ok(await refused(port), 'the proxy has ended with its app');
    assert.deepEqual(stage.processes(), []);
  });

  test('in place requests wait for the next release', async (t) => {
    const { repo, port, huddle } = await served(t, 'in place');
    const visits = load(t, port, 1);
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    await eventually('the new one answers', async () => (await ask(port)) === 'version v2');
    assert.deepEqual(await ended(visits), [[], ['version v1', 'version v2']]);
    await huddle.stop();
  });

  test('it serves on when Huddle is killed, and the next Huddle takes it over; a stopped app has none', async (t) => {
    const { stage, repo, port, huddle } = await served(t);
    const visits = load(t, port, 1);
    const before = stage.processes().map(({ pid }) => pid);
    await huddle.kill9();
    const next = stage.startHuddle();
    await next.until('shop', (app) => app.program?.adopted === true, 'taken over');
    const second = await repo.publish(release('v2'));
    await next.live('shop', second);
    assert.deepEqual(await ended(visits), [[], ['version v1', 'version v2']]);
    assert.ok(
      before.some((pid) => alive(pid)),
      'the proxy is the one of before',
    );
    const { code, stderr } = await stage.run('-c', stage.dir, 'stop', 'shop');
    assert.equal(code, 0, stderr);
    await eventually('nobody answers', () => refused(port));
    await next.stop();
  });
});
