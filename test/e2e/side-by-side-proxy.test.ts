import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, program, scene, type Scene, type Sections } from './harness.ts';
import { alive } from './proc.ts';
import type { Files } from './repository.ts';

/** One that answers what it has begun with before it ends. */
const polite = program('web.mjs').replace('process.exit(0)', 'server.close(() => process.exit(0))');
const release = (version: string): Files => ({ 'web.mjs': polite, version: `${version}\n` });

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

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

/** Asks the proxy again and again until it is ended. */
function visitor(port: number) {
  const seen = new Set<string>();
  const failed: string[] = [];
  const end = new AbortController();
  const visit = async () => {
    while (!end.signal.aborted) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}/`);
        const text = await response.text();
        if (response.status === 200) seen.add(text.trim());
        else failed.push(`${response.status} ${text}`);
      } catch (error) {
        failed.push(String((error as Error).cause ?? error));
      }
      await sleep(5);
    }
  };
  const visits = visit();
  return {
    async end() {
      end.abort();
      await visits;
      return { seen: [...seen].toSorted(), failed };
    },
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
  await fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    () => true,
  );

suite('Behind the proxy of Huddle', { concurrency: 2 }, () => {
  test('no request fails while a release goes live, nor when one is not accepted', async (t) => {
    const { stage, repo, port, huddle } = await served(t);
    const visits = visitor(port);
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    const bad = await repo.publish({ ...release('bad'), 'web.mjs': 'process.exit(1);\n' });
    await stage.historyOf('shop', bad);
    await huddle.live('shop', second);
    const { failed, seen } = await visits.end();
    assert.deepEqual([failed, seen], [[], ['version v1', 'version v2']]);
    await huddle.stop();
    assert.ok(await refused(port), 'the proxy has ended with its app');
    assert.deepEqual(stage.processes(), []);
  });

  test('in place requests wait for the next release', async (t) => {
    const { repo, port, huddle } = await served(t, 'in place');
    const visits = visitor(port);
    const second = await repo.publish(release('v2'));
    await huddle.live('shop', second);
    await eventually('the new one answers', async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      return (await response.text()) === 'version v2\n';
    });
    const { seen, failed } = await visits.end();
    assert.deepEqual([failed, seen], [[], ['version v1', 'version v2']]);
    await huddle.stop();
  });

  test('it serves on when Huddle is killed, and the next Huddle takes it over; a stopped app has none', async (t) => {
    const { stage, repo, port, huddle } = await served(t);
    const visits = visitor(port);
    const before = stage.processes().map(({ pid }) => pid);
    await huddle.kill9();
    const next = stage.startHuddle();
    await next.until('shop', (app) => app.program?.adopted === true, 'taken over');
    const second = await repo.publish(release('v2'));
    await next.live('shop', second);
    const { failed, seen } = await visits.end();
    assert.deepEqual([failed, seen], [[], ['version v1', 'version v2']]);
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
