import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { appendTo, deployLog } from '../../src/logs/open.ts';
import { rotate } from '../../src/logs/rotation.ts';
import { mounted, scratch } from '../ledger/scratch.ts';

const isRoot = process.geteuid?.() === 0;
const nobody = 65_534;

suite('Opening a log', () => {
  test('makes its folders, for nobody else to enter, and appends', (t) => {
    const path = join(scratch(t), 'apps/shop/logs/app.log');
    for (const text of ['one\n', 'two\n']) {
      const descriptor = appendTo(path);
      writeSync(descriptor, text);
      closeSync(descriptor);
    }
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
    assert.equal(statSync(dirname(dirname(path))).mode & 0o777, 0o700);
  });

  test(
    'gives it to the user of the program, who reaches it by descriptor and /dev/stdout but not by path',
    { skip: isRoot ? false : 'needs root to run a program as another user' },
    (t) => {
      const path = join(scratch(t), 'logs/app.log');
      const descriptor = appendTo(path, { uid: nobody, gid: nobody });
      const line = `echo inherited; echo opened >>/dev/stdout; echo by path >>"$1"; true`;
      const args = [
        '--reuid',
        String(nobody),
        '--regid',
        String(nobody),
        '--clear-groups',
        'sh',
        '-c',
        line,
        'sh',
        path,
      ];
      const { status } = spawnSync('setpriv', args, { stdio: ['ignore', descriptor, 'ignore'] });
      closeSync(descriptor);
      assert.equal(status, 0);
      assert.equal(statSync(path).uid, nobody);
      assert.equal(readFileSync(path, 'utf8'), 'inherited\nopened\n');
    },
  );

  test('fails in words where there is no room, and where the path is taken', (t) => {
    const folder = scratch(t);
    writeFileSync(join(folder, 'logs'), '');
    assert.throws(() => appendTo(join(folder, 'logs/app.log')), { name: 'Failure', code: 'internal' });
    const full = mounted(t, 'size=64k,nr_inodes=2');
    if (full === null) return;
    writeFileSync(join(full, 'last'), '');
    assert.throws(() => appendTo(join(full, 'app.log')), { name: 'Failure', code: 'disk-full' });
  });
});

suite('The deploy log', () => {
  test('has a headline for each attempt, and holds what Huddle and its children wrote, in order', async (t) => {
    const path = join(scratch(t), 'logs/deploy.log');
    for (const what of ['testing 3f2a1b0', 'pulling 3f2a1b0']) {
      const log = deployLog(path, { what, warn: assert.fail });
      log.write('before\n');
      const child = spawn('echo', ['from a child'], { stdio: ['ignore', log.fd, log.fd] });
      await new Promise((done) => child.once('close', done));
      log.write('after\n');
      log.close();
      log.close();
      log.write('too late\n');
    }
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const part = (what: string): string => `--- ${time} ${what} 3f2a1b0\nbefore\nfrom a child\nafter\n`;
    assert.match(readFileSync(path, 'utf8'), new RegExp(`^${part('testing')}${part('pulling')}$`));
  });

  test('that cannot be written is told of once, and ends nothing', (t) => {
    const folder = mounted(t, 'size=16k');
    if (folder === null) return;
    const warnings: string[] = [];
    const log = deployLog(join(folder, 'deploy.log'), { what: 'testing', warn: (text) => warnings.push(text) });
    t.after(() => log.close());
    for (let line = 0; line < 3; line += 1) log.write('x'.repeat(20_000));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /no space left/);
  });

  test('goes on in the same file while it is rotated', async (t) => {
    const path = join(scratch(t), 'deploy.log');
    const log = deployLog(path, { what: 'testing', warn: assert.fail });
    t.after(() => log.close());
    log.write('x\n'.repeat(100_000));
    await rotate({ path, size: 0.1, keep: 5 });
    log.write('after\n');
    assert.match(readFileSync(path, 'utf8'), /after\n$/);
    assert.ok(statSync(path).size < 120_000);
  });
});
