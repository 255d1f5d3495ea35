import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { baseEnvironment } from '../../src/process/environment.ts';
import { runAs } from '../../src/process/user.ts';
import { exitOf, Workshop } from './workshop.ts';

suite("A program's environment", () => {
  test('is that of Huddle, the environment file over it, and the configured one over both', async (t) => {
    const workshop = new Workshop(t);
    process.env['HUDDLE_TEST_OWN'] = 'own';
    process.env['HUDDLE_TEST_BOTH'] = 'own';
    t.after(() => {
      delete process.env['HUDDLE_TEST_OWN'];
      delete process.env['HUDDLE_TEST_BOTH'];
    });
    const environmentFile = join(workshop.folder, '.env');
    writeFileSync(environmentFile, '# settings\nHUDDLE_TEST_BOTH="from file"\nexport FILE=yes\nWINS=file\n');
    await exitOf(workshop.start({ start: ['env'], environmentFile, environment: { WINS: 'config', EMPTY: '' } }));
    const found = parse(workshop.output());
    assert.equal(found['HUDDLE_TEST_OWN'], 'own');
    assert.equal(found['HUDDLE_TEST_BOTH'], 'from file');
    assert.equal(found['FILE'], 'yes');
    assert.equal(found['WINS'], 'config');
    assert.equal(found['EMPTY'], '');
  });

  test('says which app and revision it is, and carries the mark, whatever the config says', async (t) => {
    const workshop = new Workshop(t);
    const environment = { HUDDLE_APP: 'other', HUDDLE_REVISION: 'x', HUDDLE_MARK: 'none' };
    const started = workshop.start({ start: ['env'], environment });
    await exitOf(started);
    const found = parse(workshop.output());
    assert.equal(found['HUDDLE_APP'], 'shop');
    assert.equal(found['HUDDLE_REVISION'], 'a'.repeat(40));
    assert.equal(found['HUDDLE_MARK'], started.input.mark);
  });

  test('has the environment file as it is at each start', async (t) => {
    const workshop = new Workshop(t);
    const environmentFile = join(workshop.folder, '.env');
    for (const value of ['1', '2']) {
      writeFileSync(environmentFile, `VALUE=${value}\n`);
      await exitOf(workshop.start({ start: 'echo "$VALUE"', environmentFile }));
    }
    assert.equal(workshop.output(), '1\n2\n');
    rmSync(environmentFile);
  });
});

suite('What is inherited from Huddle', () => {
  const base = (own: Record<string, string>) => baseEnvironment(runAs(null), own);

  test('is without what its supervisor said to it alone', () => {
    const own = { LISTEN_FDS: '1', LISTEN_PID: '1', LISTEN_FDNAMES: 'x', NOTIFY_SOCKET: '/run/x', KEPT: 'yes' };
    assert.deepEqual(base(own), { KEPT: 'yes' });
  });

  test('is without what an outer Huddle said of its own app', () => {
    assert.deepEqual(base({ HUDDLE_APP: 'a', HUDDLE_REVISION: 'b', HUDDLE_MARK: 'c', HUDDLE_PORT: '1', HUDDLE: 'x' }), {
      HUDDLE: 'x',
    });
  });

  test('is without what npm adds', () => {
    const own = {
      npm_execpath: '/usr/lib/npm-cli.js',
      npm_node_execpath: '/usr/bin/node',
      npm_config_cache: '/x',
      INIT_CWD: '/x',
      COLOR: '0',
      NODE: '/usr/bin/node',
      PATH: '/a/node_modules/.bin:/node_modules/.bin:/npm/run-script/lib/node-gyp-bin:/usr/bin:/own/node_modules/.bin',
    };
    assert.deepEqual(base(own), { PATH: '/usr/bin:/own/node_modules/.bin' });
  });

  test('keeps what only looks as if npm had added it', () => {
    const own = { INIT_CWD: '/x', NODE: 'mine', PATH: '/own/node_modules/.bin:/usr/bin' };
    assert.deepEqual(base(own), own);
  });
});

function parse(output: string): Record<string, string> {
  return Object.fromEntries(output.split('\n').map((line) => line.split(/=(.*)/s, 2)));
}
