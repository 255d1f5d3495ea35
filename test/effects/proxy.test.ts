import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { type Desk, type Office, openDesk } from '../../src/effects/desk.ts';
import { endProxy, settleProxy } from '../../src/effects/proxy.ts';
import { turns } from '../../src/effects/turns.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { pointProxy, proxyStatus } from '../../src/proxy/client.ts';
import { eventually } from '../e2e/harness.ts';
import { alive, freePort } from '../e2e/proc.ts';
import { appConfig } from '../machines/config.ts';

const never = new AbortController().signal;

/** Desks of one app in one folder, the second as that of the next Huddle; the proxy goes with the test. */
function deskIn(t: TestContext, folderName = 'dir', warn: Office['warn'] = assert.fail): () => Desk {
  const root = mkdtempSync(join(tmpdir(), 'huddle-proxy-'));
  const folder = join(root, folderName);
  mkdirSync(folder);
  const paths = statePaths(folder);
  const office = { paths, remains: [], warn, network: turns(1), local: turns(1) };
  let last: Desk | null = null;
  t.after(async () => {
    if (last !== null) await endProxy(last);
    rmSync(root, { recursive: true, force: true });
  });
  return () => {
    last = openDesk('shop', office);
    mkdirSync(join(last.paths.directory, 'logs'), { recursive: true });
    return last;
  };
}

async function program(t: TestContext): Promise<number> {
  const server = createServer((_, response) => response.end('shop'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function settle(desk: Desk, port: number, drainTimeout = 1): Promise<string> {
  const proxy = { host: '127.0.0.1', port };
  const control = await settleProxy(appConfig({ application: { proxy, drainTimeout } }), desk);
  assert.ok(control !== null);
  return control;
}

suite('The proxy of an app', { concurrency: 2 }, () => {
  test('is told what to do however long the path of the state folder is', async (t) => {
    const desk = deskIn(t, 'x'.repeat(150))();
    const control = await settle(desk, await freePort());
    await pointProxy(control, null, never);
    assert.ok(Buffer.byteLength(control) < 104);
  });

  test('that cannot begin says why in Huddle’s own log', async (t) => {
    const warned: string[] = [];
    const desk = deskIn(t, 'dir', (_app, text) => warned.push(text))();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    await settle(desk, port);
    await eventually('it has said why', () => warned.length > 0);
    assert.match(
      warned[0] ?? '',
      new RegExp(`the proxy on port ${port}: listening on .*:${port}: somebody listens there`),
    );
    assert.match(desk.doors.proxy?.complaint?.hint ?? '', /stop and start the app/);
  });

  for (const life of ['an edit', 'the next Huddle'] as const) {
    test(`goes on when ${life} has another drain timeout, and is told when it is pointed`, async (t) => {
      const desks = deskIn(t);
      const port = await freePort();
      const first = desks();
      const control = await settle(first, port, 1);
      const release = { port: await program(t), revision: 'one' };
      await pointProxy(control, { ...release, drainTimeout: 1 }, never);
      const { pid } = await proxyStatus(control, never);
      if (life === 'the next Huddle') first.doors.proxy?.leave();

      const desk = life === 'an edit' ? first : desks();
      await settle(desk, port, 2);
      await pointProxy(control, { ...release, drainTimeout: 2 }, never);
      const after = await proxyStatus(control, never);
      assert.deepEqual([after.pid, after.drainTimeout], [pid, 2]);
      assert.equal(
        desk.doors.proxy?.settings.drainTimeout,
        2,
        'nor does one that is started again ask for the old one',
      );
    });

    test(`gives way to one at another address by ${life}, which serves before it ends`, async (t) => {
      const desks = deskIn(t);
      const [from, to] = [await freePort(), await freePort()];
      const first = desks();
      const control = await settle(first, from);
      await pointProxy(control, { port: await program(t), revision: 'one' }, never);
      const { pid } = await proxyStatus(control, never);
      if (life === 'the next Huddle') first.doors.proxy?.leave();

      // Whom the old address fails is answered at the new one at once.
      let settled: Promise<string> | null = null;
      for (;;) {
        const answered = await answerAt(from);
        if (answered !== 'shop') break;
        settled ??= settle(life === 'an edit' ? first : desks(), to);
      }
      assert.equal(await answerAt(to), 'shop');
      await settled;
      assert.equal(alive(pid), false);
      assert.notEqual((await proxyStatus(control, never)).pid, pid);
    });
  }
});

async function answerAt(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    return await response.text();
  } catch (error) {
    return String((error as Error).cause);
  }
}
