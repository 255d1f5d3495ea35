import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Huddle } from './command.ts';
import { eventually, plain, program, scene } from './harness.ts';

suite('Starting anew', { concurrency: 2 }, () => {
  test('a good revision in place starts without the remote, which is asked afterwards', async (t) => {
    const stage = await scene(t);
    const {
      repo,
      first,
      huddle: before,
    } = await stage.deployed(plain('v1'), { test: { command: `echo test >> ${stage.root}/tests` } });
    await before.stop();
    await rename(repo.remote, `${repo.remote}.away`);

    const huddle = stage.startHuddle();
    const up = await huddle.until('shop', (app) => app.program?.state === 'up' && app.state === 'running', 'up');
    assert.equal(up.revision, first);
    const failed = await huddle.until('shop', ({ error }) => error !== null, 'the check fails');
    assert.equal(failed.error?.code, 'remote-unreachable');
    assert.equal(failed.program?.pid, up.program?.pid);
    assert.equal(readFileSync(join(stage.root, 'tests'), 'utf8'), 'test\n');

    await rename(`${repo.remote}.away`, repo.remote);
    const second = await repo.publish(plain('v2'));
    huddle.check();
    assert.equal((await huddle.live('shop', second)).error, null);
    await huddle.stop();
  });

  test('the next Huddle takes a running program over, without a restart', async (t) => {
    const stage = await scene(t);
    const { repo, first, huddle: killed, app: before } = await stage.deployed();
    await killed.kill9();
    assert.deepEqual(stage.livePrograms(), [before.program?.pid]);

    const huddle = stage.startHuddle();
    const after = await huddle.live('shop', first);
    assert.deepEqual(after.program, { ...before.program, adopted: true });
    assert.deepEqual(stage.story(), ['start v1']);

    // It is kept alive as any other, and stopped when the next revision comes.
    const pid = after.program?.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    const again = await huddle.until(
      'shop',
      (app) => app.program?.state === 'up' && app.program.pid !== pid,
      'up again',
    );
    assert.equal(again.program?.adopted, false);
    await huddle.live('shop', await repo.publish(plain('v2')));
    assert.deepEqual(stage.story(), ['start v1', 'start v1', 'stop v1', 'start v2']);
    await huddle.stop();
  });

  test('a copy of the folder takes nothing over: the program is the first one’s, and runs on', async (t) => {
    const stage = await scene(t);
    const {
      first,
      huddle,
      app: { program: owned },
    } = await stage.deployed();
    const copy = join(stage.root, 'copy');
    await cp(stage.dir, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });

    const other = new Huddle(copy, [], stage.environment());
    const { program: another } = await other.live('shop', first);
    assert.equal(another?.adopted, false);
    await other.logged(new RegExp(`shop: warning: program.json is a copy: process ${owned?.pid} is left alone`));
    assert.deepEqual(stage.livePrograms(), [owned?.pid, another?.pid]);
    await other.stop();
    assert.deepEqual((await huddle.app('shop')).program, owned);
    await huddle.stop();
  });

  test('a folder that was moved after its Huddle was killed still has its program', async (t) => {
    const stage = await scene(t);
    const { repo, first, huddle: killed, app: before } = await stage.deployed();
    await killed.kill9();
    const moved = join(stage.root, 'moved');
    await rename(stage.dir, moved);

    const huddle = new Huddle(moved, [], stage.environment());
    const after = await huddle.live('shop', first);
    assert.deepEqual(after.program, { ...before.program, adopted: true });
    await huddle.live('shop', await repo.publish(plain('v2')));
    assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
    await huddle.stop();
  });

  test('a program that died with Huddle is started, exactly once', async (t) => {
    const stage = await scene(t);
    const {
      first,
      huddle: killed,
      app: before,
    } = await stage.deployed(
      { ...plain('v1'), 'brood.sh': program('brood.sh') },
      { application: { start: ['sh', 'brood.sh'] } },
    );
    await eventually('the whole brood', () => stage.livePrograms().length === 4);
    const old = stage.livePrograms();
    await killed.kill9();
    process.kill(before.program?.pid ?? 0, 'SIGKILL');

    const huddle = stage.startHuddle();
    const after = await huddle.live('shop', first);
    assert.equal(after.program?.adopted, false);
    await eventually('the next brood', () => stage.livePrograms().length === 4);
    assert.deepEqual(
      stage.livePrograms().filter((pid) => old.includes(pid)),
      [],
      'the first brood lives on',
    );
    await huddle.stop();
  });

  test('a deployment that was cut short in its pull is finished or undone, never left half done', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const reached = join(stage.root, 'reached');
    await stage.app('shop', repo.remote, {
      scripts: { 'post-pull': `grep -q v1 version || test -e ${reached} || { touch ${reached}; sleep 997; }` },
    });
    const killed = stage.startHuddle();
    await killed.live('shop', first);
    const second = await repo.publish(plain('v2'));
    await eventually('the post-pull script', () => existsSync(reached));
    await killed.kill9();

    const huddle = stage.startHuddle();
    const live = await huddle.live('shop', second);
    assert.equal(live.error, null);
    await eventually('the old script is ended', () =>
      stage.processes().every(({ command }) => command !== 'sleep 997'),
    );
    assert.equal(stage.livePrograms().length, 1);
    await huddle.logged(/shop: warning: restoring \w+: a deployment was cut short/);
    const history = await stage.historyOf('shop', second, 'deployed');
    assert.deepEqual(
      history.map(({ revision, from, result, reason }) => [revision, from, result, reason]),
      [
        [first, null, 'deployed', ''],
        [second, first, 'rolled back', 'cut short: Huddle ended before it was done'],
        [second, first, 'deployed', ''],
      ],
    );
    await huddle.stop();
  });

  test('a revision that was rejected stays so for the next Huddle', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, {
      test: { command: `cat version >> ${stage.root}/tests; ! grep -q bad version` },
    });
    const before = stage.startHuddle();
    await before.live('shop', first);
    const bad = await repo.publish(plain('bad'));
    await before.until('shop', ({ rejected, state }) => rejected.includes(bad) && state === 'running', 'rejected');
    await before.stop();
    const huddle = stage.startHuddle();
    const after = await huddle.live('shop', first);
    assert.deepEqual(after.rejected, [bad]);
    await huddle.until('shop', ({ state }) => state === 'checking', 'checking');
    await huddle.until('shop', ({ state }) => state === 'running', 'checked');
    assert.equal(readFileSync(join(stage.root, 'tests'), 'utf8'), 'v1\nbad\n');
    await huddle.stop();
  });

  test('a damaged ledger is set aside with a warning, and the program runs as one copy', async (t) => {
    const stage = await scene(t);
    const { first, huddle: killed } = await stage.deployed();
    await killed.kill9();
    writeFileSync(join(stage.dir, '.huddle/apps/shop/state.json'), '{"half":');
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    await huddle.logged(/state\.json/);
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
  });

  test('a file that is broken when Huddle starts leaves its running program alone', async (t) => {
    const stage = await scene(t);
    const { first, huddle: killed, app: before } = await stage.deployed();
    await killed.kill9();
    const good = readFileSync(stage.file('shop.json'), 'utf8');
    writeFileSync(stage.file('shop.json'), `${good.slice(0, -2)},`);

    const huddle = stage.startHuddle();
    await huddle.until('shop', ({ error }) => error?.code === 'config-invalid', 'told');
    assert.deepEqual(stage.livePrograms(), [before.program?.pid]);
    writeFileSync(stage.file('shop.json'), good);
    const after = await huddle.live('shop', first);
    assert.equal(after.program?.pid, before.program?.pid);
    await huddle.stop();
  });
});

suite('A file that is broken when Huddle starts', () => {
  test('does not keep an operator from stopping its program, which stays stopped when the file is mended', async (t) => {
    const stage = await scene(t);
    const { huddle: killed } = await stage.deployed();
    await killed.kill9();
    const good = readFileSync(stage.file('shop.json'), 'utf8');
    writeFileSync(stage.file('shop.json'), `${good.slice(0, -2)},`);
    const huddle = stage.startHuddle();
    await huddle.until('shop', ({ error }) => error?.code === 'config-invalid', 'told');
    assert.equal(stage.livePrograms().length, 1);
    const stopped = await stage.run('stop', 'shop', '-c', stage.dir);
    assert.deepEqual([stopped.code, stopped.stdout], [0, 'shop: stopped\n'], stopped.stderr);
    assert.deepEqual(stage.livePrograms(), []);
    writeFileSync(stage.file('shop.json'), good);
    await huddle.until('shop', ({ state, error }) => state === 'stopped' && error === null, 'mended and stopped');
    assert.deepEqual(stage.livePrograms(), []);
    await huddle.stop();
  });
});

suite('A mistake of Huddle itself', () => {
  test('is told in one line, and costs no program: the next Huddle takes it over', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const mistake = 'process.on("SIGUSR2", () => setTimeout(() => { throw new Error("seven is not eight"); }))';
    const huddle = stage.startHuddle([], {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(mistake)}`,
    });
    const { program } = await huddle.live('shop', first);
    process.kill(huddle.pid, 'SIGUSR2');
    const { code, stderr } = await huddle.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^huddle: running Huddle itself: seven is not eight$/m);
    assert.doesNotMatch(stderr, /\n\s+at /);
    const next = stage.startHuddle();
    const adopted = (await next.live('shop', first)).program;
    assert.deepEqual([adopted?.pid, adopted?.adopted], [program?.pid, true]);
    await next.stop();
  });

  test('that ended an app leaves no program behind when Huddle is told to end before the app has begun anew', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    // Thrown where the app's own actor tells its history, and nowhere else. (The stack names this very line, too.)
    const mistake = `const said = Date.prototype.toISOString;
      Date.prototype.toISOString = function () {
        if (new Error().stack.includes('history' + 'Entry')) throw new Error('seven is not eight');
        return said.call(this);
      };`;
    const huddle = stage.startHuddle([], {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(mistake)}`,
    });
    await huddle.logged(/shop: error: .*seven is not eight.*starts anew in 1 s/);
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
    assert.deepEqual(stage.processes(), []);
  });
});
