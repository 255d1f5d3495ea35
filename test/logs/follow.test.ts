import assert from 'node:assert/strict';
import { appendFileSync, existsSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { tail } from '../../src/logs/follow.ts';
import { rotate } from '../../src/logs/rotation.ts';
import { mounted, scratch, until } from '../ledger/scratch.ts';
import { collapses, end, filesOf, flood } from './floods.ts';

const block = 4_096;

suite('The last lines of a log', () => {
  const numbered = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('');

  test('are counted as tail counts them', async (t) => {
    const path = join(scratch(t), 'app.log');
    const cases: readonly (readonly [text: string, lines: number, last: string])[] = [
      ['', 3, ''],
      ['one', 1, 'one'],
      ['one\n', 1, 'one\n'],
      ['one\ntwo\n', 1, 'two\n'],
      ['one\ntwo', 1, 'two'],
      ['one\ntwo\n', 2, 'one\ntwo\n'],
      ['one\n\n\n', 2, '\n\n'],
      ['one\ntwo\n', 0, ''],
      ['one\ntwo\n', 99, 'one\ntwo\n'],
      [numbered(0, 50_000), 30_000, numbered(20_000, 50_000)],
    ];
    for (const [text, lines, last] of cases) {
      writeFileSync(path, text);
      assert.equal(await lastOf(path, lines), last, JSON.stringify([text.slice(0, 20), lines]));
    }
  });

  test('are none where there is no log yet, nor a folder for it', async (t) => {
    assert.equal(await lastOf(join(scratch(t), 'none/app.log'), 10), '');
  });

  test('come from the rotated files too where the live one has fewer', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.05, keep: 9 };
    const text = numbered(0, 20_000);
    writeFileSync(log.path, text);
    await rotate(log);
    assert.ok(filesOf(log.path).length > 1);
    for (const lines of [1, 10, 5_000, 15_000, 20_000, 99_999]) {
      assert.equal(await lastOf(log.path, lines), numbered(Math.max(0, 20_000 - lines), 20_000));
    }
  });

  test('of a rotation that nobody finished are there once', async (t) => {
    const path = join(scratch(t), 'app.log');
    const text = numbered(0, 2_000);
    const head = text.slice(0, block);
    writeFileSync(`${path}.1`, head);
    writeFileSync(`${path}.moving`, `0 0\n${text.slice(block, block + 99)}`);
    utimesSync(`${path}.moving`, 1, 1);
    for (const live of [text, text.slice(block)]) {
      writeFileSync(path, live);
      assert.equal(await lastOf(path, 99_999), text);
      assert.equal(await lastOf(path, 1_990), numbered(10, 2_000));
    }
  });
});

suite('Following a log', () => {
  test('gives every line of a flood once and in order, while it is rotated again and again', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 100_000 };
    const follower = follow(t, log.path);
    const writer = flood(t, log.path);
    while (filesOf(log.path).length < 20) await rotate(log);
    await end(writer, 'SIGTERM');
    const last = (await lastOf(log.path, 1)).slice(0, 9);
    await follower.until(new RegExp(`^${last}\\.*\n$`, 'm'));
    const lines = follower.text.match(/^\d{9}\.*$/gm) ?? [];
    lines.forEach((line, index) => assert.equal(Number(line.slice(0, 9)), index));
    assert.equal(lines.length, Number(last) + 1);
  });

  test('goes on behind a rotation that copies and empties', async (t) => {
    const folder = mounted(t, 'size=20m');
    if (folder === null) return;
    const log = { path: join(folder, 'app.log'), size: 0.01, keep: 99 };
    const follower = follow(t, log.path);
    let text = '';
    for (let round = 0; round < 10; round += 1) {
      const lines = `${'x'.repeat(500 * round)}\n${round}\n`.repeat(9);
      appendFileSync(log.path, lines);
      text += lines;
      // Neither read to the end before each rotation, nor never.
      if (round % 2 === 0) await follower.until(new RegExp(`${round}\n$`));
      await rotate(log);
    }
    await follower.until(/\n9\n$/);
    assert.ok(follower.text === text, `${follower.text.length} bytes of ${text.length}`);
  });

  test('begins with the last lines, and sees a log that comes only later', async (t) => {
    const folder = scratch(t);
    const [here, later] = [join(folder, 'app.log'), join(folder, 'later.log')];
    writeFileSync(here, 'one\ntwo\nthr');
    const [first, second] = [follow(t, here, 2), follow(t, later, 2)];
    await first.until(/^two\nthr$/);
    appendFileSync(here, 'ee\n');
    await first.until(/^two\nthree\n$/);
    writeFileSync(later, 'new\n');
    await second.until(/^new\n$/);
  });

  test('begins anew in a log that was emptied, and in one that was removed and made again', async (t) => {
    const path = join(scratch(t), 'app.log');
    writeFileSync(path, 'a long line of before\n');
    const follower = follow(t, path);
    await follower.until(/before/);
    truncateSync(path);
    appendFileSync(path, 'emptied\n');
    await follower.until(/emptied\n$/);
    rmSync(path);
    writeFileSync(path, 'again\n');
    await follower.until(/^a long line of before\nemptied\nagain\n$/);
  });

  test('outlives a log that is emptied, and removed between two looks at it', async (t) => {
    const path = join(scratch(t), 'app.log');
    writeFileSync(path, 'one\ntwo\n');
    const follower = follow(t, path);
    await follower.until(/two\n/);
    let isRemoved = false;
    const { open } = files;
    t.mock.method(files, 'open', async (...[name, flags]: Parameters<typeof open>) => {
      const file = await open(name, flags);
      const isEmptied = name === path && (await file.stat()).size === 0;
      if (isEmptied && !isRemoved) rmSync(path);
      isRemoved ||= isEmptied;
      return file;
    });
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    truncateSync(path);
    await until('it is removed', () => isRemoved);
    writeFileSync(path, 'new\n');
    await follower.until(/new\n/);
  });

  test('takes no notice of a log that goes and is put back whole', async (t) => {
    const path = join(scratch(t), 'app.log');
    writeFileSync(path, 'one\n');
    const follower = follow(t, path);
    await follower.until(/one/);
    renameSync(path, `${path}.away`);
    appendFileSync(`${path}.away`, 'two\n');
    renameSync(`${path}.away`, path);
    appendFileSync(path, 'three\n');
    await follower.until(/^one\ntwo\nthree\n$/);
  });

  test('goes on where it was when somebody removes the rotated files', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.01, keep: 9 };
    writeFileSync(log.path, 'x\n'.repeat(20_000));
    await rotate(log);
    const follower = follow(t, log.path, 1);
    await follower.until(/^x\n$/);
    for (const name of ['1', '2', '3', 'origin']) rmSync(`${log.path}.${name}`, { force: true });
    appendFileSync(log.path, 'y\n');
    await follower.until(/^x\ny\n$/);
  });

  test('by a reader who is too slow reads on where the log does, and tells how much it missed', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 1 };
    const { signal } = new AbortController();
    appendFileSync(log.path, 'begin');
    const reader = tail(log.path, { lines: 10, follow: true, signal });
    let text = String((await reader.next()).value);
    const lines = Array.from({ length: 200_000 }, (_, index) => `${index}\n`).join('');
    appendFileSync(log.path, lines);
    await rotate(log);
    while (!text.endsWith('\n199999\n')) text += String((await reader.next()).value);
    await reader.return(undefined);
    const [, missed, rest = ''] = /^begin\n--- (\d+) bytes are left out.*\n([^]*)$/.exec(text) ?? [];
    assert.equal(Number(missed) + rest.length, lines.length);
    assert.ok(lines.endsWith(rest));
  });

  test('ends when it is told to, and leaves nothing behind that keeps a process alive', async (t) => {
    const path = join(scratch(t), 'app.log');
    const ending = new AbortController();
    const reader = tail(path, { lines: 1, follow: true, signal: ending.signal });
    const next = reader.next();
    ending.abort();
    assert.equal((await next).done, true);
    assert.equal(existsSync(path), false);
  });

  test('of a flood is done with the last line of a program that has ended', async (t) => {
    const path = join(scratch(t), 'app.log');
    const follower = follow(t, path);
    const writer = flood(t, path);
    await until('some of it', () => follower.text.length > 1_000_000);
    await end(writer, 'SIGTERM');
    const last = (await lastOf(path, 1)).trim();
    await follower.until(new RegExp(`${last}\n$`.replaceAll('.', '\\.')));
  });
});

async function lastOf(path: string, lines: number): Promise<string> {
  const pieces = tail(path, { lines, follow: false, signal: new AbortController().signal });
  let text = '';
  for await (const piece of pieces) text += String(piece);
  return text;
}

/** What a follower has read so far. */
function follow(t: TestContext, path: string, lines = 1e9): { text: string; until(end: RegExp): Promise<void> } {
  const ending = new AbortController();
  const follower = {
    text: '',
    until: (pattern: RegExp) => until(String(pattern), () => pattern.test(follower.text)),
  };
  const reading = (async () => {
    for await (const piece of tail(path, { lines, follow: true, signal: ending.signal }))
      follower.text += String(piece);
  })();
  t.after(async () => {
    ending.abort();
    await reading;
  });
  return follower;
}
