import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { beginMove, beginOf } from '../../src/logs/layout.ts';
import { recover, rotate } from '../../src/logs/rotation.ts';
import { mounted, scratch, until } from '../ledger/scratch.ts';
import { bytesOf, collapses, end, filesOf, flood, numbersOf, textOf } from './floods.ts';

const megabyte = 1_048_576;

suite('Rotating a log', () => {
  test('loses and doubles no line while its program floods it', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 100_000 };
    const writer = flood(t, log.path);
    while (filesOf(log.path).length < 20) await rotate(log);
    await end(writer, 'SIGTERM');
    numbersOf(log.path).forEach((number, index) => assert.equal(number, index));
  });

  test('loses and doubles no line when Huddle is killed in the middle, again and again', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const path = join(folder, 'app.log');
    const program = join(import.meta.dirname, 'programs/rotate-forever.ts');
    const writer = flood(t, path);
    for (let kill = 0; kill < 12; kill += 1) {
      const rotator = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => rotator.kill('SIGKILL'));
      await new Promise((done) => rotator.stdout.once('data', done));
      const before = filesOf(path).length;
      await until('a rotation', () => filesOf(path).length > before);
      await pause(Math.random() * 100);
      await end(rotator, 'SIGKILL');
    }
    await end(writer, 'SIGTERM');
    await recover({ path, size: 0.1, keep: 100_000 });
    numbersOf(path).forEach((number, index) => assert.equal(number, index));
    assert.ok(filesOf(path).length > 6, `${filesOf(path).length} files`);
  });

  test('is whole again after a kill while it made room for the next file', async (t) => {
    const path = join(scratch(t), 'app.log');
    const lines = Array.from({ length: 60_000 }, (_, index) => `${String(index).padStart(9, '0')}\n`);
    const log = { path, size: 0.1, keep: 9 };
    for (let turn = 0; turn < 3; turn += 1) {
      writeFileSync(path, lines.slice(turn * 20_000, (turn + 1) * 20_000).join(''), { flag: 'a' });
      await rotate(log);
    }
    const before = textOf(path);
    for (const moved of [
      [3, 2],
      [3, 2, 1],
    ]) {
      const live = await open(path, 'r+');
      await beginMove(path, live, { start: await beginOf(path), from: 0, to: 4096 });
      await live.close();
      writeFileSync(`${path}.part`, readFileSync(path).subarray(0, 4096));
      for (const number of moved) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
      assert.notEqual(textOf(path), before);
      await recover(log);
      assert.equal(textOf(path), before);
      assert.equal(await beginOf(path), before.length - statSync(path).size);
    }
  });

  test('keeps lines whole where a block ends with one', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.5, keep: 9 };
    writeFileSync(log.path, Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join(''));
    await rotate(log);
    for (const file of filesOf(log.path)) assert.match(readFileSync(file, 'utf8'), /^line \d+\n[^]*\n$/);
  });

  test('copes with a log without a single line end', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 0.1, keep: 9 };
    const text = '0123456789'.repeat(30_000);
    writeFileSync(log.path, text);
    await rotate(log);
    assert.equal(textOf(log.path), text);
    assert.ok(statSync(log.path).size < 0.1 * megabyte);
  });

  test('keeps as many files as it should, also after `keep` was lowered, and of a flood the newest', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 5 };
    for (const keep of [5, 2, 0]) {
      writeFileSync(log.path, Array.from({ length: 300_000 }, (_, index) => `${index}\n`).join(''), { flag: 'a' });
      await rotate({ ...log, keep });
      assert.ok(filesOf(log.path).length <= keep + 1);
      assert.ok(bytesOf(log.path) <= 0.1 * megabyte * (keep + 1));
      assert.match(textOf(log.path), /299998\n299999\n$/);
    }
    assert.deepEqual(readdirSync(folder).sort(), ['app.log', 'app.log.origin', 'probe']);
  });

  test('bounds a log also where less than a block is allowed', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 0.000_1, keep: 2 };
    writeFileSync(log.path, 'x\n'.repeat(100_000));
    for (let look = 0; look < 4; look += 1) await rotate(log);
    assert.ok(statSync(log.path).size < 8_192);
  });

  test('makes room of a flood also where there is none for a copy', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 5 };
    writeFileSync(log.path, Array.from({ length: 300_000 }, (_, index) => `${index}\n`).join(''));
    symlinkSync(join(folder, 'missing/part'), `${log.path}.part`);
    await assert.rejects(rotate(log), { code: 'ENOENT' });
    assert.ok(statSync(log.path).size <= log.keep * log.size * megabyte);
    assert.match(readFileSync(log.path, 'utf8'), /299998\n299999\n$/);
  });

  test('leaves alone what is small, and what is not there', async (t) => {
    const folder = scratch(t);
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 5 };
    await rotate(log);
    await recover(log);
    assert.deepEqual(readdirSync(folder), []);
    writeFileSync(log.path, 'small\n');
    await rotate(log);
    assert.deepEqual(readdirSync(folder), ['app.log']);
  });

  test('touches no file that merely has a similar name', async (t) => {
    const folder = scratch(t);
    const names = ['app.log.gz', 'app.log.1.gz', 'app.log.9x', 'app.log2', 'app.log.'];
    for (const name of names) writeFileSync(join(folder, name), name);
    const log = { path: join(folder, 'app.log'), size: 0.1, keep: 1 };
    writeFileSync(log.path, 'x\n'.repeat(100_000));
    await rotate(log);
    for (const name of names) assert.equal(readFileSync(join(folder, name), 'utf8'), name);
  });
});

suite('A rotation that was cut short', () => {
  const block = 4_096;
  const head = Array.from({ length: (25 * block) / 10 }, (_, index) => `${String(index).padStart(9, '0')}\n`).join('');
  const rest = 'and what was written after that\n';

  function left(folder: string, files: Record<string, string>): { path: string; size: number; keep: number } {
    for (const [ending, text] of Object.entries(files)) writeFileSync(join(folder, `app.log${ending}`), text);
    return { path: join(folder, 'app.log'), size: 0.1, keep: 5 };
  }

  test('before the copy was whole leaves no trace', async (t) => {
    const folder = scratch(t);
    const log = left(folder, { '': head + rest, '.part': head.slice(0, 5_000), '.1': 'older\n' });
    await recover(log);
    await rotate({ ...log, size: 0.05 });
    assert.equal(textOf(log.path), `older\n${head}${rest}`);
    assert.equal(existsSync(`${log.path}.part`), false);
  });

  test('before the copy got its name loses nothing, also with a gap in the numbers', async (t) => {
    const folder = scratch(t);
    const log = left(folder, { '': head + rest, '.part': head, '.moving': `0 0\n${rest}`, '.2': 'older\n' });
    await recover(log);
    assert.equal(readFileSync(log.path, 'utf8'), head + rest);
    await rotate({ ...log, size: 0.05 });
    assert.equal(textOf(log.path), `older\n${head}${rest}`);
    assert.deepEqual(
      readdirSync(folder).filter((name) => /part|moving/.test(name)),
      [],
    );
  });

  test('before the head was cut off is finished: the head is not there twice', async (t) => {
    const log = left(scratch(t), { '': head + rest, '.1': head, '.moving': `0 0\n${rest}` });
    await recover(log);
    assert.equal(textOf(log.path), head + rest);
    assert.equal(existsSync(`${log.path}.moving`), false);
  });

  test('after the room of the head, or some of it, was given back is finished as well', async (t) => {
    for (const gone of [head.length, 5 * block]) {
      const live = '\0'.repeat(gone) + head.slice(gone) + rest;
      const log = left(scratch(t), { '': live, '.1': head, '.moving': `0 0\n${rest}` });
      await recover(log);
      assert.equal(textOf(log.path), head + rest);
    }
  });

  test('of a flood, whose oldest bytes are in no copy, is finished as well: they go with the head', async (t) => {
    const old = 'x'.repeat(3 * block);
    for (const gone of [0, block, old.length, old.length + 5 * block, old.length + head.length]) {
      const live = '\0'.repeat(gone) + (old + head).slice(gone) + rest;
      const log = left(scratch(t), { '': live, '.1': head, '.moving': `${old.length} ${old.length}\n${rest}` });
      await recover(log);
      assert.equal(textOf(log.path), head + rest);
      assert.equal(await beginOf(log.path), old.length + head.length);
    }
  });

  test('after the head was cut off is not done again', async (t) => {
    const log = left(scratch(t), { '': `${rest}and more\n`, '.1': head, '.moving': `0 0\n${rest}` });
    await recover(log);
    assert.equal(textOf(log.path), `${head}${rest}and more\n`);
    assert.equal(existsSync(`${log.path}.moving`), false);
  });

  test('of a log that repeats itself leaves bytes doubled rather than lost', async (t) => {
    const same = 'y\n'.repeat(20 * block);
    const log = left(scratch(t), {
      '': same,
      '.1': same.slice(0, 10 * block),
      '.moving': `0 0\n${same.slice(0, block)}`,
    });
    await recover(log);
    assert.equal(readFileSync(log.path, 'utf8'), same);
  });

  test('and whose log was emptied by hand since removes nothing', async (t) => {
    // A writer that does not append leaves zeros before what it writes next.
    for (const live of ['new\n', `${'\0'.repeat(head.length)}new\n`]) {
      const log = left(scratch(t), { '': live, '.1': head, '.moving': `0 0\n${rest}` });
      await recover(log);
      assert.equal(textOf(log.path), head + live);
    }
  });
});

suite('Where the file system cannot collapse a range', () => {
  test('a log is copied and emptied, and a flood goes on', async (t) => {
    const folder = mounted(t, 'size=200m');
    if (folder === null) return;
    const log = { path: join(folder, 'app.log'), size: 0.2, keep: 100_000 };
    const writer = flood(t, log.path);
    while (filesOf(log.path).length < 5) {
      await rotate(log);
      await pause(5);
    }
    await end(writer, 'SIGTERM');
    await rotate(log);
    assert.ok(statSync(log.path).size < megabyte);
    // Lines of the instant between the last look and the emptying may be missing, and one may be torn by it; none is doubled.
    const numbers = [...textOf(log.path).matchAll(/^(\d{9})\.*$/gm)].map(([, number]) => Number(number));
    numbers.reduce((before, number) => (assert.ok(number > before, `${number} after ${before}`), number));
    const written = (numbers.at(-1) ?? 0) + 1;
    assert.ok(numbers.length > 0.9 * written, `${numbers.length} of ${written} lines`);
  });

  test('nothing is lost of a log that nobody writes to in that instant', async (t) => {
    const folder = mounted(t, 'size=20m');
    if (folder === null) return;
    const log = { path: join(folder, 'app.log'), size: 0.2, keep: 3 };
    const text = Array.from({ length: 50_000 }, (_, index) => `line ${index}\n`).join('');
    writeFileSync(log.path, text);
    await rotate(log);
    assert.equal(textOf(log.path), text);
    assert.equal(statSync(log.path).size, 0);
  });
});
