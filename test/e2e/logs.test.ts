import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { start } from '../cli/command.ts';
import { collapses } from '../logs/floods.ts';
import { residentMegabytes } from '../bench/usage.ts';
import { eventually, plain, scene, type Scene } from './harness.ts';

const flood = join(import.meta.dirname, '../logs/programs/flood.ts');
const megabyte = 1_048_576;

suite('Logs', { concurrency: 2 }, () => {
  test('of a flood are all there, in order, over many rotations and without a restart', async (t) => {
    const stage = await scene(t);
    if (!(await collapses(t, stage.root))) return;
    const huddle = await flooding(stage, { size: 0.2, keep: 10_000 });
    const before = await huddle.app('shop');
    await eventually('rotations', () => filesOf(stage).length > 5);
    const after = await huddle.app('shop');
    assert.deepEqual(after.program, before.program);
    await huddle.stop();
    const lines = filesOf(stage).map((file) => readFileSync(file, 'utf8'));
    const numbers = lines.join('').match(/^\d{9}(?=\.*$)/gm) ?? [];
    assert.ok(numbers.length > 10_000);
    numbers.forEach((number, index) => assert.equal(Number(number), index));
  });

  test('of 100 MB written as fast as can be, and of a test that talks, leave the disk bounded, and the memory of Huddle flat', async (t) => {
    const stage = await scene(t);
    if (!(await collapses(t, stage.root))) return;
    const repo = await stage.repo();
    const calm = await repo.publish({ 'program.sh': 'sleep 1000\n' });
    const chatty = `yes "a test that talks" | head -c ${20 * megabyte}`;
    await stage.app('shop', repo.remote, { logs: { size: 2, keep: 3 }, test: { command: chatty } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', calm);
    const memory = residentMegabytes(huddle.pid);
    const line = `yes "a line that nobody will ever read" | head -c ${100 * megabyte}; echo the end; exec sleep 1000\n`;
    const wild = await repo.publish({ 'program.sh': line });
    await huddle.live('shop', wild);
    await eventually('the end', () => readFileSync(logOf(stage), 'utf8').endsWith('the end\n'));
    for (const log of ['app', 'deploy'] as const)
      await eventually(`the disk is bounded: ${log}.log`, () => sizeOf(stage, log) <= 8 * megabyte + 8_192);
    assert.ok(residentMegabytes(huddle.pid) < memory + 40, `${memory} MB, then ${residentMegabytes(huddle.pid)} MB`);
    await huddle.stop();
  });

  test('are followed by huddle logs -f over rotations, from the first line to the last', async (t) => {
    const stage = await scene(t);
    if (!(await collapses(t, stage.root))) return;
    const huddle = await flooding(stage, { size: 0.2, keep: 10_000 });
    const follower = start('-c', stage.dir, 'logs', 'shop', '-f', '-n', '999999999');
    t.after(() => follower.process.kill('SIGKILL'));
    await eventually('rotations', () => filesOf(stage).length > 8);
    await huddle.stop();
    const last = await stage.run('-c', stage.dir, 'logs', 'shop', '-n', '1');
    await eventually('the last line', () => follower.stdout.endsWith(last.stdout));
    const numbers = follower.stdout.match(/^\d{9}(?=\.*$)/gm) ?? [];
    numbers.forEach((number, index) => assert.equal(Number(number), index));
    assert.ok(last.stdout.startsWith(String(numbers.length - 1).padStart(9, '0')));
  });

  test('that are removed while their program runs are put back, without a restart', async (t) => {
    const stage = await scene(t);
    const huddle = await flooding(stage, { size: 100, keep: 3 });
    const before = await huddle.app('shop');
    await eventually('some lines', () => statSync(logOf(stage)).size > 10_000);
    rmSync(logOf(stage));
    await eventually('it is there again', () => existsSync(logOf(stage)), huddle);
    const size = sizeOf(stage);
    await eventually('it grows', () => sizeOf(stage) > size + 10_000);
    assert.deepEqual((await huddle.app('shop')).program, before.program);
    await huddle.stop();
    const numbers = readFileSync(logOf(stage), 'utf8').match(/^\d{9}(?=\.*$)/gm) ?? [];
    numbers.forEach((number, index) => assert.equal(Number(number), index));
  });

  test('of deployments have a part for each attempt, shown by huddle logs --deploy, also when no Huddle runs', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: 'echo tested; cat version' } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    rmSync(logOf(stage, 'deploy'));
    const second = await repo.publish(plain('v2'));
    huddle.check();
    await huddle.live('shop', second);
    const running = await stage.run('-c', stage.dir, 'logs', 'shop', '--deploy', '-n', '1000');
    await huddle.stop();
    const stopped = await stage.run('-c', stage.dir, 'logs', '--deploy', '-n', '1000');
    assert.ok(stopped.stdout.startsWith(running.stdout));
    assert.match(running.stdout, /^--- \S+Z .*test[^]*^tested\nv2$/m);
  });
});

/** A Huddle whose app writes numbered lines until it is stopped. */
async function flooding(stage: Scene, logs: { size: number; keep: number }) {
  const repo = await stage.repo();
  const revision = await repo.publish({ 'program.sh': `exec "${process.execPath}" "${flood}"\n` });
  await stage.app('shop', repo.remote, { logs });
  const huddle = stage.startHuddle();
  await huddle.live('shop', revision);
  return huddle;
}

function logOf(stage: Scene, which: 'app' | 'deploy' = 'app'): string {
  return join(stage.dir, '.huddle/apps/shop/logs', `${which}.log`);
}

/** The rotated files, oldest first, then the live one. */
function filesOf(stage: Scene): string[] {
  const files = [logOf(stage)];
  for (let number = 1; existsSync(`${logOf(stage)}.${number}`); number += 1) files.unshift(`${logOf(stage)}.${number}`);
  return files;
}

/** What a log takes, with all that was rotated. */
function sizeOf(stage: Scene, which: 'app' | 'deploy' = 'app'): number {
  const folder = join(logOf(stage), '..');
  const files = readdirSync(folder).filter((name) => name.startsWith(`${which}.log`));
  return files.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
