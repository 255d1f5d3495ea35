import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { noFacts } from '../../machines/facts.ts';
import { openAppLedger } from '../../src/ledger/app-ledger.ts';
import type { AppLedger, ProgramRecord } from '../../src/ledger/app-ledger.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import type { AppPaths } from '../../src/ledger/paths.ts';
import { mounted, scratch } from './scratch.ts';

const revision = (digit: string): string => digit.repeat(40);

const program: ProgramRecord = {
  pid: 4711,
  startTime: 123_456,
  bootId: '6f0e2f0c-8c1b-4b59-9a3b-9b1f3f0f8a11',
  mark: '0a1b2c:shop:3d4e',
  revision: revision('a'),
  config: '0123456789abcdef',
  since: 1_700_000_000_000,
};

suite('A history.jsonl that is none', () => {
  const foreign: Record<string, string | Buffer> = {
    'is another program’s JSON': '{"name":"left-pad","version":"1.3.0"}\n',
    'is binary': Buffer.from(Array.from({ length: 4_096 }, (_, index) => index % 256)),
    'is full of zeros': Buffer.alloc(4_096),
    'is cut short in its first line': '{"at":"2026-01-01T00:00:00.000Z","revi',
  };
  for (const [what, content] of Object.entries(foreign)) {
    test(`because it ${what} is set aside, and a new one begun`, async (t) => {
      const { paths, open, warnings } = place(t);
      mkdirSync(paths.directory, { recursive: true });
      writeFileSync(paths.history, content);
      const ledger = open();
      assert.deepEqual(await ledger.history(9), []);
      assert.equal(await ledger.append(entry(1)), null);
      assert.deepEqual(await open().history(9), [entry(1)]);
      assert.deepEqual(setAside(paths, 'history.jsonl'), [Buffer.from(content)]);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^history\.jsonl is damaged \(.+\); it is kept as /);
    });
  }

  test('but a folder, or a link in a circle, is set aside as well', async (t) => {
    const { paths, open, warnings } = place(t);
    mkdirSync(paths.history, { recursive: true });
    assert.equal(await open().append(entry(1)), null);
    assert.deepEqual(await open().history(9), [entry(1)]);
    rmSync(paths.history);
    symlinkSync('history.jsonl', paths.history);
    assert.equal(await open().append(entry(2)), null);
    assert.deepEqual(await open().history(9), [entry(2)]);
    assert.equal(warnings.length, 2);
  });

  test('because it is empty is one without entries', async (t) => {
    const { paths, open, warnings } = place(t);
    mkdirSync(paths.directory, { recursive: true });
    writeFileSync(paths.history, '');
    assert.equal(await open().append(entry(1)), null);
    assert.deepEqual(await open().history(9), [entry(1)]);
    assert.deepEqual(warnings, []);
  });
});

suite('A program.json that is none', () => {
  const foreign: Record<string, string | Buffer> = {
    'is empty': '',
    'is cut short': JSON.stringify(program).slice(0, -10),
    'is binary': Buffer.from(Array.from({ length: 4_096 }, (_, index) => index % 256)),
    'is another program’s JSON': '{"name":"left-pad"}',
  };
  for (const [what, content] of Object.entries(foreign)) {
    test(`because it ${what} is set aside, and counts as none`, (t) => {
      const { paths, open, warnings } = place(t);
      mkdirSync(paths.directory, { recursive: true });
      writeFileSync(paths.program, content);
      const ledger = open();
      assert.equal(ledger.program, null);
      assert.match(warnings.join(), /program\.json is damaged .+ by its mark; it is kept as /);
      assert.deepEqual(setAside(paths, 'program.json'), [Buffer.from(content)]);
      assert.equal(ledger.rememberProgram(program), null);
      assert.deepEqual(open().program, program);
    });
  }

  test('but a folder is set aside as well', (t) => {
    const { paths, open } = place(t);
    mkdirSync(join(paths.program, 'inside'), { recursive: true });
    const ledger = open();
    assert.equal(ledger.rememberProgram(null), null);
    assert.equal(ledger.rememberProgram(program), null);
    assert.deepEqual(open().program, program);
  });
});

suite('A file that may not be written', () => {
  for (const name of ['state', 'program', 'history'] as const) {
    test(`${name} is told of once, and is written when it may be`, async (t) => {
      const { paths, open, warnings } = place(t);
      const ledger = open();
      await ledger.remember({ good: revision('1') });
      ledger.rememberProgram(program);
      await ledger.append(entry(1));
      if (!frozen(t, paths[name])) return;

      await ledger.remember({ good: revision('2') });
      ledger.rememberProgram({ ...program, pid: 12 });
      await ledger.append(entry(2));
      assert.equal(ledger.facts.good, revision('2'));
      assert.equal(ledger.program?.pid, 12);
      assert.deepEqual(await ledger.history(9), [entry(2), entry(1)]);
      assert.equal(warnings.length, 1, warnings.join('\n'));
      assert.equal(ledger.trouble?.code, 'permission-denied');

      thaw(paths[name]);
      await ledger.remember({});
      ledger.rememberProgram({ ...program, pid: 12 });
      await ledger.append(entry(3));
      assert.equal(ledger.trouble, null);
      const next = open();
      assert.deepEqual([next.facts.good, next.program?.pid], [revision('2'), 12]);
      assert.deepEqual(await next.history(9), [entry(3), entry(2), entry(1)]);
    });
  }

  test('nor any other, as all is read-only, keeps nothing of it from being used', async (t) => {
    const folder = mounted(t, 'size=1m');
    if (folder === null) return;
    const { open, warnings } = place(t, folder);
    await open().remember({ good: revision('1') });
    await open().append(entry(1));
    assert.equal(spawnSync('mount', ['-o', 'remount,ro', folder]).status, 0);
    const ledger = open();
    assert.equal((await ledger.remember({ good: revision('2') }))?.reason, 'the file system is read-only');
    assert.ok(ledger.rememberProgram(program));
    assert.ok(await ledger.append(entry(2)));
    assert.deepEqual([ledger.facts.good, ledger.program?.pid], [revision('2'), program.pid]);
    assert.deepEqual(await ledger.history(9), [entry(2), entry(1)]);
    assert.equal(warnings.length, 3, warnings.join('\n'));
    assert.equal(spawnSync('mount', ['-o', 'remount,rw', folder]).status, 0);
    assert.equal(await ledger.remember({}), null);
    await ledger.flush();
  });
});

suite('An attempt that facts follow from', () => {
  test('is in the history of the next Huddle, whenever this one is killed', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.append(entry(1));
    const appended = ledger.append(entry(2));
    void ledger.remember({ good: revision('2') });
    // A kill at this instant leaves what is on disk now: no line yet, but the facts.
    const [state, history] = [readFileSync(paths.state), readFileSync(paths.history)];
    await appended;
    await ledger.flush();
    writeFileSync(paths.state, state);
    writeFileSync(paths.history, history);
    const next = open();
    assert.equal(next.facts.good, revision('2'));
    assert.deepEqual(await next.history(9), [entry(2), entry(1)]);
    await next.flush();
    assert.deepEqual(await open().history(9), [entry(2), entry(1)], 'and is there once');
  });

  test('is there once where the line had come to be written', async (t) => {
    const { paths, open, warnings } = place(t);
    const ledger = open();
    const appended = ledger.append(entry(1));
    void ledger.remember({ good: revision('1') });
    assert.match(readFileSync(paths.state, 'utf8'), /"untold": \[\n/);
    await appended;
    const next = open();
    await next.flush();
    assert.deepEqual(await next.history(9), [entry(1)]);
    await next.remember({ good: revision('2') });
    assert.match(readFileSync(paths.state, 'utf8'), /"untold": \[\]/);
    assert.deepEqual({ ...next.facts }, { ...noFacts, good: revision('2') });
    assert.deepEqual(warnings, []);
  });
});

function place(t: TestContext, folder = scratch(t)) {
  const paths = statePaths(folder).app('shop');
  mkdirSync(paths.root, { recursive: true });
  const warnings: string[] = [];
  const open = () => openAppLedger(paths, { warn: (text) => warnings.push(text), bootId: 'this boot', marks: '' });
  return { paths, open, warnings };
}

function setAside(paths: AppPaths, name: string): Buffer[] {
  const names = readdirSync(paths.directory).filter((each) => each.startsWith(`${name}.damaged-`));
  return names.map((each) => readFileSync(join(paths.directory, each)));
}

/** Makes a file one that not even root can write or replace; skips the test where that is not to be had. */
function frozen(t: TestContext, path: string): boolean {
  const { status, stderr } = spawnSync('chattr', ['+i', path], { encoding: 'utf8' });
  if (status === 0) {
    t.after(() => thaw(path));
    return true;
  }
  t.skip(`no file can be frozen here: ${stderr ?? 'there is no chattr'}`);
  return false;
}

function thaw(path: string): void {
  spawnSync('chattr', ['-i', path]);
}

function entry(second: number): Parameters<AppLedger['append']>[0] {
  const at = new Date(1_700_000_000_000 + second * 1_000).toISOString();
  return { at, revision: revision('a'), from: null, result: 'deployed', reason: '', seconds: second, downtime: null };
}
