import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRotator } from '../../src/logs/rotate.ts';
import type { RotatedLog, Rotator } from '../../src/logs/rotate.ts';
import { mounted, scratch, until } from '../ledger/scratch.ts';
import { bytesOf, collapses, end, filesOf, flood, numbersOf, textOf } from './floods.ts';

const megabyte = 1_048_576;

suite('The rotator', () => {
  test('bounds the logs of all apps at each look, and leaves the small ones alone', async (t) => {
    const folder = scratch(t);
    const { rotator, warnings } = rotating(t, 3_600, [
      { path: put(folder, 'shop.log', 300_000), size: 0.1, keep: 3 },
      { path: put(folder, 'blog.log', 50_000), size: 0.1, keep: 3 },
      { path: join(folder, 'gone.log'), size: 0.1, keep: 3 },
      { path: put(folder, 'deploy.log', 300_000), size: 0.2, keep: 3 },
    ]);
    await rotator.look();
    assert.ok(statSync(join(folder, 'shop.log')).size < 0.1 * megabyte);
    assert.ok(statSync(join(folder, 'deploy.log')).size < 0.2 * megabyte);
    assert.deepEqual(filesOf(join(folder, 'blog.log')), [join(folder, 'blog.log')]);
    assert.deepEqual(warnings, []);
  });

  test('looks more often at a log that grows fast, and loses nothing of it', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.5, keep: 100_000 };
    const { rotator } = rotating(t, 3_600, [log]);
    const writer = flood(t, log.path);
    await until('the first look', () => filesOf(log.path).length > 1);
    for (let look = 0; look < 3; look += 1) {
      const before = filesOf(log.path).length;
      await until('it is below its limit', () => statSync(log.path).size < log.size * megabyte);
      await until('another look', () => filesOf(log.path).length > before);
    }
    await end(writer, 'SIGTERM');
    await rotator.stop();
    numbersOf(log.path).forEach((number, index) => assert.equal(number, index));
  });

  test('never stops a flood, and bounds what it leaves on the disk', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.5, keep: 2 };
    rotating(t, 0.1, [log]);
    const writer = flood(t, log.path, 500_000);
    await end(writer);
    assert.equal(writer.exitCode, 0);
    await until('the log is within its bounds', () => statSync(log.path).size < log.size * megabyte);
    assert.ok(bytesOf(log.path) <= log.size * megabyte * 3);
    assert.match(textOf(log.path), /^000499999\.*\n$/m);
  });

  test('warns once of a log that cannot be rotated, goes on with the others, and tries again', async (t) => {
    const folder = mounted(t, 'size=2m');
    if (folder === null) return;
    const elsewhere = scratch(t);
    const log = { path: put(folder, 'app.log', 600_000), size: 0.5, keep: 2 };
    const other = { path: put(elsewhere, 'app.log', 600_000), size: 0.5, keep: 2 };
    assert.throws(() => put(folder, 'filler', 2 * megabyte), { code: 'ENOSPC' });
    const { rotator, warnings } = rotating(t, 3_600, [log, other]);
    await rotator.look();
    await rotator.look();
    assert.deepEqual(warnings, ['rotating app.log: no space left on the disk; it is tried again']);
    assert.equal(filesOf(other.path).length, 2);
    assert.equal(statSync(log.path).size, 600_000);
    rmSync(join(folder, 'filler'));
    await rotator.look();
    assert.equal(filesOf(log.path).length, 2);
    assert.equal(bytesOf(log.path), 600_000);
  });

  test('survives a folder where a log should be, and one where a rotated file should be', async (t) => {
    const folder = scratch(t);
    mkdirSync(join(folder, 'app.log'));
    mkdirSync(join(folder, 'b.log.1/full'), { recursive: true });
    const log = { path: put(folder, 'b.log', 300_000), size: 0.2, keep: 1 };
    const { rotator, warnings } = rotating(t, 3_600, [{ path: join(folder, 'app.log'), size: 0.001, keep: 1 }, log]);
    await rotator.look();
    assert.equal(warnings.length, 2, warnings.join('\n'));
    assert.equal(statSync(log.path).size, 300_000);
  });

  test('takes no rounds while an event would tell of everything, and looks at once when one does', async (t) => {
    const log = { path: put(scratch(t), 'app.log', 50_000), size: 0.1, keep: 3 };
    const every = 0.2;
    let asked = performance.now();
    const files = () => {
      asked = performance.now();
      return [log];
    };
    const rotator = createRotator({ every, files, warn: () => {} });
    t.after(() => rotator.stop());
    await until('it rests', () => performance.now() - asked > 5 * every * 1000);
    appendFileSync(log.path, 'a line of 16 b.\n'.repeat(10_000));
    await until('the log is bounded', () => filesOf(log.path).length > 1);
  });

  test('looks no more once it is stopped', async (t) => {
    const folder = scratch(t);
    const { rotator } = rotating(t, 3_600, [{ path: put(folder, 'app.log', 300_000), size: 0.1, keep: 3 }]);
    await rotator.stop();
    await rotator.look();
    assert.equal(filesOf(join(folder, 'app.log')).length, 1);
  });
});

function rotating(
  t: TestContext,
  every: number,
  logs: readonly RotatedLog[],
): { rotator: Rotator; warnings: string[] } {
  const warnings: string[] = [];
  const rotator = createRotator({ every, files: () => logs, warn: (text) => warnings.push(text) });
  t.after(() => rotator.stop());
  return { rotator, warnings };
}

function put(folder: string, name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, 'a line of 16 b.\n'.repeat(Math.ceil(bytes / 16)).slice(0, bytes));
  return path;
}
