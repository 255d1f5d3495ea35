import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as v from 'valibot';
import { heard } from '../../src/config/kinds.ts';
import { keys } from '../../src/config/keys.ts';
import { judgeListen, listenOf } from '../../src/config/listen.ts';

const origin = { folder: '/etc/huddle', home: '/home/ann' };
const { schema } = keys.application.listen.kind;

suite('An address to listen on', () => {
  for (const [text, meant] of [
    ['8080', { kind: 'tcp', host: '::', port: 8080 }],
    ['0.0.0.0:80', { kind: 'tcp', host: '0.0.0.0', port: 80 }],
    ['localhost:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['[::1]:65535', { kind: 'tcp', host: '::1', port: 65_535 }],
    ['[fe80::1%eth0]:80', { kind: 'tcp', host: 'fe80::1%eth0', port: 80 }],
    ['/run/shop.sock', { kind: 'unix', path: '/run/shop.sock' }],
    ['./shop.sock', { kind: 'unix', path: '/etc/huddle/shop.sock' }],
    ['run/a:80', { kind: 'unix', path: '/etc/huddle/run/a:80' }],
    ['~/shop.sock', { kind: 'unix', path: '/home/ann/shop.sock' }],
  ] as const) {
    test(`may be ${text}`, () => {
      assert.equal(judgeListen(text), null);
      assert.deepEqual(listenOf(text, origin), meant);
    });
  }

  for (const [text, message, hint] of [
    ['', /neither .* nor a path/, /write it like 8080/],
    ['shop.sock', /neither .* nor a path/, /\.\/shop\.sock/],
    ['localhost', /neither .* nor a path/, /8080/],
    ['0', /not one of 1 to 65535/, /8080/],
    ['65536', /not one of 1 to 65535/, /8080/],
    ['127.0.0.1:', /neither/, /8080/],
    [':80', /the host is no IP address/, /without a host it is all/],
    ['example.org:80', /the host is no IP address/, /127\.0\.0\.1/],
    ['300.1.1.1:80', /the host is no IP address/, /127\.0\.0\.1/],
    ['[127.0.0.1]:80', /the host is no IP address/, /\[::1\]/],
    ['::1:80', /stands in brackets/, /\[::1\]:8080/],
    ['/run/', /a folder/, /\/run\/shop\/shop\.sock/],
    ['~bob/a.sock', /another user's home/, /~\//],
  ] as const) {
    test(`may not be '${text}', which is told with what to write instead`, () => {
      const wrong = judgeListen(text);
      assert.match(wrong?.message ?? '', message);
      assert.match(wrong?.hint ?? '', hint);
    });
  }
});

suite('application.listen', () => {
  test('is one address, a port that is a number, or a list of both', () => {
    assert.deepEqual(v.parse(schema, '8080'), ['8080']);
    assert.deepEqual(v.parse(schema, 8080), ['8080']);
    assert.deepEqual(v.parse(schema, [80, '[::1]:81', '/run/a']), ['80', '[::1]:81', '/run/a']);
  });

  for (const [value, message] of [
    [[80, '[::]:80'], /holds an address twice/],
    [['/run/a', '/run/./a'], /holds an address twice/],
    [8.5, /neither/],
    [{ port: 80 }, /must be a text/],
    [['80', 'nowhere'], /neither/],
  ] as const) {
    test(`is not ${JSON.stringify(value)}`, () => {
      const { issues } = v.safeParse(schema, value);
      assert.match(heard(issues?.[0].message ?? '').message, message);
    });
  }
});

suite('application.proxy', () => {
  test('is one address, or a port that is a number', () => {
    const { schema: one } = keys.application.proxy.kind;
    assert.equal(v.parse(one, 8080), '8080');
    assert.equal(v.parse(one, '[::1]:80'), '[::1]:80');
    for (const value of [70_000, 8.5, [80], '/run/a']) assert.equal(v.safeParse(one, value).success, false);
  });
});
