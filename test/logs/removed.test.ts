import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { tail } from '../../src/logs/follow.ts';
import { appendTo, deployLog } from '../../src/logs/open.ts';
import { createRotator } from '../../src/logs/rotate.ts';
import type { RotatedLog } from '../../src/logs/rotate.ts';
import { scratch, until } from '../ledger/scratch.ts';
import { collapses, end, filesOf, flood, numbersOf, textOf } from './floods.ts';

const isLinux = process.platform === 'linux';

suite('A log that is removed', { skip: isLinux ? false : 'needs /proc' }, () => {
  test('while its program writes is put back whole, and gets what is written from then on', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 100, keep: 1 };
    const rotator = rotating(t, [log]);
    const writer = flood(t, log.path);
    await until('some lines', () => sizeOf(log.path) > 100_000);
    const { uid, mode } = statSync(log.path);
    rmSync(log.path);
    await until('it is back', () => existsSync(log.path));
    const before = sizeOf(log.path);
    await until('it grows', () => sizeOf(log.path) > before + 10_000);
    await end(writer, 'SIGTERM');
    await rotator.look();
    numbersOf(log.path).forEach((number, index) => assert.equal(number, index));
    assert.deepEqual([statSync(log.path).uid, statSync(log.path).mode], [uid, mode]);
  });

  test('is bounded like any other, and the file without a name as well', async (t) => {
    const folder = scratch(t);
    if (!(await collapses(t, folder))) return;
    const log = { path: join(folder, 'app.log'), size: 0.5, keep: 100_000 };
    const rotator = rotating(t, [log]);
    const writer = flood(t, log.path);
    await until('some lines', () => sizeOf(log.path) > 100_000);
    rmSync(log.path);
    await until('it was rotated', () => filesOf(log.path).length > 8);
    const nameless = statSync(`/proc/${writer.pid}/fd/1`);
    assert.equal(nameless.nlink, 0);
    assert.ok(nameless.size < 3_000_000, `${nameless.size} bytes without a name`);
    await end(writer, 'SIGTERM');
    await rotator.stop();
    numbersOf(log.path).forEach((number, index) => assert.equal(number, index));
  });

  test('while its program writes is put back also where it could not be looked for at once', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 100, keep: 1 };
    const limit = descriptorLimit(t);
    const warned = Promise.withResolvers<string>();
    const rotator = createRotator({ every: 0.5, files: () => [log], warn: warned.resolve });
    t.after(() => rotator.stop());
    flood(t, log.path);
    await until('some lines', () => sizeOf(log.path) > 10_000);
    await rotator.look();
    await limit(8);
    rmSync(log.path);
    const warning = await warned.promise;
    await limit('');
    assert.equal(warning, 'looking for removed logs: Huddle has no file descriptors left; it is tried again');
    await until('it is back', () => existsSync(log.path));
  });

  test('is followed on as if nothing had happened', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 100, keep: 1 };
    rotating(t, [log]);
    const writer = flood(t, log.path);
    const ending = new AbortController();
    t.after(() => ending.abort());
    let text = '';
    const reading = (async () => {
      for await (const piece of tail(log.path, { lines: 1e9, follow: true, signal: ending.signal }))
        text += String(piece);
    })();
    await until('some lines', () => text.length > 100_000);
    rmSync(log.path);
    await until('it is back', () => existsSync(log.path));
    const before = sizeOf(log.path);
    await until('more', () => text.length > before + 100_000);
    await end(writer, 'SIGTERM');
    ending.abort();
    await reading;
    const lines = text.split('\n').slice(0, -1);
    lines.forEach((line, index) => assert.equal(Number(line.slice(0, 9)), index));
  });

  test('with its folders comes back with them, but only where what holds the state stands', async (t) => {
    const base = scratch(t);
    const path = join(base, '.huddle/apps/shop/logs/app.log');
    const rotator = rotating(t, [{ path, base, size: 100, keep: 1 }]);
    const descriptor = appendTo(path);
    t.after(() => closeSync(descriptor));
    appendFileSync(descriptor, 'one\n');
    await rotator.look();
    rmSync(join(base, '.huddle'), { recursive: true });
    await rotator.look();
    assert.equal(readFileSync(path, 'utf8'), 'one\n');
    appendFileSync(descriptor, 'two\n');
    await rotator.look();
    rmSync(base, { recursive: true });
    await rotator.look();
    assert.equal(existsSync(base), false);
    mkdirSync(base);
    appendFileSync(descriptor, 'three\n');
    await rotator.look();
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\nthree\n');
  });

  for (const [when, fails] of [
    ['', false],
    [', also where it could not be looked for at once', true],
  ] as const)
    test(`by an editor that saved it anew gets only what came after that${when}`, async (t) => {
      const path = join(scratch(t), 'app.log');
      const limit = descriptorLimit(t);
      const rotator = rotating(t, [{ path, size: 100, keep: 1 }]);
      const descriptor = appendTo(path);
      t.after(() => closeSync(descriptor));
      appendFileSync(descriptor, 'secret\nplain\n');
      await rotator.look();
      writeFileSync(`${path}.new`, 'plain\n');
      renameSync(`${path}.new`, path);
      appendFileSync(descriptor, 'later\n');
      if (fails) {
        await limit(8);
        await rotator.look();
        await limit('');
      }
      await rotator.look();
      assert.equal(readFileSync(path, 'utf8'), 'plain\nlater\n');
    });

  test('in the middle of a deployment keeps what the deployment says', async (t) => {
    const path = join(scratch(t), 'logs/deploy.log');
    const rotator = rotating(t, [{ path, base: dirname(dirname(path)), size: 100, keep: 1 }]);
    const log = deployLog(path, { what: 'testing', warn: assert.fail });
    t.after(() => log.close());
    log.write('before\n');
    await rotator.look();
    rmSync(dirname(path), { recursive: true });
    log.write('after\n');
    await rotator.look();
    log.write('at last\n');
    await rotator.look();
    assert.match(readFileSync(path, 'utf8'), /testing\nbefore\nafter\nat last\n$/);
  });

  test('of a program that runs no more stays away, and nothing is held open for it', async (t) => {
    const path = join(scratch(t), 'app.log');
    const rotator = rotating(t, [{ path, size: 100, keep: 1 }]);
    const writer = flood(t, path);
    await until('some lines', () => sizeOf(path) > 10_000);
    rmSync(path);
    await rotator.look();
    assert.equal(existsSync(path), true);
    await end(writer, 'SIGTERM');
    await rotator.look();
    const text = textOf(path);
    assert.ok(text.length > 10_000);
    rmSync(path);
    await rotator.look();
    assert.equal(existsSync(path), false);
  });

  test('is found again by a Huddle that starts anew', async (t) => {
    const log = { path: join(scratch(t), 'app.log'), size: 100, keep: 1 };
    const writer = flood(t, log.path);
    await until('some lines', () => sizeOf(log.path) > 10_000);
    rmSync(log.path);
    const rotator = rotating(t, [log]);
    await rotator.look();
    await end(writer, 'SIGTERM');
    await rotator.look();
    numbersOf(log.path).forEach((number, index) => assert.equal(number, index));
  });
});

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Sets how many descriptors this process may have; '' is what it was at first. By another one, which needs none for it. */
function descriptorLimit(t: TestContext): (limit: number | '') => Promise<void> {
  const setting = 'while read -r limit; do prlimit --pid "$PPID" --nofile="${limit:-$0}:" && echo set; done';
  const first = execFileSync('sh', ['-c', 'ulimit -Sn'], { encoding: 'utf8' }).trim();
  const child = spawn('sh', ['-c', setting, first], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.stdin.end('\n'));
  return async (limit) => {
    child.stdin.write(`${limit}\n`);
    await once(child.stdout, 'data');
  };
}

function rotating(t: TestContext, logs: readonly RotatedLog[]) {
  const rotator = createRotator({ every: 0.5, files: () => logs, warn: (text) => t.diagnostic(text) });
  t.after(() => rotator.stop());
  return rotator;
}
