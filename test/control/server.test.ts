import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../machines/failure.ts';
import { serveControl } from '../../src/control/server.ts';
import type { AppStatus } from '../../src/control/status.ts';
import { here } from '../../src/platform/here.ts';
import { addressIn, appStatus, FakeSource, historyEntry, temporaryFolder } from './fake-source.ts';

suite('The control socket', () => {
  test('may be opened by its owner alone, and goes with the server', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const before = process.umask();
    const control = await serveControl(new FakeSource(), path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(process.umask(), before);
    await control.close();
    assert.equal(existsSync(path), false);
  });

  test('says so when it cannot be loaded without descriptors, and is there when there are some', (t) => {
    const module = `
      import { subscribe } from 'node:diagnostics_channel';
      import { closeSync, openSync } from 'node:fs';
      import { connect } from 'node:net';
      import { serveControl } from '${import.meta.resolve('../../src/control/server.ts')}';
      import { FakeSource } from '${import.meta.resolve('./fake-source.ts')}';
      const path = '${addressIn(temporaryFolder(t))}';
      await serveControl(new FakeSource(), path);
      const visitors = [connect(path), connect(path)];
      await new Promise((resolve) => {
        let arrived = 0;
        subscribe('net.server.socket', () => (arrived += 1) === visitors.length && resolve());
      });
      const ask = async (visitor) => {
        let said = '';
        visitor.on('data', (data) => (said += data));
        visitor.write('GET /api/apps HTTP/1.1\\r\\nHost: huddle\\r\\nConnection: close\\r\\n\\r\\n');
        await new Promise((resolve) => visitor.once('end', resolve));
        return [/^HTTP.1.1 (\\d+)/.exec(said)?.[1], /too many open files|"apps"/.exec(said)?.[0]].join(' ');
      };
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null')); } catch {}
      const first = await ask(visitors[0]);
      for (const file of taken) closeSync(file);
      console.log(first + '; ' + await ask(visitors[1]));
      process.exit();`;
    const argv = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, module];
    const { stdout } = spawnSync('/bin/sh', argv, { encoding: 'utf8' });
    assert.equal(stdout, '500 too many open files; 200 "apps"\n');
  });

  test('takes the place of a dead Huddle’s', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const die = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
    spawnSync(process.execPath, ['-e', die]);
    assert.ok(statSync(path).isSocket());
    const control = await serveControl(new FakeSource(), path);
    assert.equal((await ask(path, '/healthz')).status, 200);
    await control.close();
  });

  test('never takes a socket on which somebody answers, nor anything else', async (t) => {
    const folder = temporaryFolder(t);
    const [path, file] = [addressIn(folder), join(folder, 'file')];
    const other = createServer().listen(path);
    t.after(() => other.close());
    await once(other, 'listening');
    await assert.rejects(serveControl(new FakeSource(), path), { code: 'path-occupied' });
    assert.ok(existsSync(path));
    writeFileSync(file, 'mine');
    await assert.rejects(serveControl(new FakeSource(), file), { code: 'path-occupied' });
    assert.ok(existsSync(file));
  });

  test(
    'that has taken the place of ours is left alone',
    { skip: here.controlPipe('') !== null && 'nobody can take the place of a pipe' },
    async (t) => {
      const path = addressIn(temporaryFolder(t));
      const ours = await serveControl(new FakeSource(), path);
      rmSync(path);
      const other = await serveControl(new FakeSource(), path);
      await ours.close();
      assert.equal((await ask(path, '/healthz')).status, 200);
      await other.close();
      assert.deepEqual(readdirSync(dirname(path)), []);
    },
  );

  test('in a folder that is not there is a failure that names it', async (t) => {
    const path = join(temporaryFolder(t), 'nowhere/huddle.sock');
    await assert.rejects(serveControl(new FakeSource(), path), { name: 'Failure', subject: path });
  });
});

suite('The control API', () => {
  test('answers with all apps, one app and its history', async (t) => {
    const { path, source } = await served(t, appStatus('shop'), appStatus('blog & más'));
    source.past.push(historyEntry(), historyEntry({ reason: 'older' }));
    assert.deepEqual(await ask(path, '/healthz'), { status: 200, body: 'ok\n' });
    assert.deepEqual(json(await ask(path, '/api/apps')), { apps: source.apps() });
    assert.deepEqual(json(await ask(path, '/api/apps/shop')), source.app('shop'));
    assert.deepEqual(json(await ask(path, '/api/apps/blog%20%26%20m%C3%A1s')), source.app('blog & más'));
    assert.deepEqual(json(await ask(path, '/api/apps/shop/history')), { history: source.past });
    assert.deepEqual(json(await ask(path, '/api/apps/shop/history?limit=1')), { history: source.past.slice(0, 1) });
    assert.deepEqual(await ask(path, '/api/apps', 'HEAD'), { status: 200, body: '' });
  });

  const refused: readonly (readonly [method: string, target: string, status: number, code: string])[] = [
    ['GET', '/', 404, 'not-found'],
    ['GET', '/api/apps/', 404, 'not-found'],
    ['GET', '/api/apps/shop/log/x', 404, 'not-found'],
    ['GET', '/api/apps/nobody', 404, 'not-found'],
    ['GET', '/api/apps/nobody/history', 404, 'not-found'],
    ['GET', '/api/apps/..%2fshop', 404, 'not-found'],
    ['GET', '/api/apps/__proto__', 404, 'not-found'],
    ['GET', '/api/apps/%ff', 400, 'bad-request'],
    ['GET', '/api/apps/shop/history?limit=0', 400, 'bad-request'],
    ['GET', '/api/apps/shop/history?limit=x', 400, 'bad-request'],
    ['POST', '/api/apps', 405, 'method-not-allowed'],
    ['DELETE', '/api/apps/shop', 405, 'method-not-allowed'],
    ['POST', '/api/events', 405, 'method-not-allowed'],
    ['POST', '/nowhere', 404, 'not-found'],
  ];
  for (const [method, target, status, code] of refused) {
    test(`answers ${method} ${target} with ${status}`, async (t) => {
      const { path } = await served(t, appStatus('shop'));
      const answer = await ask(path, target, method);
      assert.equal(answer.status, status);
      const { error } = json(answer) as { error: Record<string, string> };
      assert.deepEqual(Object.keys(error), ['code', 'message', 'hint']);
      assert.equal(error['code'], code);
    });
  }

  test('answers 500 with a code when the source fails, and lives on', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    source.history = () => Promise.reject(new Error('broken'));
    const answer = await ask(path, '/api/apps/shop/history');
    assert.equal(answer.status, 500);
    assert.equal((json(answer) as { error: { code: string } }).error.code, 'internal');
    assert.equal((await ask(path, '/healthz')).status, 200);
  });

  test('answers also who sends a body, and cuts off who does not end it', async (t) => {
    const { path } = await served(t);
    const post = 'POST /api/apps HTTP/1.1\r\nhost: x\r\n';
    const polite = connect(path).end(`${post}content-length: 50000\r\n\r\n${'x'.repeat(50_000)}`);
    const [answer] = (await once(polite, 'data')) as [Buffer];
    assert.match(String(answer), /^HTTP\/1\.1 405 /);

    const endless = connect(path).on('error', () => undefined);
    const cut = new Promise((resolve) => endless.once('close', resolve));
    endless.write(`${post}transfer-encoding: chunked\r\n\r\n`);
    const flood = (error?: Error | null): void => {
      if (!error) endless.write(`1000\r\n${'x'.repeat(4096)}\r\n`, flood);
    };
    flood();
    await cut;
    assert.equal((await ask(path, '/healthz')).status, 200);
  });
});

suite('An action', () => {
  test('is answered when it is done, with what came of it', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const done = Promise.withResolvers<string>();
    source.outcome = () => done.promise;
    let isAnswered = false;
    const answer = ask(path, '/api/apps/shop/deploy', 'POST', '{"revision":"abc"}').then((given) => {
      isAnswered = true;
      return given;
    });
    await poll(() => source.orders.length === 1);
    assert.equal((await ask(path, '/healthz')).status, 200);
    assert.equal(isAnswered, false);
    done.resolve('deployed abc');
    assert.deepEqual(json(await answer), { app: source.app('shop'), outcome: 'deployed abc' });
    assert.deepEqual(source.orders, ['deploy shop abc']);
  });

  test('of each kind is handed on, with and without a body', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const kinds = ['check', 'restart', 'stop', 'start', 'pause', 'resume', 'rollback'];
    for (const kind of kinds) assert.equal((await ask(path, `/api/apps/shop/${kind}`, 'POST')).status, 200);
    await ask(path, '/api/apps/shop/deploy', 'POST', '{}');
    await ask(path, '/api/apps/shop/check', 'POST', '{"dryRun":true}');
    assert.deepEqual(source.orders, [...kinds.map((kind) => `${kind} shop`), 'deploy shop null', 'preview shop']);
  });

  test('that fails is answered with 409, the failure and the app', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const parts = { doing: 'testing', subject: 'abc', reason: 'exit code 1', hint: 'See deploy.log.' };
    source.outcome = () => Promise.reject(new Failure('test-failed', parts));
    const answer = await ask(path, '/api/apps/shop/check', 'POST', '{}');
    assert.equal(answer.status, 409);
    const error = { code: 'test-failed', message: 'testing abc: exit code 1', hint: 'See deploy.log.' };
    assert.deepEqual(json(answer), { error, app: source.app('shop') });
  });

  const refused: readonly (readonly [target: string, body: string, status: number])[] = [
    ['/api/apps/nobody/stop', '{}', 404],
    ['/api/apps/shop/explode', '{}', 404],
    ['/api/apps/shop/deploy', '{"revision":7}', 400],
    ['/api/apps/shop/deploy', '{"revision":""}', 400],
    ['/api/apps/shop/deploy', '{"dryRun":true}', 400],
    ['/api/apps/shop/check', '{"dryRun":"yes"}', 400],
    ['/api/apps/shop/stop', '{"force":true}', 400],
    ['/api/apps/shop/stop', '[]', 400],
    ['/api/apps/shop/stop', '{', 400],
    ['/api/apps/shop/stop', `{"x":"${'x'.repeat(70_000)}"}`, 400],
  ];
  for (const [target, body, status] of refused) {
    test(`is refused: ${target} ${body.slice(0, 20)}`, async (t) => {
      const { path, source } = await served(t, appStatus('shop'));
      assert.equal((await ask(path, target, 'POST', body)).status, status);
      assert.deepEqual(source.orders, []);
      assert.equal((await ask(path, '/healthz')).status, 200);
    });
  }

  test('is not what GET does', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    assert.equal((await ask(path, '/api/apps/shop/stop')).status, 405);
    assert.equal((await ask(path, '/api/detach')).status, 405);
    assert.deepEqual(source.orders, []);
    assert.deepEqual(json(await ask(path, '/api/detach', 'POST')), { apps: ['shop'] });
    assert.deepEqual(source.orders, ['detach']);
  });
});

suite('A log', () => {
  test('is text: its last lines, and with follow what comes after them, until the client leaves', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    source.logFolder = temporaryFolder(t);
    const { appLog, deployLog } = source.logs('shop');
    writeFileSync(appLog, 'one\ntwo\nthree\n');
    writeFileSync(deployLog, 'testing\n');
    assert.deepEqual(await ask(path, '/api/apps/shop/log?lines=2'), { status: 200, body: 'two\nthree\n' });
    assert.equal((await ask(path, '/api/apps/shop/log?deploy=1')).body, 'testing\n');
    const response = await respond(path, '/api/apps/shop/log?follow=1&lines=1', 'GET');
    assert.equal(response.headers['content-type'], 'text/plain; charset=utf-8');
    let text = '';
    response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    await poll(() => text === 'three\n');
    appendFileSync(appLog, 'four\n');
    await poll(() => text === 'three\nfour\n');
    response.destroy();
  });

  test('is refused where it is asked for wrongly, and empty where there is none', async (t) => {
    const { path } = await served(t, appStatus('shop'));
    assert.equal((await ask(path, '/api/apps/shop/log?lines=many')).status, 400);
    assert.equal((await ask(path, '/api/apps/nobody/log')).status, 404);
    assert.deepEqual(await ask(path, '/api/apps/shop/log'), { status: 200, body: '' });
  });
});

suite('Events', () => {
  test('begin with every app, then tell each change, deployment and removal', async (t) => {
    const { path, source } = await served(t, appStatus('shop'), appStatus('blog'));
    const events = await listen(t, path);
    await events.until(2);
    source.put(appStatus('shop', { state: 'checking' }));
    await events.until(3);
    const entry = historyEntry();
    source.put(appStatus('shop', { state: 'running' }));
    source.deployed('shop', entry);
    await events.until(5);
    source.remove('blog');
    await events.until(6);
    assert.deepEqual(events.seen, [
      ['app', appStatus('shop')],
      ['app', appStatus('blog')],
      ['app', appStatus('shop', { state: 'checking' })],
      ['app', appStatus('shop', { state: 'running' })],
      ['deployment', { name: 'shop', ...entry }],
      ['removed', { name: 'blog' }],
    ]);
  });

  test('say when everything that there is has been told', async (t) => {
    const { path, source } = await served(t, appStatus('shop'), appStatus('blog'));
    const events = await listen(t, path);
    await events.until(2);
    source.put(appStatus('shop', { state: 'checking' }));
    await events.until(3);
    const types = [...events.text().matchAll(/^event: (\w+)$/gm)].map(([, type]) => type);
    assert.deepEqual(types, ['app', 'app', 'ready', 'app']);
  });

  test('of one tick are one, and what has not changed is not told', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const events = await listen(t, path);
    await events.until(1);
    for (const state of ['checking', 'testing', 'pulling'] as const) source.put(appStatus('shop', { state }));
    await events.until(2);
    source.touch('shop');
    source.touch('nobody');
    await sleep(20);
    source.put(appStatus('blog'));
    await events.until(3);
    const states = events.seen.map(([, data]) => [(data as { name: string }).name, (data as { state: string }).state]);
    assert.deepEqual(states, [
      ['shop', 'running'],
      ['shop', 'pulling'],
      ['blog', 'running'],
    ]);
  });

  test('reach one who comes late in full, without hiding a change from those who are there', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const early = await listen(t, path);
    await early.until(1);
    source.put(appStatus('shop', { state: 'checking' }));
    const late = await listen(t, path);
    await late.until(1);
    await early.until(2);
    assert.deepEqual(early.seen[1], late.seen[0]);
  });

  test('cost nothing while nobody listens', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    assert.equal(source.listeners, 0);
    const [one, two] = [await listen(t, path), await listen(t, path)];
    await two.until(1);
    assert.equal(source.listeners, 1);
    one.response.destroy();
    two.response.destroy();
    await poll(() => source.listeners === 0);
    source.put(appStatus('shop', { state: 'stopped' }));
    const again = await listen(t, path);
    await again.until(1);
    assert.deepEqual(again.seen, [['app', appStatus('shop', { state: 'stopped' })]]);
  });

  test('that a client does not read end its connection, and hold up nobody', async (t) => {
    const { path, source } = await served(t, appStatus('shop'));
    const slow = await listen(t, path);
    slow.response.pause();
    const quick = await listen(t, path);
    const long = 'x'.repeat(100_000);
    let round = 0;
    const pump = setInterval(() => {
      round += 1;
      source.put(appStatus('shop', { branch: `${round}${long}` }));
    }, 1);
    t.after(() => clearInterval(pump));
    await poll(() => quick.seen.length > 100);
    clearInterval(pump);
    const closed = once(slow.response, 'close').catch(() => undefined);
    slow.response.resume();
    await closed;
    assert.ok(slow.seen.length < quick.seen.length);
    const told = quick.seen.length;
    source.put(appStatus('shop'));
    await quick.until(told + 1);
  });

  test('have a heartbeat, and who takes nothing between two beats is dropped', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const source = new FakeSource(...Array.from({ length: 2000 }, (_, index) => appStatus(`app-${index}`)));
    const control = await serveControl(source, path, { heartbeat: 30 });
    t.after(() => control.close());
    const reader = await listen(t, path);
    await poll(() => reader.text().endsWith(': here\n\n'));
    const sleeper = connect(path);
    sleeper.on('error', () => undefined).pause();
    sleeper.write('GET /api/events HTTP/1.1\r\nhost: x\r\n\r\n');
    const closed = once(sleeper, 'close').catch(() => undefined);
    await sleep(200);
    sleeper.resume();
    await closed;
    assert.ok(!reader.response.closed);
  });

  test('end when the server closes', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const control = await serveControl(new FakeSource(appStatus('shop')), path);
    const events = await listen(t, path);
    await events.until(1);
    const ended = once(events.response, 'end');
    const half = connect(path);
    half.write('GET /api/apps HTTP/1.1\r\n');
    await ask(path, '/healthz');
    const dropped = new Promise((resolve) => half.on('error', resolve).on('close', resolve));
    half.resume();
    await control.close();
    await Promise.all([ended, dropped]);
  });
});

async function served(t: TestContext, ...apps: readonly AppStatus[]) {
  const path = addressIn(temporaryFolder(t));
  const source = new FakeSource(...apps);
  const control = await serveControl(source, path);
  t.after(() => control.close());
  return { path, source };
}

interface Answered {
  readonly status: number;
  readonly body: string;
}

async function ask(path: string, target: string, method = 'GET', sent = ''): Promise<Answered> {
  const response = await respond(path, target, method, sent);
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode ?? 0, body };
}

function respond(socketPath: string, path: string, method: string, body = ''): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method, agent: false }, resolve).on('error', reject).end(body);
  });
}

function json({ body }: Answered): unknown {
  return JSON.parse(body);
}

/** An event stream, read as the standard says and apart from Huddle's own client. */
async function listen(t: TestContext, path: string) {
  const response = await respond(path, '/api/events', 'GET');
  assert.equal(response.headers['content-type'], 'text/event-stream');
  t.after(() => response.destroy());
  let text = '';
  const seen: [string, unknown][] = [];
  let rest = '';
  response.on('error', () => undefined);
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const frames = (rest + chunk).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
      if (event && event !== 'ready' && data) seen.push([event, JSON.parse(data)]);
    }
  });
  return { response, seen, text: () => text, until: (count: number) => poll(() => seen.length >= count) };
}

async function poll(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'it did not happen');
    await sleep(2);
  }
}
