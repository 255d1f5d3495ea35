import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { suite, test } from 'node:test';
import { requestHeaders } from '../../src/proxy/headers.ts';
import { ask, ProxyStage, until } from './stage.ts';

const post = 'POST / HTTP/1.1\r\nHost: a\r\n';
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

/** Two readers of these could see two different requests. */
const ambiguous: readonly [title: string, text: string, status: RegExp][] = [
  [
    'a length and chunks',
    `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    /^HTTP\/1\.1 400/,
  ],
  [
    'two lengths',
    `${post}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    /^HTTP\/1\.1 400/,
  ],
  ['a length that is none', `${post}Content-Length: +0\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400/],
  ['another coding than chunked', `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 501/],
  ['chunked that is not the last', `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400/],
  ['a coding in disguise', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 (400|501)/],
  ['a space before the colon', `${post}Content-Length : 4\r\n\r\nabcd`, /^HTTP\/1\.1 400/],
  ['a folded line', `${post}X-A: b\r\n c\r\n\r\n`, /^HTTP\/1\.1 400/],
  ['a line that ends without CR', 'GET / HTTP/1.1\nHost: a\n\n', /^HTTP\/1\.1 400/],
  ['a chunk size that is none', `${post}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`, /^HTTP\/1\.1 400/],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', /^HTTP\/1\.1 400/],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
  ['a null in a header', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', /^HTTP\/1\.1 400/],
];

suite('The proxy refuses', () => {
  for (const [title, text, status] of ambiguous) {
    test(`${title}, and ends the connection`, async (context) => {
      const stage = new ProxyStage(context);
      const seen: string[] = [];
      const release = await stage.release('one', (request, response) => {
        seen.push(request.url ?? '');
        request.resume();
        response.end('ok');
      });
      const proxy = await stage.proxy({ workers: 1 });
      await proxy.point(release);
      const { socket, heard } = await stage.dial(proxy.port);
      socket.write(text, 'latin1');
      await once(socket, 'end');
      assert.match(heard(), status);
      assert.equal(heard().match(/HTTP\/1\.1/g)?.length, 1, 'one answer, and nothing behind it');
      assert.ok(!seen.includes('/smuggled'));
    });
  }

  test('more than 16 kB of headers', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => response.end('ok'));
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(release);
    const many = { 'x-much': 'a'.repeat(17 * 1024) };
    assert.equal((await ask(proxy.port, { headers: many })).status, 431);
    assert.equal((await ask(proxy.port, { headers: { 'x-much': 'a'.repeat(15 * 1024) } })).status, 200);
  });

  test('an answer that is not HTTP, with 502', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.raw('one', (socket) =>
      socket.once('data', () => socket.end('220 smtp.example ESMTP\r\n')),
    );
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(release);
    assert.equal((await ask(proxy.port)).status, 502);
  });

  test('a tunnel (CONNECT), which ends the connection', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy({ workers: 1 });
    const { socket, heard } = await stage.dial(proxy.port);
    socket.write('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n');
    await once(socket, 'end');
    assert.doesNotMatch(heard(), / 200 /);
  });

  test('nobody who goes on afterwards', async (context) => {
    const stage = new ProxyStage(context);
    const release = await stage.release('one', (_, response) => response.end('ok'));
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(release);
    for (const [, text] of ambiguous) {
      const { socket } = await stage.dial(proxy.port);
      socket.resume().write(text, 'latin1');
      await once(socket, 'end');
      socket.destroy();
    }
    assert.equal((await ask(proxy.port)).body, 'ok');
    await until(async () => (await proxy.status()).releases[0]?.open === 0, 'every request to be counted off');
  });
});

suite('Who asks, by what and for whom', () => {
  const told = ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop.example'];
  const cases: readonly [title: string, address: string, raw: readonly string[], expected: readonly string[]][] = [
    ['is told to the program', '203.0.113.5', [], ['203.0.113.5', 'http', 'inner']],
    ['is not what a stranger says', '203.0.113.5', told, ['203.0.113.5', 'http', 'inner']],
    ['is not what a stranger says over IPv6', '2001:db8::1', told, ['2001:db8::1', 'http', 'inner']],
    [
      'is what a proxy on this machine says, and that one',
      '::ffff:127.0.0.1',
      told,
      ['198.51.100.7, 127.0.0.1', 'https', 'shop.example'],
    ],
    [
      'is what a proxy in a private network says, and that one',
      '10.1.2.3',
      told,
      ['198.51.100.7, 10.1.2.3', 'https', 'shop.example'],
    ],
    [
      'is what a proxy in a private network of IPv6 says',
      'fd00::1',
      told,
      ['198.51.100.7, fd00::1', 'https', 'shop.example'],
    ],
  ];
  for (const [title, remoteAddress, raw, expected] of cases) {
    test(title, () => {
      const rawHeaders = ['Host', 'inner', 'Forwarded', 'for=_hidden', ...raw];
      const headers: Record<string, string> = {};
      for (let index = 0; index < rawHeaders.length; index += 2) {
        headers[rawHeaders[index]?.toLowerCase() ?? ''] = rawHeaders[index + 1] ?? '';
      }
      const request = { method: 'GET', rawHeaders, headers, socket: { remoteAddress } } as unknown as IncomingMessage;
      const sent = requestHeaders(request, false);
      const values = (name: string) => sent.filter((_, index) => index % 2 === 1 && sent[index - 1] === name);
      assert.deepEqual(values('X-Forwarded-For'), expected.slice(0, 1));
      assert.deepEqual(values('X-Forwarded-Proto'), expected.slice(1, 2));
      assert.deepEqual(values('X-Forwarded-Host'), expected.slice(2));
      assert.deepEqual(values('Forwarded'), ['for=_hidden'], 'left alone');
    });
  }
});
