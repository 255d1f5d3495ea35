import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { takeLock } from '../../src/ledger/lock.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { scratch } from './scratch.ts';

suite('The paths of a Huddle', () => {
  test('lie in DIR/.huddle, as the contract says', (t) => {
    const folder = scratch(t);
    const paths = statePaths(folder);
    const app = paths.app('shop');
    assert.equal(paths.root, join(folder, '.huddle'));
    assert.equal(paths.lock, join(folder, '.huddle/lock'));
    assert.equal(paths.socket, join(folder, '.huddle/huddle.sock'));
    assert.equal(app.state, join(folder, '.huddle/apps/shop/state.json'));
    assert.equal(app.history, join(folder, '.huddle/apps/shop/history.jsonl'));
    assert.equal(app.appLog, join(folder, '.huddle/apps/shop/logs/app.log'));
    assert.equal(app.deployLog, join(folder, '.huddle/apps/shop/logs/deploy.log'));
  });

  test('lie where --state says', (t) => {
    const folder = scratch(t);
    assert.equal(statePaths(folder, join(folder, 'elsewhere')).root, join(folder, 'elsewhere'));
  });

  test('are the same by every name of the folder', (t) => {
    const folder = scratch(t);
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    assert.deepEqual(statePaths(join(folder, 'link')).root, statePaths(join(folder, 'real')).root);
  });

  test('are refused for a folder that is not there, and for a file', (t) => {
    const folder = scratch(t);
    writeFileSync(join(folder, 'file'), '');
    assert.throws(() => statePaths(join(folder, 'gone')), { code: 'directory-missing' });
    assert.throws(() => statePaths(join(folder, 'file')), { code: 'directory-missing' });
  });

  test('never lead out of the state folder by the name of an app', (t) => {
    const paths = statePaths(scratch(t));
    for (const name of ['..', '.', '', 'a/b', '../../etc'])
      assert.throws(() => paths.app(name), { code: 'config-invalid' });
  });
});

suite('The control socket', () => {
  test('can be listened on however long the path of the folder is', async (t) => {
    for (const length of [1, 60, 90, 200]) {
      const folder = join(scratch(t), 'x'.repeat(length));
      mkdirSync(folder);
      const paths = statePaths(folder);
      const lock = takeLock(paths);
      const server = createServer();
      await new Promise<void>((done, fail) => server.on('error', fail).listen(paths.socket, done));
      assert.equal(statSync(dirname(paths.socket)).mode & 0o777, 0o700);
      assert.equal(statePaths(folder).socket, paths.socket, 'a client computes the same path');
      await new Promise((done) => server.close(done));
      lock.release();
    }
  });

  test('is in the state folder up to the last length that the system takes', (t) => {
    const folder = scratch(t);
    const rest = '/.huddle/huddle.sock'.length;
    const at107 = join(folder, 'x'.repeat(107 - rest - folder.length - 1));
    mkdirSync(at107);
    mkdirSync(`${at107}x`);
    assert.equal(statePaths(at107).socket, join(at107, '.huddle/huddle.sock'));
    assert.ok(Buffer.byteLength(statePaths(`${at107}x`).socket) < 108);
  });

  test('is never put into a folder that others can enter', (t) => {
    const folder = join(scratch(t), 'x'.repeat(120));
    mkdirSync(folder);
    const { socket } = statePaths(folder);
    mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
    chmodSync(dirname(socket), 0o755);
    try {
      assert.throws(() => statePaths(folder), { code: 'path-occupied' });
    } finally {
      chmodSync(dirname(socket), 0o700);
    }
  });
});
