import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, plain, scene } from '../harness.ts';
import { isSpare } from '../proc.ts';

/** Nobody's: RLIMIT_NPROC counts all that a user runs. */
const user = 54_321;
const isRoot = process.getuid?.() === 0;

const asUser = ['setpriv', `--reuid=${user}`, '--regid=65534', '--clear-groups', '--'] as const;

/** Sets the soft limit of a process, as who it belongs to; what sets it back. */
function limit(pid: number, resource: 'nofile' | 'nproc', soft: number, as: readonly string[] = []): () => void {
  const [file, ...args] = [...as, 'prlimit', '--pid', String(pid)];
  const before = execFileSync(file, [...args, `--${resource}`, '--noheadings', '--raw', '--output=SOFT']);
  execFileSync(file, [...args, `--${resource}=${soft}:`]);
  return () => void execFileSync(file, [...args, `--${resource}=${before.toString().trim()}:`]);
}

/** Every descriptor that it has not open now, and could have, is out of its reach. */
async function withoutDescriptors(pid: number): Promise<() => void> {
  let free = Infinity;
  // While it works some are open that will not be so later.
  for (let look = 0; look < 20; look += 1) {
    const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    for (let number = 0; number < free; number += 1) if (!open.has(number)) free = number;
    await sleep(10);
  }
  return limit(pid, 'nofile', free);
}

suite('A limit that is reached', { concurrency: 3 }, () => {
  test('without file descriptors the program runs on, and all goes on when there are some', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);

    const restore = await withoutDescriptors(huddle.pid);
    const second = await repo.publish(plain('v2'));
    const told = await huddle.until('shop', ({ error }) => error !== null, 'told');
    assert.equal(told.error?.code, 'limit-reached', `${told.error?.message}`);
    assert.match(told.error?.message ?? '', /Huddle has no file descriptors left/);
    assert.match(told.error?.hint ?? '', /LimitNOFILE/);
    // One connection may still be had, where another one has just ended.
    const { code, stderr } = await stage.run('status', '-c', stage.dir);
    assert.ok(code === 0 || stderr.includes('it broke the connection off'), stderr);
    await stage.app('shop', repo.remote, { timing: { minimum: 0.4 } });
    assert.deepEqual(stage.livePrograms(), [before.program?.pid]);
    restore();
    await huddle.logged(/shop: config changed: timing/);
    await huddle.live('shop', second);
    assert.equal((await huddle.app('shop')).error, null);
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
    await huddle.stop();
  });

  test('a program that crashes without file descriptors starts again, once, when there are some', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 600 } });
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);
    const restore = await withoutDescriptors(huddle.pid);
    process.kill(before.program?.pid ?? 0, 'SIGKILL');
    await huddle.logged(/shop: (error|warning): .*no file descriptors left/);
    assert.deepEqual(stage.livePrograms(), []);
    restore();
    await huddle.until('shop', ({ program }) => program?.state === 'up' && program.restarts > 0, 'up again');
    assert.equal(stage.livePrograms().length, 1);
    assert.deepEqual((await huddle.app('shop')).rejected, []);
    await huddle.stop();
  });

  test('without processes nothing is held against program or revision, and both start when there are some', async (t) => {
    if (!isRoot) return t.skip('needs root to run Huddle as a user of its own');
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const second = await repo.commit(plain('v2'));
    await repo.git('push', '--quiet', 'origin', 'HEAD:next');
    await stage.app('shop', repo.remote, { application: { 'crash limit': 2 } });
    execFileSync('chown', ['-R', String(user), stage.root]);
    const huddle = stage.startHuddle([], {}, asUser);
    const before = await huddle.live('shop', first);
    assert.equal(statSync(`/proc/${before.program?.pid}`).uid, user);

    const restore = limit(huddle.pid, 'nproc', 1, asUser);
    const told = await huddle.until('shop', ({ error }) => error !== null, 'told');
    assert.equal(told.error?.code, 'limit-reached', `${told.error?.message}`);
    assert.match(told.error?.message ?? '', /starts no more processes/);
    assert.equal(told.program?.pid, before.program?.pid);
    // Else that would be the next program.
    for (const { pid } of stage.processes().filter(isSpare)) process.kill(pid, 'SIGKILL');
    process.kill(before.program?.pid ?? 0, 'SIGKILL');
    await huddle.logged(/starts no more processes.*next try in 2 s/);
    await huddle.until('shop', ({ program }) => program?.state === 'backing off', 'not given up');
    restore();
    await huddle.until('shop', ({ program, error }) => program?.state === 'up' && error === null, 'up again');

    const [setpriv, ...rest] = asUser;
    execFileSync(setpriv, [...rest, 'git', '--git-dir', repo.remote, 'update-ref', 'refs/heads/main', second]);
    await huddle.live('shop', second);
    assert.deepEqual((await huddle.app('shop')).rejected, []);
    await eventually('one copy', () => stage.livePrograms().length === 1);
    await huddle.stop();
  });
});
