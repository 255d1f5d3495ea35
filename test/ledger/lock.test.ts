import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { takeLock } from '../../src/ledger/lock.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { mounted, scratch } from './scratch.ts';

const program = join(import.meta.dirname, 'programs/hold-lock.ts');
const isRoot = process.geteuid?.() === 0;
const nobody = 65_534;

suite('The lock of a folder', () => {
  test('is held by one Huddle, and the second one learns by which', async (t) => {
    const folder = scratch(t);
    const holder = start(t, folder);
    assert.match(await answer(holder), /^locked/);
    assert.throws(() => takeLock(statePaths(folder)), {
      code: 'path-occupied',
      message: `locking ${folder}: another Huddle (pid ${holder.pid}) is running on it`,
    });
  });

  test('is the same by every name of the folder', (t) => {
    const folder = scratch(t);
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    const lock = takeLock(statePaths(join(folder, 'real')));
    assert.throws(() => takeLock(statePaths(join(folder, 'link'))), { code: 'path-occupied' });
    lock.release();
  });

  test('is free again after a release, and a second release does nothing', (t) => {
    const paths = statePaths(scratch(t));
    const first = takeLock(paths);
    assert.equal(readFileSync(paths.lock, 'utf8'), `${process.pid}\n`);
    first.release();
    const second = takeLock(paths);
    first.release();
    assert.throws(() => takeLock(paths), { code: 'path-occupied' });
    second.release();
  });

  test('goes to exactly one of ten that start at once', async (t) => {
    const folder = scratch(t);
    const starters = Array.from({ length: 10 }, () => start(t, folder));
    const answers = await Promise.all(starters.map(answer));
    const winner = starters.find((_, index) => answers[index]?.startsWith('locked'));
    assert.equal(answers.filter((text) => text.startsWith('locked')).length, 1, answers.join(''));
    for (const text of answers) if (!text.startsWith('locked')) assert.match(text, new RegExp(`pid ${winner?.pid}\\)`));
  });

  test('is free once its holder has been killed, even while a program of the holder lives on', async (t) => {
    const folder = scratch(t);
    const holder = start(t, folder, 'with a child');
    const child = Number((await answer(holder)).split(' ')[1]);
    t.after(() => process.kill(child, 'SIGKILL'));
    holder.kill('SIGKILL');
    await new Promise((done) => holder.once('close', done));
    assert.ok(process.kill(child, 0), 'the program lives on');
    takeLock(statePaths(folder)).release();
  });

  test('is refused in words where there is no flock command', (t) => {
    const paths = statePaths(scratch(t));
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      assert.throws(() => takeLock(paths), { code: 'command-not-found', subject: 'flock' });
    } finally {
      process.env['PATH'] = path;
    }
    takeLock(paths).release();
  });

  test('is refused in words on a read-only file system', (t) => {
    const folder = mounted(t, 'ro');
    if (folder === null) return;
    assert.throws(() => takeLock(statePaths(folder)), {
      code: 'permission-denied',
      reason: 'the file system is read-only',
      hint: /--state/,
    });
  });

  test('is refused in words without permission', (t) => {
    const folder = scratch(t);
    chmodSync(folder, 0o555);
    asNobody(() =>
      assert.throws(() => takeLock(statePaths(folder)), {
        code: 'permission-denied',
        reason: 'permission denied',
        hint: /--state/,
      }),
    );
  });
});

suite('The state folder', () => {
  test('is refused in words where no folder can be made', (t) => {
    for (const state of ['/proc/huddle', '/proc/huddle/state']) {
      const failure = { code: 'directory-missing', reason: 'its file system takes no new folders', hint: /--state/ };
      assert.throws(() => takeLock(statePaths(scratch(t), state)), failure);
    }
  });

  test('is made with all folders above it', (t) => {
    const folder = scratch(t);
    takeLock(statePaths(folder, join(folder, 'far/off/state'))).release();
    assert.equal(statSync(join(folder, 'far/off/state')).mode & 0o777, 0o700);
  });

  test('is private, and so is what is in it', (t) => {
    const paths = statePaths(scratch(t));
    const lock = takeLock(paths);
    assert.equal(statSync(paths.root).mode & 0o777, 0o700);
    assert.equal(statSync(paths.empty).mode & 0o777, 0o700);
    assert.equal(statSync(paths.lock).mode & 0o777, 0o600);
    lock.release();
  });

  test('is closed to others when it is new and empty, or known to be ours', (t) => {
    const paths = statePaths(scratch(t));
    mkdirSync(paths.root);
    for (let start = 0; start < 2; start += 1) {
      chmodSync(paths.root, 0o755);
      takeLock(paths).release();
      assert.equal(statSync(paths.root).mode & 0o777, 0o700);
    }
  });

  test('is refused, and left as it is, where others keep files', (t) => {
    const folder = scratch(t);
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    writeFileSync(join(shared, 'theirs'), '');
    assert.throws(() => takeLock(statePaths(folder, shared)), { code: 'path-occupied', hint: /chmod 700/ });
    assert.equal(statSync(shared).mode & 0o777, 0o755);
  });

  test(
    'is refused where it belongs to another user',
    { skip: isRoot ? false : 'needs root to give a folder away' },
    (t) => {
      const paths = statePaths(scratch(t));
      mkdirSync(paths.root, { mode: 0o700 });
      chownSync(paths.root, nobody, nobody);
      assert.throws(() => takeLock(paths), { code: 'path-occupied', hint: /chown/ });
    },
  );
});

function start(t: TestContext, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** The first thing that a starter prints. */
async function answer(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    child.stdout?.once('data', (data: Buffer) => done(String(data)));
    child.once('error', fail);
    child.once('close', () => fail(new Error('the starter said nothing')));
  });
}

/** As root every permission is given: drop it for a moment. */
function asNobody(act: () => void): void {
  if (!isRoot) return act();
  process.seteuid?.(nobody);
  try {
    act();
  } finally {
    process.seteuid?.(0);
  }
}
