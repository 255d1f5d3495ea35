import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { drained, pointProxy, proxyStatus } from '../../src/proxy/client.ts';
import { errorCode } from '../../src/platform/error-code.ts';
import { ask, keeping, never, type Program, ProxyStage, readAnswer, until } from './stage.ts';

const named =
  (name: string): Program =>
  (_, response) =>
    response.end(name);

suite('The control socket of a proxy', { concurrency: 2 }, () => {
  test('is for its owner only, and tells how the proxy is', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy();
    assert.equal(statSync(proxy.settings.control).mode & 0o777, 0o600);
    const address = { host: '127.0.0.1', port: proxy.port };
    const nothing = { target: null, releases: [], drainTimeout: 30, waiting: 0, cut: 0, unwritten: null };
    assert.deepEqual(await proxy.status(), { pid: proxy.child.pid, address, workers: 2, ...nothing });
  });

  test('says what is wrong with a call', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy();
    const { settings } = proxy;
    const release = await stage.release('one', named('one'));
    await pointProxy(settings.control, { port: release.port, revision: 'one' }, never);
    const socketPath = settings.control;
    const wrong: [options: object, status: number, message: RegExp][] = [
      [{ path: '/' }, 404, /there is no such call/],
      [{ path: '/point' }, 405, /there is no such call/],
      [{ path: '/status', method: 'POST', body: '{}' }, 405, /there is no such call/],
      [{ path: '/point', method: 'POST', body: '{' }, 400, /it is not JSON/],
      [{ path: '/point', method: 'POST', body: '' }, 400, /it is not JSON/],
      [{ path: '/point', method: 'POST', body: '7' }, 400, /no object with port and revision/],
      [{ path: '/point', method: 'POST', body: '{"port":1}' }, 400, /revision: it is no text/],
      [{ path: '/point', method: 'POST', body: '{"port":0,"revision":"a"}' }, 400, /port: it is no number/],
      [{ path: '/point', method: 'POST', body: '{"port":"x","revision":"a"}' }, 400, /port: it is no number/],
      [
        { path: '/point', method: 'POST', body: '{"port":1,"revision":"a","drainTimeout":"x"}' },
        400,
        /drainTimeout: it is no number/,
      ],
      [{ path: '/point', method: 'POST', body: '{"port":70000,"revision":"a"}' }, 400, /port: it is no number/],
      [{ path: '/point', method: 'POST', body: `"${'a'.repeat(5000)}"` }, 400, /longer than 4096/],
      [{ path: '/drained' }, 400, /port: it is no number/],
      [{ path: `/drained?port=${release.port}` }, 409, /that release is in charge/],
    ];
    for (const [options, code, message] of wrong) {
      const answer = await ask(0, { socketPath, ...options });
      const { error } = JSON.parse(answer.body) as { error: { code: string; message: string } };
      assert.deepEqual([answer.status, error.code], [code, 'config-invalid'], answer.body);
      assert.match(error.message, message);
    }
    await assert.rejects(
      pointProxy(socketPath, { port: 0, revision: 'a' }, never),
      isFailure('config-invalid', /no number/),
    );
    await assert.rejects(drained(socketPath, release.port, never), isFailure('config-invalid', /is in charge/));
    assert.deepEqual((await proxy.status()).target, { port: release.port, revision: 'one' }, 'nothing was changed');
  });

  test('is waited for while the proxy starts, but not for ever', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', named('one'));
    const target = { port: release.port, revision: 'one' };
    const control = join(stage.folder, 'proxy.sock');
    await assert.rejects(proxyStatus(control, never), isFailure('not-running', /none is there/));
    const pointed = pointProxy(control, target, never);
    const proxy = await stage.proxy();
    await pointed;
    assert.equal((await ask(proxy.port)).body, 'one');
    const gone = AbortSignal.timeout(200);
    await assert.rejects(pointProxy(join(stage.folder, 'none.sock'), target, gone), { name: 'TimeoutError' });
    await drained(join(stage.folder, 'none.sock'), 1, never);
  });

  test('has nobody wait who has left', async (context) => {
    const stage = new ProxyStage(context);
    const begun = Promise.withResolvers<void>();
    const old = await stage.release('old', () => begun.resolve());
    const fresh = await stage.release('new', named('new'));
    const proxy = await stage.proxy();
    await proxy.point(old);
    const open = ask(proxy.port);
    await begun.promise;
    await proxy.point(fresh);
    const leaving = new AbortController();
    const waiting = drained(proxy.settings.control, old.port, leaving.signal);
    leaving.abort();
    await assert.rejects(waiting, { name: 'AbortError' });
    assert.equal((await proxy.status()).target?.revision, 'new');
    await old.close();
    assert.equal((await open).status, 502);
  });
});

suite('A proxy', { concurrency: 2 }, () => {
  test('that was killed is followed by one that points where it did', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', named('one'));
    const first = await stage.proxy();
    await first.point(release);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await stage.proxy({ listen: { host: '127.0.0.1', port: first.port } });
    assert.equal((await ask(second.port)).body, 'one');
    assert.deepEqual((await second.status()).target, { port: release.port, revision: 'one' });
  });

  test('whose memory is damaged says so, and waits to be told', async (context) => {
    const stage = new ProxyStage(context);
    const settings = stage.settings();
    for (const text of ['', '{"target":', '{"target":{"port":"x","revision":"a"}}']) {
      writeFileSync(settings.memory, text);
      const proxy = await stage.proxy();
      assert.equal((await proxy.status()).target, null);
      assert.match(proxy.log(), /proxy\.json does not say where to point/);
      proxy.child.kill('SIGKILL');
      await proxy.ended;
    }
  });

  test('that cannot remember points all the same, and tells', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', named('one'));
    const proxy = await stage.proxy({ memory: join(stage.folder, 'gone/proxy.json') });
    await proxy.point(release);
    assert.equal((await ask(proxy.port)).body, 'one');
    assert.match((await proxy.status()).unwritten ?? '', /no such file or folder/);
  });

  test('never takes an address that somebody else has', async (context) => {
    const stage = new ProxyStage(context);
    const strangers = createServer((_, response) => response.end('stranger'));
    strangers.listen({ port: 0, host: '127.0.0.1', reusePort: process.platform === 'linux' });
    context.after(() => strangers.close());
    await once(strangers, 'listening');
    const { port } = strangers.address() as AddressInfo;
    const refused = stage.launch(stage.settings({ listen: { host: '127.0.0.1', port } }));
    assert.equal(await refused.ended, 1);
    assert.match(refused.log(), new RegExp(`listening on 127\\.0\\.0\\.1:${port}: somebody listens there already`));
  });

  test('that has no such address says so', async (context) => {
    const stage = new ProxyStage(context);
    const refused = stage.launch(stage.settings({ listen: { host: '192.0.2.1', port: 0 } }));
    assert.equal(await refused.ended, 1);
    assert.match(refused.log(), /listening on 192\.0\.2\.1:0: .*This machine has no such address/);
  });

  test('listens at every address where no host is named', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', named('one'));
    const proxy = await stage.proxy({ listen: { host: '', port: 0 } });
    await proxy.point(release);
    assert.equal((await ask(proxy.port)).body, 'one');
    assert.equal((await ask(proxy.port, { host: 'localhost' })).body, 'one');
  });

  test('that is to end answers what is open, then exits 0 and leaves no socket', async (context) => {
    const stage = new ProxyStage(context);
    const begun = Promise.withResolvers<() => void>();
    const release = await stage.release('one', (_, response) => begun.resolve(() => response.end('one')));
    const proxy = await stage.proxy();
    await proxy.point(release);
    const open = ask(proxy.port, { agent: keeping(context) });
    await until(async () => (await proxy.status()).releases[0]?.open === 1, 'it to be open');
    proxy.child.kill('SIGTERM');
    await until(() => !existsSync(proxy.settings.control), 'it to take leave');
    await until(async () => {
      const probe = connect(proxy.port, '127.0.0.1');
      const isRefused = await new Promise<boolean>((resolve) => {
        probe.once('connect', () => resolve(false)).once('error', () => resolve(true));
      });
      probe.destroy();
      return isRefused;
    }, 'it to take no more connections');
    const finish = await begun.promise;
    finish();
    const { body, headers } = await open;
    assert.deepEqual([body, headers.connection], ['one', 'close']);
    assert.equal(await proxy.ended, 0);
  });

  test('that is to end cuts what is open after the drain timeout, or at once the second time', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', () => undefined);
    for (const drainTimeout of [1, 1000]) {
      const proxy = await stage.proxy({ drainTimeout });
      await proxy.point(release);
      const open = assert.rejects(ask(proxy.port));
      await until(async () => (await proxy.status()).releases[0]?.open === 1, 'it to be open');
      proxy.child.kill('SIGTERM');
      await until(() => proxy.log().includes('taking no more connections'), 'it to be told');
      if (drainTimeout === 1000) proxy.child.kill('SIGTERM');
      await proxy.ended;
      await open;
    }
  });

  test('is replaced by another one at the same address, under load', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', named('one'));
    const run = { isOver: false, asked: 0, unread: 0 };
    const failed: string[] = [];
    let proxy = await stage.proxy();
    const { port } = proxy;
    await proxy.point(release);
    const agent = keeping(context);
    const client = async (isKept: boolean): Promise<void> => {
      while (!run.isOver) {
        run.asked += 1;
        const sent = request({ host: '127.0.0.1', port, agent: isKept && agent });
        try {
          const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
          sent.end();
          assert.equal((await readAnswer((await answered)[0])).body, 'one');
        } catch (error) {
          // The kernel gives up what is in the queue of a socket that is closed (but with net.ipv4.tcp_migrate_req):
          // nothing of such a connection was ever read. Whoever is on one that has been taken must not fail.
          if (sent.reusedSocket || errorCode(error) !== 'ECONNRESET') failed.push(String(error));
          else run.unread += 1;
        }
      }
    };
    const clients = [true, true, false, false].map(client);
    for (let turn = 0; turn < 3; turn++) {
      const before = proxy;
      proxy = await stage.proxy({ listen: { host: '127.0.0.1', port } });
      before.child.kill('SIGTERM');
      assert.equal(await before.ended, 0);
      assert.ok(existsSync(proxy.settings.control), 'the socket is that of the new one');
      assert.equal((await proxy.status()).pid, proxy.child.pid);
    }
    run.isOver = true;
    await Promise.all(clients);
    assert.deepEqual(failed, []);
    assert.deepEqual(JSON.parse(readFileSync(proxy.settings.memory, 'utf8')), {
      target: { port: release.port, revision: 'one' },
    });
    context.diagnostic(`${run.asked} requests, 3 replacements, ${run.unread} connections were never taken`);
  });
});

const isFailure =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof Failure && error.code === code && message.test(error.message);
