import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type InformationEvent, request, type RequestListener } from 'node:http';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, keeping, ProxyStage, readAnswer, textOf, until } from './stage.ts';

suite('Before the answer', { concurrency: 3 }, () => {
  test('leave to send the body comes from the program', async (context) => {
    const stage = new ProxyStage(context);
    const order: string[] = [];
    const release = await stage.release('one', () => undefined);
    const onAsk: RequestListener = (incoming, response) => {
      order.push(`asked ${incoming.headers.expect}`);
      response.writeContinue();
      void textOf(incoming).then((body) => response.end(body.toUpperCase()));
    };
    release.server.on('checkContinue', onAsk);
    const proxy = await stage.proxy();
    await proxy.point(release);
    const headers = { Expect: '100-continue', 'Content-Length': '4' };
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.once('continue', () => {
      order.push('sent');
      sent.end('body');
    });
    sent.flushHeaders();
    assert.equal((await readAnswer((await answered)[0])).body, 'BODY');
    assert.deepEqual(order, ['asked 100-continue', 'sent']);
  });

  test('a program that does not want a body says so, and the client is to use another connection', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', () => undefined);
    release.server.on('checkContinue', ((_, response) => response.writeHead(413).end('too much')) as RequestListener);
    const proxy = await stage.proxy();
    await proxy.point(release);
    const headers = { Expect: '100-continue', 'Content-Length': '4' };
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers, agent: keeping(context) });
    let isContinued = false;
    sent.on('continue', () => (isContinued = true)).on('error', () => undefined);
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    assert.deepEqual([response.statusCode, response.headers.connection, isContinued], [413, 'close', false]);
    response.resume();
    sent.destroy();
  });

  test('a program that never gives leave gets the body all the same', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.raw('one', (socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
        if (text.endsWith('body')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const headers = { Expect: '100-continue', 'Content-Length': '4' };
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers });
    sent.once('continue', () => sent.end('body')).flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    assert.equal((await readAnswer(response)).body, 'ok');
  });

  test('early hints and news of progress are passed on', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.js>; rel=preload'] }, () => response.end('ok'));
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const early: InformationEvent[] = [];
    const sent = request({ port: proxy.port, host: '127.0.0.1' });
    sent.on('information', (information) => early.push(information)).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    assert.equal((await readAnswer(response)).body, 'ok');
    assert.deepEqual(
      early.map(({ statusCode }) => statusCode),
      [102, 103],
    );
    assert.equal(early[1]?.headers['link'], '</a.css>; rel=preload, </b.js>; rel=preload');
  });
});

suite('Whoever leaves', { concurrency: 3 }, () => {
  test('takes the request to the program along, before the answer and in the middle of it', async (context) => {
    const stage = new ProxyStage(context);
    let [asked, gone] = [0, 0];
    const release = await stage.release('one', (incoming, response) => {
      asked += 1;
      response.once('close', () => (gone += 1));
      if (incoming.url === '/begun') response.writeHead(200).write('beginning');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const silent = request({ port: proxy.port, host: '127.0.0.1', path: '/silent' }).end();
    silent.on('error', () => undefined);
    const begun = request({ port: proxy.port, host: '127.0.0.1', path: '/begun' }).end();
    const [response] = (await once(begun, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    await until(() => asked === 2, 'both to be asked');
    silent.destroy();
    begun.destroy();
    await until(() => gone === 2, 'both to be gone');
    await until(async () => (await proxy.status()).releases[0]?.open === 0, 'both to be counted off');
  });

  test('in the middle of his body takes that along', async (context) => {
    const stage = new ProxyStage(context);
    let isGone = false;
    const release = await stage.release('one', (incoming) => {
      incoming.on('error', () => (isGone = true)).resume();
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': 1000 } });
    sent.on('error', () => undefined).write('half');
    await until(() => release.taken.count === 1, 'the body to begin');
    sent.destroy();
    await until(() => isGone, 'the program to see it end');
  });

  test('as the program in the middle of its answer is seen by the client', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('beginning');
      setImmediate(() => response.destroy());
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    await assert.rejects(ask(proxy.port), /aborted|hang up/);
  });

  test('as the program before its answer is answered for with 502', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => response.destroy());
    const proxy = await stage.proxy();
    await proxy.point(release);
    const answer = await ask(proxy.port, { method: 'POST', body: 'x' });
    assert.equal(answer.status, 502);
    assert.match(answer.body, /the program broke the connection off/);
  });

  test('late is not cut off: a program may be silent, and a client slow, for as long as they like', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', async (incoming, response) => {
      const body = await textOf(incoming);
      // Longer than any connection is kept without a request.
      await sleep(2500);
      response.write(body);
      await sleep(1500);
      response.end('!');
    });
    const proxy = await stage.proxy();
    await proxy.point(release);
    const sent = request({ port: proxy.port, host: '127.0.0.1', method: 'POST' });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.write('s');
    await sleep(1500);
    sent.end('low');
    assert.equal((await readAnswer((await answered)[0])).body, 'slow!');
  });
});
