import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { noFacts } from '../../machines/facts.ts';
import type { Facts } from '../../machines/facts.ts';
import { openAppLedger } from '../../src/ledger/app-ledger.ts';
import type { AppLedger, ProgramRecord } from '../../src/ledger/app-ledger.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import type { AppPaths } from '../../src/ledger/paths.ts';
import { mounted, scratch } from './scratch.ts';

const revision = (digit: string): string => digit.repeat(40);

const known: Facts = {
  good: revision('a'),
  previous: revision('b'),
  current: 'c'.repeat(64),
  branch: 'main',
  pulling: revision('d'),
  deploying: {
    revision: revision('d'),
    from: revision('a'),
    result: 'deployed',
    reason: '',
    began: 1_700_000_000_000,
  },
  rejected: [{ revision: revision('e'), why: 'test failed', at: 1_700_000_000_000, times: 3 }],
  provingUntil: 1_700_000_600_000,
  paused: true,
  pinned: true,
  stopped: true,
};

const program: ProgramRecord = {
  pid: 4711,
  startTime: 123_456,
  bootId: '6f0e2f0c-8c1b-4b59-9a3b-9b1f3f0f8a11',
  mark: '0a1b2c:shop:3d4e',
  revision: revision('a'),
  config: '0123456789abcdef',
  since: 1_700_000_000_000,
};

suite('What an app must know after a crash', () => {
  test('is nothing at first, and no file is written for it', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.flush();
    assert.deepEqual(ledger.facts, noFacts);
    assert.equal(ledger.program, null);
    assert.deepEqual(await ledger.history(10), []);
    assert.throws(() => statSync(paths.directory), { code: 'ENOENT' });
  });

  test('is there again in the next Huddle, every field of it', async (t) => {
    const { open, warnings } = place(t);
    assert.equal(await open().remember(known), null);
    assert.deepEqual(open().facts, known);
    assert.deepEqual(warnings, []);
  });

  test('is taken bit by bit, and seen at once', async (t) => {
    const { open } = place(t);
    const ledger = open();
    const written = ledger.remember({ good: revision('a') });
    void ledger.remember({ paused: true });
    assert.deepEqual(ledger.facts, { ...noFacts, good: revision('a'), paused: true });
    await written;
    await ledger.flush();
    assert.deepEqual(open().facts, ledger.facts);
  });

  test('is written once more, not a hundred times, when a hundred changes come at once', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    const inodes = new Set<number>();
    const writes = Array.from({ length: 100 }, async (_, index) => {
      assert.equal(await ledger.remember({ provingUntil: index }), null);
      inodes.add(statSync(paths.state).ino);
      assert.ok((open().facts.provingUntil ?? -1) >= index, 'resolved before it was on disk');
    });
    await Promise.all(writes);
    assert.ok(inodes.size <= 2, `${inodes.size} files were written`);
    assert.equal(open().facts.provingUntil, 99);
  });

  test('is not written where nothing has changed', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.remember({ paused: true });
    const { ino } = statSync(paths.state);
    await ledger.remember({ paused: true });
    await open().remember({ paused: true });
    assert.equal(statSync(paths.state).ino, ino);
  });

  test('keeps the last good file beside the new one', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.remember({ good: revision('a') });
    const before = readFileSync(paths.state, 'utf8');
    await ledger.remember({ good: revision('b') });
    assert.equal(readFileSync(paths.oldState, 'utf8'), before);
    await ledger.remember({ good: revision('c') });
    assert.match(readFileSync(paths.oldState, 'utf8'), /bbbb/);
  });

  test('is for nobody else to read', async (t) => {
    const { paths, open } = place(t);
    await open().remember(known);
    assert.equal(statSync(paths.state).mode & 0o777, 0o600);
    assert.equal(statSync(paths.directory).mode & 0o777, 0o700);
  });

  test('may come from a Huddle that knew fewer facts', (t) => {
    const { paths, open, warnings } = place(t);
    put(paths, JSON.stringify({ version: 1, facts: { good: revision('a') }, later: true }));
    assert.deepEqual(open().facts, { ...noFacts, good: revision('a') });
    assert.deepEqual(warnings, []);
  });
});

suite('A damaged state.json', () => {
  const whole = JSON.stringify({ version: 1, facts: known });
  const damages: Record<string, string | Buffer> = {
    'is empty': '',
    'is cut short': whole.slice(0, -20),
    'is full of zeros': Buffer.alloc(whole.length),
    'is of another program': '{"name":"left-pad","version":"1.3.0"}',
    'is of another version': whole.replace('"version":1', '"version":99'),
    'holds what is no commit': whole.replace(revision('a'), '--upload-pack=evil'),
    'is no object': '[]',
  };
  for (const [what, content] of Object.entries(damages)) {
    test(`that ${what} is set aside, and the one before it is taken`, async (t) => {
      const { paths, open, warnings } = place(t);
      await open().remember({ good: revision('1') });
      await open().remember({ good: revision('2') });
      writeFileSync(paths.state, content);
      const ledger = open();
      assert.deepEqual(ledger.facts, { ...noFacts, good: revision('1') });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /state\.json is damaged \(.+\); it is kept as /);
      assert.deepEqual(damaged(paths), [Buffer.from(content)]);
      assert.equal(await ledger.remember({ good: revision('3') }), null);
      assert.deepEqual(open().facts, { ...noFacts, good: revision('3') });
      assert.equal(warnings.length, 1);
    });
  }

  test('is not fatal when the one before it is damaged as well', async (t) => {
    const { paths, open, warnings } = place(t);
    put(paths, '{');
    writeFileSync(paths.oldState, '}');
    const ledger = open();
    assert.deepEqual(ledger.facts, noFacts);
    assert.equal(warnings.length, 2);
    assert.equal(await ledger.remember({ good: revision('1') }), null);
    assert.deepEqual(open().facts.good, revision('1'));
  });

  test('may be a folder, or a link that leads nowhere or in a circle', async (t) => {
    const { paths, open } = place(t);
    mkdirSync(paths.state, { recursive: true });
    assert.equal(await open().remember({ good: revision('1') }), null);
    assert.equal(open().facts.good, revision('1'));
    rmSync(paths.state);
    symlinkSync('state.json', paths.state);
    assert.equal(await open().remember({ good: revision('2') }), null);
    assert.equal(open().facts.good, revision('2'));
  });

  test('that is missing beside an old one counts as lost, and the old one is taken', async (t) => {
    const { paths, open, warnings } = place(t);
    await open().remember({ good: revision('1') });
    renameSync(paths.state, paths.oldState);
    assert.equal(open().facts.good, revision('1'));
    assert.deepEqual(warnings, []);
  });
});

suite('The program that is up', () => {
  test('is on disk when the call returns, and gone when there is none', (t) => {
    const { open, warnings } = place(t);
    const ledger = open();
    assert.equal(ledger.rememberProgram(program), null);
    assert.deepEqual(ledger.program, program);
    assert.deepEqual(open().program, program);
    assert.equal(ledger.rememberProgram(null), null);
    assert.equal(open().program, null);
    assert.deepEqual(warnings, []);
  });

  test('is not believed when its file is damaged', (t) => {
    const { paths, open, warnings } = place(t);
    const ledger = open();
    ledger.rememberProgram(program);
    truncateSync(paths.program, 20);
    assert.equal(open().program, null);
    assert.match(warnings.join(), /program\.json is damaged/);
    for (const wrong of [{ pid: 0 }, { pid: '1' }, { pid: -1 }, { startTime: null }, { revision: 'HEAD' }]) {
      writeFileSync(paths.program, JSON.stringify({ ...program, ...wrong }));
      assert.equal(open().program, null);
    }
  });

  test('is that of another folder when its file is a copy, and still its own when the folder was moved', (t) => {
    const { paths, warnings } = place(t);
    const open = (at: AppPaths) =>
      openAppLedger(at, { warn: (text) => warnings.push(text), bootId: 'this boot', marks: 'f00f00:shop:' });
    open(paths).rememberProgram(program);
    const elsewhere = (name: string) => statePaths(dirname(paths.root), join(paths.root, name)).app('shop');
    const [copied, linked, moved] = [elsewhere('copied'), elsewhere('linked'), elsewhere('moved')];
    for (const { directory } of [copied, linked, moved]) mkdirSync(directory, { recursive: true });
    copyFileSync(paths.program, copied.program);
    assert.equal(open(copied).program, null);
    linkSync(paths.program, linked.program);
    assert.equal(open(linked).program, null);
    rmSync(linked.program);
    assert.match(warnings.join(), /^(program\.json is a copy: process 4711 is left alone[^,]*, [^,]*,?){2}$/);
    renameSync(paths.program, moved.program);
    assert.deepEqual(open(moved).program, program);
  });
});

suite('A disk that refuses', () => {
  test('because it is full is told of once, facts stay in memory, and all is written once there is room', async (t) => {
    const folder = mounted(t, 'size=64k');
    if (folder === null) return;
    const { open, warnings } = place(t, folder);
    const ledger = open();
    assert.equal(await ledger.remember({ good: revision('1') }), null);
    ledger.rememberProgram(program);
    const before = { ...ledger.facts };
    fill(folder);

    for (const digit of ['2', '3', '4']) {
      const failure = await ledger.remember({ good: revision(digit) });
      assert.equal(failure?.code, 'disk-full');
      assert.match(failure?.hint ?? '', /space/);
    }
    assert.equal((await ledger.append(entry(1)))?.code, 'disk-full');
    assert.equal(ledger.rememberProgram({ ...program, pid: 12 })?.code, 'disk-full');
    assert.equal(ledger.facts.good, revision('4'));
    assert.equal(warnings.length, 3, warnings.join('\n'));
    assert.deepEqual(open().facts, before, 'what was on disk still is');

    rmSync(join(folder, 'filler'));
    assert.equal(await ledger.remember({}), null, 'nothing new is needed to try again');
    assert.equal(await ledger.append(entry(2)), null);
    assert.equal(ledger.rememberProgram(program), null);
    assert.deepEqual(warnings.slice(3), [
      'state.json is written again',
      'history.jsonl is written again',
      'program.json is written again',
    ]);
    assert.equal(open().facts.good, revision('4'));
    assert.deepEqual(await open().history(9), [entry(2), entry(1)], 'nothing is lost');
  });

  test('to be written to at all does not throw, nor lose the facts', async (t) => {
    const { paths, open, warnings } = place(t);
    mkdirSync(join(paths.directory, '..'), { recursive: true });
    writeFileSync(paths.directory, 'a file where the folder should be');
    const ledger = open();
    const failure = await ledger.remember({ good: revision('1') });
    assert.equal(failure?.code, 'internal');
    assert.equal(ledger.facts.good, revision('1'));
    assert.ok(ledger.rememberProgram(program));
    assert.ok(await ledger.append(entry(1)));
    await assert.rejects(ledger.history(1), { name: 'Failure', doing: 'reading' });
    rmSync(paths.directory);
    assert.equal(await ledger.remember({}), null);
    assert.match(warnings.at(-1) ?? '', /written again/);
  });

  for (const isClosed of [false, true])
    test(`is tried again until it does not, ${isClosed ? 'but no more once the ledger is closed' : 'by itself'}`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const { paths, open } = place(t);
      mkdirSync(join(paths.directory, '..'), { recursive: true });
      writeFileSync(paths.directory, 'a file where the folder should be');
      const ledger = open();
      assert.ok(await ledger.remember({ good: revision('1') }));
      assert.ok(ledger.rememberProgram(program));
      assert.ok(await ledger.append(entry(1)));
      if (isClosed) await ledger.close();
      rmSync(paths.directory);
      t.mock.timers.tick(10_000);
      if (isClosed) {
        await ledger.remember({ paused: true });
        ledger.rememberProgram(program);
        await ledger.append(entry(2));
      }
      await ledger.flush();
      const written = [paths.state, paths.program, paths.history].filter((path) => existsSync(path));
      assert.deepEqual(written, isClosed ? [] : [paths.state, paths.program, paths.history]);
    });

  test('because its folder was removed gets a new folder', async (t) => {
    const { paths, open, warnings } = place(t);
    const ledger = open();
    await ledger.remember({ good: revision('1') });
    rmSync(paths.directory, { recursive: true });
    assert.equal(await ledger.remember({ paused: true }), null);
    assert.deepEqual(open().facts, { ...noFacts, good: revision('1'), paused: true });
    assert.deepEqual(warnings, []);
  });
});

suite('A power cut', () => {
  const next = '0123456789abcdef0123456789abcdef01234567';

  test('before the tree had reached the disk makes the next boot restore it', async (t) => {
    const { open, paths } = place(t);
    const ledger = open();
    await ledger.remember({ good: next, current: null, pulling: next });
    await ledger.remember({ current: next, pulling: null });
    assert.equal(open().facts.pulling, null, 'a kill in the same boot loses nothing');
    const later = openAppLedger(paths, { warn: (text) => assert.fail(text), bootId: 'another boot', marks: '' });
    assert.equal(later.facts.pulling, next);
  });

  test('after the tree had reached the disk is none', async (t) => {
    const { open, paths } = place(t);
    const ledger = open();
    await ledger.remember({ good: next, pulling: next });
    assert.equal(ledger.isUnsynced, true);
    await ledger.remember({ current: next, pulling: null });
    await ledger.rememberSynced();
    assert.equal(ledger.isUnsynced, false);
    const later = openAppLedger(paths, { warn: (text) => assert.fail(text), bootId: 'another boot', marks: '' });
    assert.equal(later.facts.pulling, null);
  });

  test('is seen once only: facts written after the sync do not ask for another', async (t) => {
    const { open } = place(t);
    const ledger = open();
    await ledger.remember({ pulling: next });
    await ledger.rememberSynced();
    await ledger.remember({ pulling: next, branch: 'main' });
    assert.equal(ledger.isUnsynced, false);
  });
});

suite('A folder that has gone', () => {
  test('is not made anew, and the facts go on in memory', async (t) => {
    const folder = scratch(t);
    const { open, paths, warnings } = place(t, folder);
    const ledger = open();
    await ledger.remember({ branch: 'main' });
    renameSync(folder, `${folder}.away`);
    t.after(() => rmSync(`${folder}.away`, { recursive: true, force: true }));
    assert.equal((await ledger.remember({ branch: 'next' }))?.code, 'directory-missing');
    assert.notEqual(ledger.rememberProgram(program), null);
    assert.equal(existsSync(folder), false);
    assert.equal(warnings.length, 2);
    renameSync(`${folder}.away`, folder);
    assert.equal(await ledger.remember({}), null);
    assert.equal(open().facts.branch, 'next');
    assert.ok(existsSync(paths.state));
  });
});

suite('The history of an app', () => {
  test('has an entry once, also while that is being written', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.append(entry(1));
    const looks: Promise<unknown>[] = [];
    await whenSynced(t, paths.history, async () => {
      looks.push(ledger.history(9));
      await Promise.race([...looks, pause(100)]);
    });
    await ledger.append(entry(2));
    assert.deepEqual(await Promise.all(looks), [[entry(2), entry(1)]]);
  });

  test('is told newest first, up to a limit', async (t) => {
    const { open } = place(t);
    const ledger = open();
    await Promise.all([1, 2, 3].map((second) => ledger.append(entry(second))));
    assert.deepEqual(await ledger.history(2), [entry(3), entry(2)]);
    assert.deepEqual(await open().history(9), [entry(3), entry(2), entry(1)]);
  });

  test('survives a line that was cut short, which the next one does not run into', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.append(entry(1));
    await ledger.append(entry(2));
    truncateSync(paths.history, statSync(paths.history).size - 30);
    assert.deepEqual(await ledger.history(9), [entry(1)]);
    await ledger.append(entry(3));
    assert.deepEqual(await ledger.history(9), [entry(3), entry(1)]);
  });

  test('is written anew when its file has been removed, as far as it is known: its newest twenty entries', async (t) => {
    const { paths, open } = place(t);
    const before = open();
    for (let second = 1; second <= 25; second += 1) await before.append(entry(second));
    const ledger = open();
    await ledger.flush();
    rmSync(paths.directory, { recursive: true });
    const known = Array.from({ length: 20 }, (_, index) => entry(25 - index));
    assert.deepEqual(await ledger.history(99), known);
    assert.equal(await ledger.rewrite(), null);
    await ledger.flush();
    assert.deepEqual(await open().history(99), known);
    rmSync(paths.history);
    await ledger.append(entry(26));
    assert.deepEqual(await open().history(99), [entry(26), ...known.slice(0, 19), entry(6)]);
  });

  test('keeps a last line that lacks nothing but its end', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.append(entry(1));
    truncateSync(paths.history, statSync(paths.history).size - 1);
    await ledger.append(entry(2));
    assert.deepEqual(await ledger.history(9), [entry(2), entry(1)]);
  });

  test('passes over lines that are no entries', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    await ledger.append(entry(1));
    writeFileSync(paths.history, `\0\0\0\0\n{"at":1}\nnull\n`, { flag: 'a' });
    await ledger.append(entry(2));
    assert.deepEqual(await ledger.history(9), [entry(2), entry(1)]);
  });

  test('is bounded: of a thousand the newest half stays', async (t) => {
    const { paths, open } = place(t);
    const ledger = open();
    const lines = Array.from({ length: 1_000 }, (_, index) => JSON.stringify(entry(index)));
    mkdirSync(paths.directory, { recursive: true });
    writeFileSync(paths.history, `${lines.join('\n')}\n`);
    await ledger.append(entry(1_000));
    const kept = await ledger.history(Infinity);
    assert.equal(kept.length, 500);
    assert.deepEqual(kept[0], entry(1_000));
    assert.deepEqual(kept[499], entry(501));
  });
});

interface Place {
  readonly paths: AppPaths;
  readonly warnings: string[];
  /** As a new Huddle does. */
  readonly open: () => AppLedger;
}

function place(t: TestContext, folder = scratch(t)): Place {
  const paths = statePaths(folder).app('shop');
  mkdirSync(paths.root);
  const warnings: string[] = [];
  return {
    paths,
    warnings,
    open: () => openAppLedger(paths, { warn: (text) => warnings.push(text), bootId: 'this boot', marks: '' }),
  };
}

/** Has something done each time that a file has been written to and is about to be synced. */
async function whenSynced(t: TestContext, path: string, before: () => Promise<void>): Promise<void> {
  const handle = await openFile(path);
  const files = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const real = Object.getOwnPropertyDescriptor(files, 'sync')?.value as (this: FileHandle) => Promise<void>;
  t.mock.method(files, 'sync', async function synced(this: FileHandle) {
    await before();
    await real.call(this);
  });
}

function put(paths: AppPaths, content: string): void {
  mkdirSync(paths.directory, { recursive: true });
  writeFileSync(paths.state, content);
}

/** What was set aside. */
function damaged(paths: AppPaths): Buffer[] {
  const names = readdirSync(paths.directory).filter((name) => name.startsWith('state.json.damaged-'));
  return names.map((name) => readFileSync(join(paths.directory, name)));
}

function fill(folder: string): void {
  assert.throws(() => writeFileSync(join(folder, 'filler'), Buffer.alloc(1_048_576)), { code: 'ENOSPC' });
}

function entry(second: number): Parameters<AppLedger['append']>[0] {
  const at = new Date(1_700_000_000_000 + second * 1_000).toISOString();
  return { at, revision: revision('a'), from: null, result: 'deployed', reason: '', seconds: second, downtime: null };
}
