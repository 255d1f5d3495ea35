import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readCommandLine } from '../../src/cli/front.ts';
import { listeningOf } from '../../src/cli/listening.ts';
import { Misuse } from '../../src/cli/misuse.ts';
import { openerOf } from '../../src/cli/open.ts';
import type { Listening } from '../../src/control/tcp.ts';

suite('The options on listening', () => {
  const right: readonly (readonly [line: string, listening: Listening | null])[] = [
    ['', null],
    ['--listen 80', { address: { host: '127.0.0.1', port: 80 }, tls: null, allowHosts: [] }],
    ['--listen localhost:0', { address: { host: 'localhost', port: 0 }, tls: null, allowHosts: [] }],
    ['--listen [::1]:80', { address: { host: '::1', port: 80 }, tls: null, allowHosts: [] }],
    ['--inspect', { address: { host: '127.0.0.1', port: 7357 }, tls: null, allowHosts: [] }],
    ['--inspect --listen 80', { address: { host: '127.0.0.1', port: 80 }, tls: null, allowHosts: [] }],
    ['--listen 0.0.0.0:80 --insecure', { address: { host: '0.0.0.0', port: 80 }, tls: null, allowHosts: [] }],
    [
      '--listen [::]:80 --tls-cert c --tls-key k --allow-host a.org --allow-host [::2]',
      { address: { host: '::', port: 80 }, tls: { cert: 'c', key: 'k' }, allowHosts: ['a.org', '::2'] },
    ],
  ];
  for (const [line, listening] of right) {
    test(`'${line}' is understood`, () => assert.deepEqual(of(line), listening));
  }

  const wrong: readonly (readonly [line: string, message: RegExp])[] = [
    ['--listen 0.0.0.0:80', /beyond this machine/],
    ['--listen [::]:80', /beyond this machine/],
    ['--listen 192.168.1.1:80', /beyond this machine/],
    ['--listen shop.example:80', /beyond this machine/],
    ['--listen 127.example:80', /beyond this machine/],
    ['--listen 80 --tls-cert c', /--tls-cert needs --tls-key/],
    ['--listen 0.0.0.0:80 --insecure --tls-key k', /--tls-key needs --tls-cert/],
    ['--tls-cert c --tls-key k', /--tls-cert says how to listen, but not where/],
    ['--insecure', /--insecure says how/],
    ['--allow-host a.org', /--allow-host says how/],
    ['--once --listen 80', /--once answers nobody/],
  ];
  for (const [line, message] of wrong) {
    test(`'${line}' is refused`, () =>
      assert.throws(
        () => of(line),
        (error) => isMisuse(error, message),
      ));
  }
});

suite('A browser is opened', () => {
  test('where somebody sits at a desktop, and never on a server', () => {
    assert.deepEqual(openerOf('linux', { DISPLAY: ':0' }, true), ['xdg-open']);
    assert.deepEqual(openerOf('linux', { WAYLAND_DISPLAY: 'wayland-0' }, true), ['xdg-open']);
    assert.deepEqual(openerOf('darwin', {}, true), ['open']);
    assert.deepEqual(openerOf('win32', {}, true), ['explorer.exe']);
    assert.equal(openerOf('linux', {}, true), null);
    assert.equal(openerOf('linux', { DISPLAY: '' }, true), null);
    assert.equal(openerOf('linux', { DISPLAY: ':10', SSH_CONNECTION: '::1 1 ::1 22' }, true), null);
    assert.equal(openerOf('darwin', { SSH_TTY: '/dev/ttys0' }, true), null);
    assert.equal(openerOf('linux', { DISPLAY: ':0' }, false), null);
  });
});

function of(line: string): Listening | null {
  const invocation = readCommandLine(line === '' ? [] : line.split(' '));
  assert.ok(invocation.kind === 'run');
  return listeningOf(invocation.options);
}

function isMisuse(error: unknown, message: RegExp): boolean {
  return error instanceof Misuse && message.test(error.message);
}
