import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, keeping, ProxyStage, readAnswer, textOf, until } from './stage.ts';

suite('A request waits', { concurrency: 3 }, () => {
  test('until there is a first release', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => response.end('one'));
    const proxy = await stage.proxy();
    const asked = Array.from({ length: 20 }, () => ask(proxy.port));
    await until(async () => (await proxy.status()).waiting === 20, 'all to wait');
    await proxy.point(release);
    for (const { body } of await Promise.all(asked)) assert.equal(body, 'one');
    assert.equal((await proxy.status()).waiting, 0);
  });

  test('while the release in charge takes no connections, and goes on when it does', async (context) => {
    const stage = new ProxyStage(context);
    const first = await stage.release('one', (_, response) => response.end('first life'));
    const proxy = await stage.proxy();
    await proxy.point(first);
    assert.equal((await ask(proxy.port)).body, 'first life');
    await first.close();
    const asked = ['GET', 'POST', 'PUT'].map((method) =>
      ask(proxy.port, { method, body: method === 'GET' ? '' : 'body' }),
    );
    await until(async () => (await proxy.status()).waiting === 3, 'all to wait');
    const bodies: string[] = [];
    await stage.release(
      'one',
      async (incoming, response) => {
        bodies.push(await textOf(incoming));
        response.end('second life');
      },
      first.port,
    );
    for (const { status, body } of await Promise.all(asked)) assert.deepEqual([status, body], [200, 'second life']);
    assert.deepEqual(bodies.toSorted(), ['', 'body', 'body']);
  });

  test('for another release where the one in charge never comes back', async (context) => {
    const stage = new ProxyStage(context);
    const first = await stage.release('one', (_, response) => response.end('one'));
    const second = await stage.release('two', (_, response) => response.end('two'));
    const proxy = await stage.proxy();
    await proxy.point(first);
    await first.close();
    const asked = ask(proxy.port);
    await until(async () => (await proxy.status()).waiting === 1, 'it to wait');
    await proxy.point(second);
    assert.equal((await asked).body, 'two');
  });

  test('when it is told so, and what is under way ends as it began', async (context) => {
    const stage = new ProxyStage(context);
    const begun = Promise.withResolvers<() => void>();
    const release = await stage.release('one', (incoming, response) => {
      if (incoming.url === '/slow') begun.resolve(() => response.end('slow'));
      else response.end('quick');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const slow = ask(proxy.port, { path: '/slow' });
    await until(async () => (await proxy.status()).releases[0]?.open === 1, 'it to be open');
    await proxy.point(null);
    const later = ask(proxy.port);
    await until(async () => (await proxy.status()).waiting === 1, 'the next one to wait');
    const finish = await begun.promise;
    finish();
    assert.equal((await slow).body, 'slow');
    await proxy.point(release);
    assert.equal((await later).body, 'quick');
  });

  test('with its body unread, however large', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy();
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': 1e9 } });
    sent.on('error', () => undefined);
    const piece = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (sent.write(piece));
    };
    sent.on('drain', more);
    more();
    await until(async () => (await proxy.status()).waiting === 1, 'it to wait');
    const moved = (): number => sent.socket?.bytesWritten ?? 0;
    await until(async () => {
      const before = moved();
      await sleep(500);
      return moved() === before;
    }, 'the body to stand still');
    // What the kernel holds; the proxy itself has read one piece.
    assert.ok(moved() < 16 * 1024 * 1024, `${moved()} bytes were taken`);
    sent.destroy();
  });

  test('no longer than it may, then it is told when to come back', async (context) => {
    const stage = new ProxyStage(context);
    const gone = await stage.release('gone', () => undefined);
    await gone.close();
    const proxy = await stage.proxy({ patience: 1 });
    const unpointed = await ask(proxy.port);
    assert.equal(unpointed.status, 503);
    assert.equal(unpointed.headers['retry-after'], '5');
    await proxy.point(gone);
    const refused = await ask(proxy.port, { method: 'POST', body: 'x' });
    assert.equal(refused.status, 503);
    assert.match(refused.body, /no release of the program can answer/);
    assert.equal((await proxy.status()).waiting, 0);
  });

  test('where there is room, and is told at once where there is none', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy({ workers: 1, room: 5 });
    const release = await stage.release('one', (_, response) => response.end('one'));
    const asked = Array.from({ length: 5 }, () => ask(proxy.port));
    await until(async () => (await proxy.status()).waiting === 5, 'five to wait');
    const sixth = await ask(proxy.port);
    assert.deepEqual([sixth.status, sixth.headers['retry-after']], [503, '5']);
    await proxy.point(release);
    for (const { body } of await Promise.all(asked)) assert.equal(body, 'one');
  });

  test('only while its client does', async (context) => {
    const stage = new ProxyStage(context);
    let asked = 0;
    const release = await stage.release('one', (_, response) => {
      asked += 1;
      response.end();
    });
    const proxy = await stage.proxy();
    const sent = request({ port: proxy.port, host: '127.0.0.1' }).end();
    sent.on('error', () => undefined);
    await until(async () => (await proxy.status()).waiting === 1, 'it to wait');
    sent.destroy();
    await until(async () => (await proxy.status()).waiting === 0, 'it to be forgotten');
    await proxy.point(release);
    await ask(proxy.port);
    assert.equal(asked, 1);
  });
});

suite('A request is sent', { concurrency: 3 }, () => {
  test('once, when its body has begun, whatever becomes of the program', async (context) => {
    const stage = new ProxyStage(context);
    let asked = 0;
    const release = await stage.release('one', (incoming) => {
      asked += 1;
      incoming.once('data', () => incoming.destroy());
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    for (const method of ['POST', 'PUT']) {
      const answer = await ask(proxy.port, { method, body: 'pay' });
      assert.equal(answer.status, 502);
    }
    assert.equal(asked, 2);
  });

  test('again, when it asks only and a kept connection was closed in that instant', async (context) => {
    const stage = new ProxyStage(context);
    const heads: string[] = [];
    // Its connections are good for one request, which it does not say.
    const release = await stage.raw('one', (socket) => {
      let count = 0;
      socket.on('data', (chunk) => {
        count += 1;
        heads.push(chunk.toString().split(' HTTP', 1)[0] ?? '');
        if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else socket.resetAndDestroy();
      });
    });
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(release);
    assert.equal((await ask(proxy.port, { path: '/1' })).body, 'ok');
    assert.equal((await ask(proxy.port, { path: '/2' })).body, 'ok');
    assert.deepEqual(heads, ['GET /1', 'GET /2', 'GET /2']);
    assert.equal((await ask(proxy.port, { path: '/3' })).body, 'ok');
    const paid = await ask(proxy.port, { method: 'POST', path: '/pay', headers: { 'content-length': 0 } });
    assert.ok([200, 502].includes(paid.status));
    assert.equal(heads.filter((head) => head === 'POST /pay').length, 1, 'what may change something is not');
  });

  test('over no connection that has been idle for long', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => response.end('ok'));
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(release);
    const agent = keeping(context);
    const hello = async (): Promise<string> => {
      const sent = request({ port: proxy.port, host: '127.0.0.1', agent }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return (await readAnswer(response)).body;
    };
    assert.equal(await hello(), 'ok');
    await until(() => release.taken.open.size === 0, 'the proxy to close it');
    assert.equal(await hello(), 'ok');
    assert.equal(release.taken.count, 2);
  });
});
