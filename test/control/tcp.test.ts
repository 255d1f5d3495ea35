import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { suite, test } from 'node:test';
import { WebSocket } from 'ws';
import { serveTcp } from '../../src/control/tcp.ts';
import { FakeSource, appStatus } from './fake-source.ts';
import { ask, knock, raw, servedOnTcp, token, withToken } from './visitor.ts';

suite('Over TCP', { concurrency: true }, () => {
  test('whoever has the token may do what the contract lists, and nothing else', async (t) => {
    const { source, url } = await servedOnTcp(t, {}, appStatus('shop'));
    const status = async (path: string, method = 'GET') =>
      (await ask(url, path, { method, headers: withToken })).status;
    for (const path of ['/api/apps', '/api/apps/shop', '/api/apps/shop/history', '/metrics', '/healthz'])
      assert.equal(await status(path), 200, path);
    assert.equal(await status('/api/apps/shop/check', 'POST'), 200);
    assert.deepEqual(source.orders, ['check shop']);
    // These are the socket's alone: whoever ends Huddle, or asks where it lives, is on its machine.
    assert.equal(await status('/api/detach', 'POST'), 404);
    assert.equal(await status('/api/huddle'), 404);
    assert.deepEqual(source.orders, ['check shop']);
  });

  const closed: readonly (readonly [method: string, path: string])[] = [
    ['POST', '/'],
    ['GET', '/dashboard/../api/apps'],
    ['GET', '/api/apps'],
    ['GET', '/api/apps/shop'],
    ['GET', '/api/apps/shop/log'],
    ['GET', '/api/apps/shop/history'],
    ['GET', '/api/events'],
    ['GET', '/metrics'],
    ['GET', '/inspect'],
    ['GET', '/nowhere'],
    ['POST', '/'],
    ['POST', '/inspector'],
    ['GET', '/dashboard'],
    ['GET', '/dashboard/%2e%2e/api/apps'],
    ['HEAD', '/api/apps'],
    ['OPTIONS', '/api/apps'],
    ['POST', '/api/apps/shop/stop'],
    ['POST', '/api/detach'],
    ['GET', '/hooks/shop'],
    ['POST', '/hooks'],
    ['POST', '/hooks/shop/more'],
    ['POST', '/hooks/%2e%2e'],
    ['POST', '/hooks/..'],
    ['GET', '/healthz/'],
    ['GET', '/healthz/../api/apps'],
    ['GET', '/healthz%2f..%2fapi'],
    ['GET', '//healthz'],
    ['GET', 'http://x/healthz'],
  ];
  for (const [method, path] of closed) {
    test(`${method} ${path} needs the token`, async (t) => {
      const { source, url } = await servedOnTcp(t, {}, appStatus('shop'));
      const answer = await ask(url, path, { method });
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="huddle"');
      assert.ok(!answer.body.includes(token));
      assert.deepEqual(source.orders, []);
    });
  }

  test('who is refused does not keep his connection', async (t) => {
    const { url } = await servedOnTcp(t);
    const answer = await raw(url, `GET /api/apps HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 401 .*\r\nconnection: close\r\n/is);
  });

  test('a health check and a webhook need none', async (t) => {
    const { url, source } = await servedOnTcp(t, {}, appStatus('shop'));
    source.shared = 'between us';
    assert.deepEqual([(await ask(url, '/healthz')).body, (await ask(url, '/healthz?x')).status], ['ok\n', 200]);
    const hook = async (headers = {}, name = 'shop') => {
      const known = { 'x-gitlab-token': 'between us', ...headers };
      return (await ask(url, `/hooks/${name}`, { method: 'POST', headers: known })).status;
    };
    assert.equal(await hook(), 202);
    assert.equal(await hook({ host: 'any-proxy.example' }), 202);
    assert.deepEqual(source.orders, ['wake shop', 'wake shop']);
    assert.equal(await hook({ origin: 'https://evil.example' }), 403);
    assert.equal(await hook({ 'x-gitlab-token': 'guessed' }), 401);
    assert.equal(await hook({}, 'nobody'), 401);
    source.shared = null;
    assert.equal(await hook(), 401);
    assert.equal(source.orders.length, 2);
  });

  test('a token that is wrong, cut, longer, of another scheme or in a URL is none', async (t) => {
    const { url } = await servedOnTcp(t);
    for (const authorization of [
      `Bearer ${token.slice(1)}`,
      `Bearer ${token}T`,
      `Bearer ${token.toLowerCase()}`,
      `Bearer ${token} ${token}`,
      `Basic ${token}`,
      token,
      'Bearer ',
      '',
    ])
      assert.equal((await ask(url, '/api/apps', { headers: { authorization } })).status, 401, authorization);
    assert.equal((await ask(url, `/api/apps?token=${token}`)).status, 401);
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
    assert.equal((await ask(url, `/api/apps?token=${token}`, { headers: upgrade })).status, 401);
    assert.equal((await ask(url, '/api/apps', { headers: { authorization: `bearer  ${token}` } })).status, 200);
  });

  test('only names of its own are answered to, so that nobody rebinds his to it', async (t) => {
    const { url } = await servedOnTcp(t, { allowHosts: ['huddle.example', 'fd00::1'] });
    const status = async (host: string) => (await ask(url, '/api/apps', { headers: { ...withToken, host } })).status;
    const own = [
      '127.0.0.1',
      '127.0.0.1:80',
      'localhost:8080',
      'LOCALHOST',
      '[::1]:1',
      'Huddle.Example',
      '[fd00::1]:9',
    ];
    for (const host of own) assert.equal(await status(host), 200, host);
    const foreign = [
      'evil.example',
      'huddle.example.evil.example',
      'evil.huddle.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      'x.localhost',
      'localhost:80@evil.example',
      'evil.example:80/127.0.0.1',
      '10.0.0.1',
      '127.evil.example',
      '2130706433',
      '0.0.0.0',
    ];
    for (const host of foreign) assert.equal(await status(host), 403, host);
    assert.equal((await ask(url, '/healthz', { headers: { host: 'evil.example' } })).status, 403);
    const empty = `GET /api/apps HTTP/1.1\r\nHost:\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    assert.match(await raw(url, empty), / 403 /);
    assert.match(await raw(url, 'GET /api/apps HTTP/1.0\r\n\r\n'), / 403 /);
    assert.match(await raw(url, 'GET /api/apps HTTP/1.1\r\n\r\n'), / 400 /);
  });

  test('on all interfaces it goes by the address that it was called by', async (t) => {
    const { url } = await servedOnTcp(t, { address: { host: '0.0.0.0', port: 0 } });
    const { port } = new URL(url);
    const outer = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const address = outer.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    if (address === undefined) return t.skip('this machine has no address beyond itself');
    const asked = async (host: string) =>
      (await ask(`http://${address}:${port}`, '/api/apps', { headers: { ...withToken, host } })).status;
    assert.equal(await asked(`${address}:${port}`), 200);
    assert.equal(await asked(`203.0.113.7:${port}`), 403);
  });

  test('pages of others are refused on everything, with the token too', async (t) => {
    const { source, url } = await servedOnTcp(t, { allowHosts: ['huddle.example'] }, appStatus('shop'));
    const { host } = new URL(url);
    const from = async (origin: string, path = '/api/apps', method = 'GET', headers = {}) =>
      await ask(url, path, { method, headers: { ...withToken, host, origin, ...headers } });
    for (const origin of [
      'https://evil.example',
      'null',
      '',
      'file://',
      `http://${host}.evil.example`,
      `http://evil.example:${new URL(url).port}`,
      `http://localhost:1`,
      'http://127.0.0.1',
      'https://huddle.example.evil.example',
      'chrome-extension://abcdef',
    ]) {
      for (const [path, method] of [
        ['/api/apps', 'GET'],
        ['/healthz', 'GET'],
        ['/api/apps/shop/stop', 'POST'],
        ['/api/apps', 'OPTIONS'],
      ] as const) {
        const answer = await from(origin, path, method);
        assert.equal(answer.status, 403, `${origin} ${path}`);
        const allowing = Object.keys(answer.headers).filter((name) => name.startsWith('access-control'));
        assert.deepEqual(allowing, []);
      }
    }
    assert.deepEqual(source.orders, []);
    assert.equal((await from(`http://${host}`)).status, 200);
    assert.equal((await from('https://huddle.example')).status, 200);
    const proxied = await from('https://huddle.example', '/api/apps', 'GET', { host: 'huddle.example:443' });
    assert.equal(proxied.status, 200);
  });

  test('every answer has the headers that keep browsers from doing more with it', async (t) => {
    const { url } = await servedOnTcp(t, {}, appStatus('shop'));
    for (const [path, headers] of [
      ['/api/apps', withToken],
      ['/api/apps/nobody', withToken],
      ['/metrics', withToken],
      ['/api/apps', {}],
      ['/healthz', {}],
    ] as const) {
      const answer = await ask(url, path, { headers });
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(String(answer.headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
      assert.equal(answer.headers['referrer-policy'], 'no-referrer');
      assert.equal(answer.headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
  });

  test('an event stream has them as well, and is ended with the server', async (t) => {
    const { url, control } = await servedOnTcp(t, {}, appStatus('shop'));
    const { port, host } = new URL(url);
    const stream = connect(Number(port), '127.0.0.1').on('error', () => undefined);
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    stream.write(`GET /api/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    while (!text.includes('event: ready')) await once(stream, 'data');
    assert.match(text, /x-content-type-options: nosniff/i);
    const ended = once(stream, 'close');
    await control.close();
    await ended;
  });
});

suite('A WebSocket over TCP', { concurrency: true }, () => {
  test('is handed on once it has shown the token, in a header or its address', async (t) => {
    const { source, url } = await servedOnTcp(t);
    const viewers: WebSocket[] = [];
    source.attach = (viewer) => {
      viewers.push(viewer);
      viewer.send('hello');
    };
    const address = url.replace('http', 'ws');
    for (const one of [
      new WebSocket(`${address}/inspect?token=${token}`),
      new WebSocket(`${address}/inspect`, { headers: withToken }),
    ]) {
      t.after(() => one.terminate());
      const [said] = (await once(one, 'message')) as [Buffer];
      assert.equal(String(said), 'hello');
    }
    assert.equal(viewers.length, 2);
  });

  test('is refused without it, from a foreign page, by a foreign name, and at any other place', async (t) => {
    const { source, url } = await servedOnTcp(t);
    source.attach = () => assert.fail('nobody should have come in');
    const address = url.replace('http', 'ws');
    assert.equal(await knock(t, `${address}/inspect`), 401);
    assert.equal(await knock(t, `${address}/inspect?token=${token}x`), 401);
    assert.equal(await knock(t, `${address}/inspect?token=`), 401);
    assert.equal(await knock(t, `${address}/inspect?token=${token}`, { origin: 'https://evil.example' }), 403);
    assert.equal(await knock(t, `${address}/inspect?token=${token}`, { host: 'evil.example' }), 403);
    assert.equal(await knock(t, `${address}/api/apps?token=${token}`), 401);
    assert.equal(await knock(t, `${address}/api/events`, withToken), 200);
  });

  test('that nobody shows anything on is refused; one that sends nonsense ends by itself', async (t) => {
    const { source, url } = await servedOnTcp(t);
    const address = `${url.replace('http', 'ws')}/inspect?token=${token}`;
    assert.equal(await knock(t, address), 0);
    source.attach = (viewer) => viewer.on('message', () => undefined);
    const loud = await knock(t, address);
    assert.ok(loud instanceof WebSocket);
    loud.send('x'.repeat(100_000));
    await once(loud, 'close');
    assert.equal((await ask(url, '/healthz')).status, 200);
  });

  test('is ended with the server', async (t) => {
    const { source, url, control } = await servedOnTcp(t);
    source.attach = () => undefined;
    const viewer = await knock(t, `${url.replace('http', 'ws')}/inspect?token=${token}`);
    assert.ok(viewer instanceof WebSocket);
    const closed = once(viewer, 'close');
    await control.close();
    await closed;
  });
});

suite('Bounds over TCP', { concurrency: true }, () => {
  test('headers that are too long are refused, and a body that is', async (t) => {
    const { url, source } = await servedOnTcp(t, {}, appStatus('shop'));
    const { host } = new URL(url);
    assert.match(await raw(url, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`), / 431 /);
    const body = `{"revision":"${'x'.repeat(70_000)}"}`;
    const long = await ask(url, '/api/apps/shop/deploy', { method: 'POST', headers: withToken, body });
    assert.equal(long.status, 400);
    assert.deepEqual(source.orders, []);
  });

  test('who says nothing, or never comes to an end, is cut off', async (t) => {
    const { url } = await servedOnTcp(t);
    const { host } = new URL(url);
    const drip = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
    drip.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n`);
    const dripping = setInterval(() => drip.write('x: y\r\n'), 500);
    t.after(() => clearInterval(dripping));
    const dripped = once(drip.resume(), 'close');
    // Node answers 408, also to whom it was never said what is wanted.
    assert.match(await raw(url), /^(HTTP\/1\.1 408 .*)?/s);
    await dripped;
  });

  test('there are no more connections than are good for Huddle', async (t) => {
    const { url } = await servedOnTcp(t);
    const port = Number(new URL(url).port);
    const crowd = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    t.after(() => crowd.forEach((each) => each.destroy()));
    let gone = 0;
    const enough = new Promise<void>((resolve) => {
      for (const each of crowd) each.resume().on('close', () => (gone += 1) === 44 && resolve());
    });
    await enough;
    const { host } = new URL(url);
    const [first] = crowd.filter((each) => !each.destroyed);
    first?.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(first ?? assert.fail('nobody was kept'), 'data');
  });

  test('h2c is declined, and the request answered', async (t) => {
    const { url } = await servedOnTcp(t);
    const headers = { ...withToken, connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' };
    assert.equal((await ask(url, '/api/apps', { headers })).status, 200);
  });
});

suite('Where Huddle cannot listen', () => {
  test('a port that is taken, or an address of others, is a failure that names it', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const failure = async (host: string, at = port) =>
      await serveTcp(new FakeSource(), { address: { host, port: at }, tls: null, allowHosts: [] }, token).then(
        () => assert.fail('it listens'),
        ({ code, subject }: { code: string; subject: string }) => [code, subject],
      );
    assert.deepEqual(await failure('127.0.0.1'), ['path-occupied', `127.0.0.1:${port}`]);
    assert.deepEqual(await failure('192.0.2.1', 0), ['config-invalid', '192.0.2.1:0']);
    assert.deepEqual(await failure('::dead:beef', 0), ['config-invalid', '[::dead:beef]:0']);
    assert.deepEqual((await failure('nowhere.invalid', 0))[0], 'config-invalid');
  });
});
