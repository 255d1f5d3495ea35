import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, keeping, ProxyStage, readAnswer, textOf, until } from './stage.ts';

suite('The proxy passes on', { concurrency: 3 }, () => {
  test('method, path, headers and body as they are, and so the answer', async (context) => {
    const stage = new ProxyStage(context);
    const seen: { request: IncomingMessage; body: string }[] = [];
    const release = await stage.release('one', async (request, response) => {
      seen.push({ request, body: await textOf(request) });
      response.writeHead(418, 'Short and stout', ['Set-Cookie', 'a=1', 'X-Mixed-Case', 'caf\xe9', 'Set-Cookie', 'b=2']);
      response.end('tea');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const headers = ['Host', 'shop.example', 'X-Twice', '1', 'x-twice', '2', 'Content-Length', '4'];
    const answer = await ask(proxy.port, { method: 'PATCH', path: '/a%2f..//b?c=%20&d', headers, body: 'milk' });
    const [only] = seen;
    assert.equal(seen.length, 1);
    assert.equal(only?.request.method, 'PATCH');
    assert.equal(only.request.url, '/a%2f..//b?c=%20&d');
    assert.equal(only.body, 'milk');
    assert.deepEqual(only.request.rawHeaders.slice(0, 8), headers);
    assert.equal(answer.status, 418);
    assert.deepEqual(answer.rawHeaders.slice(0, 6), [
      'Set-Cookie',
      'a=1',
      'X-Mixed-Case',
      'caf\xe9',
      'Set-Cookie',
      'b=2',
    ]);
    assert.equal(answer.body, 'tea');
  });

  test('many requests over one connection of a client, over one to the program', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (request, response) => response.end(request.url));
    const proxy = await stage.proxy();
    await proxy.point(release);
    const agent = keeping(context);
    for (let turn = 0; turn < 20; turn++) {
      const sent = request({ port: proxy.port, host: '127.0.0.1', path: `/${turn}`, agent }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      assert.equal(await textOf(response), `/${turn}`);
      assert.equal(sent.reusedSocket, turn > 0);
    }
    assert.equal(release.taken.count, 1);
  });

  test('no header that is for the neighbour only, nor one that Connection names', async (context) => {
    const stage = new ProxyStage(context);
    let seen: IncomingMessage['headers'] = {};
    const release = await stage.release('one', (request, response) => {
      seen = request.headers;
      response.writeHead(200, {
        Connection: 'X-Inner, keep-alive',
        'X-Inner': '1',
        'Proxy-Connection': 'x',
        'X-Kept': '1',
      });
      response.end('ok');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const { headers } = await ask(proxy.port, {
      method: 'POST',
      headers: {
        connection: 'x-secret, host, content-length',
        'x-secret': '1',
        'keep-alive': 'timeout=5',
        'proxy-connection': 'keep-alive',
        te: 'trailers, gzip',
        'content-length': '2',
      },
      body: 'ok',
    });
    for (const name of ['x-secret', 'keep-alive', 'proxy-connection']) assert.equal(seen[name], undefined, name);
    assert.equal(seen['te'], 'trailers');
    assert.equal(seen['content-length'], '2', 'what frames the body is never taken away');
    assert.equal(seen.host, `127.0.0.1:${proxy.port}`);
    assert.equal(headers['x-inner'], undefined);
    assert.equal(headers['proxy-connection'], undefined);
    assert.equal(headers['x-kept'], '1');
  });

  test('the answers to HEAD, and those without a body', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 204 ? {} : { 'Content-Length': '5', ETag: '"x"' });
      response.end(request.method === 'HEAD' || status !== 200 ? undefined : 'hello');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const agent = keeping(context);
    const head = await ask(proxy.port, { method: 'HEAD', path: '/200', agent });
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', '']);
    const none = await ask(proxy.port, { path: '/204', agent });
    assert.deepEqual([none.status, none.headers['transfer-encoding'], none.body], [204, undefined, '']);
    const same = await ask(proxy.port, { path: '/304', agent });
    assert.deepEqual([same.status, same.headers.etag, same.body], [304, '"x"', '']);
    assert.equal((await ask(proxy.port, { path: '/200', agent })).body, 'hello', 'the connection is still in step');
  });

  test('each server-sent event when it is sent, and the head before any', async (context) => {
    const stage = new ProxyStage(context);
    let say: (text: string) => void = () => undefined;
    const release = await stage.release('one', (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      say = (text) => void response.write(text);
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const sent = request({ port: proxy.port, host: '127.0.0.1' }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      say(event);
      const [heard] = (await once(response, 'data')) as [string];
      assert.equal(heard, event);
    }
    sent.destroy();
  });

  test('both directions at once, and an answer that comes before the body', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (request, response) => {
      response.writeHead(200).flushHeaders();
      request.pipe(response);
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST' });
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    for (const word of ['ping', 'pong']) {
      sent.write(word);
      const [heard] = (await once(response, 'data')) as [Buffer];
      assert.equal(heard.toString(), word);
    }
    sent.end();
    response.resume();
    await once(response, 'end');
  });

  test('bodies of any size, whole, both ways', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (request, response) => request.pipe(response));
    const proxy = await stage.proxy();
    await proxy.point(release);
    const piece = randomBytes(1024 * 1024);
    const [out, back] = [createHash('sha256'), createHash('sha256')];
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'PUT' });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    const writing = pipeline(async function* () {
      for (let turn = 0; turn < 96; turn++) {
        out.update(piece);
        yield piece;
      }
    }, sent);
    const [response] = await answered;
    for await (const chunk of response) back.update(chunk as Buffer);
    await writing;
    assert.equal(back.digest('hex'), out.digest('hex'));
  });

  test('no more than the other side takes: it holds no body in memory', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (request, response) => {
      if (request.method === 'POST') return;
      const more = (): void => {
        while (response.write(piece));
      };
      response.on('drain', more);
      more();
    });
    const piece = Buffer.alloc(64 * 1024);
    const proxy = await stage.proxy();
    await proxy.point(release);
    // What the kernel holds on the way is some megabytes; without an end it would be all that there is.
    const up = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', agent: false });
    up.on('error', () => undefined);
    while (up.write(piece));
    up.on('drain', () => {
      while (up.write(piece));
    });
    const down = request({ port: proxy.port, host: '127.0.0.1', agent: false }).end();
    const [response] = (await once(down, 'response')) as [IncomingMessage];
    response.on('error', () => undefined).pause();
    const moved = (): number =>
      (up.socket?.bytesWritten ?? 0) + [...release.taken.open].reduce((sum, socket) => sum + socket.bytesWritten, 0);
    await until(async () => {
      const before = moved();
      await sleep(500);
      return moved() === before;
    }, 'both ways to stand still');
    assert.ok(moved() < 64 * 1024 * 1024, `${moved()} bytes were taken`);
    up.destroy();
    down.destroy();
  });

  test('trailers, both ways', async (context) => {
    const stage = new ProxyStage(context);
    let seen: readonly string[] = [];
    const release = await stage.release('one', async (request, response) => {
      await textOf(request);
      seen = request.rawTrailers;
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers([['X-Sum', '42']]);
      response.end();
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const headers = { 'Transfer-Encoding': 'chunked', Trailer: 'X-Count' };
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.write('body');
    sent.addTrailers([['X-Count', '4']]);
    sent.end();
    const answer = await readAnswer((await answered)[0]);
    assert.deepEqual(seen, ['X-Count', '4']);
    assert.deepEqual(answer.rawTrailers, ['X-Sum', '42']);
    assert.equal(answer.headers.trailer, 'X-Sum');
  });

  test('to a client of HTTP/1.0 no chunks, and to the program a Host', async (context) => {
    const stage = new ProxyStage(context);
    let host: string | undefined;
    const release = await stage.release('one', (request, response) => {
      host = request.headers.host;
      response.write('a');
      response.end('b');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const { socket, heard } = await stage.dial(proxy.port);
    socket.write('GET / HTTP/1.0\r\n\r\n');
    await once(socket, 'end');
    assert.equal(host, 'localhost');
    assert.match(heard(), /^HTTP\/1\.1 200/);
    assert.doesNotMatch(heard(), /chunked/i);
    assert.ok(heard().endsWith('\r\n\r\nab'), heard());
  });

  test('answers of programs that end them by closing the connection', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.raw('one', (socket) => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end'));
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    assert.equal((await ask(proxy.port)).body, 'until the end');
  });
});
