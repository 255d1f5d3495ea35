import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { eventually, plain, program, scene } from './harness.ts';
import type { AppStatus } from './command.ts';

suite('The command', { concurrency: 2 }, () => {
  test('a second Huddle on the same folder refuses with exit code 1 and disturbs nothing', async (t) => {
    const stage = await scene(t);
    const { huddle, app: before } = await stage.deployed();
    const second = await stage.run('-c', stage.dir);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /already|another|running/i);
    const once = await stage.run('-c', stage.dir, '--once');
    assert.equal(once.code, 1);
    assert.match(once.stderr, /huddle -c \S+ check/);
    assert.deepEqual((await huddle.app('shop')).program, before.program);
    await huddle.stop();
  });

  test('a second Huddle that keeps its state elsewhere refuses as well, and disturbs nothing', async (t) => {
    const stage = await scene(t);
    const { huddle, app: before } = await stage.deployed();
    for (const more of [[], ['--once'], ['stop', '--all']]) {
      const second = await stage.run(...more, '-c', stage.dir, '--state', stage.file('../elsewhere'));
      assert.equal(second.code, 1, second.stdout);
      assert.match(second.stderr, /another Huddle is running on it, with its state elsewhere\n {2}.*--state/);
    }
    assert.deepEqual((await huddle.app('shop')).program, before.program);
    assert.equal(stage.livePrograms().length, 1);
    await huddle.stop();
  });

  test('of two that start at the same moment one runs', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const pair = [stage.startHuddle(), stage.startHuddle()];
    const loser = await Promise.race(pair.map(async (huddle) => ({ huddle, ended: await huddle.ended })));
    assert.equal(loser.ended.code, 1, loser.ended.stderr);
    const winner = pair.find((huddle) => huddle !== loser.huddle);
    assert.ok(winner);
    await winner.live('shop', first);
    assert.equal(stage.livePrograms().length, 1);
    await winner.stop();
  });

  test('--once brings every app to its newest revision, starts nothing and exits 0', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: 'grep -q v version' } });
    for (const version of ['v1', 'v2']) {
      if (version !== 'v1') await repo.publish(plain(version));
      const once = await stage.run('-c', stage.dir, '--once');
      assert.equal(once.code, 0, once.stderr);
      assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), `${version}\n`);
    }
    assert.deepEqual(stage.journal(), []);
    assert.deepEqual(stage.processes(), []);
  });

  test('--once exits 1 when an app failed, and has brought the others up to date all the same', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('gone', join(stage.root, 'nowhere.git'));
    await stage.app('shop', repo.remote);
    const once = await stage.run('-c', stage.dir, '--once');
    assert.equal(once.code, 1);
    assert.match(once.stderr, /gone: /);
    assert.doesNotMatch(once.stderr, /next try/);
    assert.ok(statSync(join(stage.copy('shop'), 'version')).isFile());
  });

  test('--once refuses an app whose program runs on from a Huddle that was killed', async (t) => {
    const stage = await scene(t);
    const { repo, huddle: killed } = await stage.deployed();
    await killed.kill9();
    await repo.publish(plain('v2'));
    const once = await stage.run('-c', stage.dir, '--once');
    assert.equal(once.code, 1, once.stderr);
    assert.equal(stage.livePrograms().length, 1);
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');
  });

  test('--once does not wait for an app that is paused', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    assert.equal((await stage.run('-c', stage.dir, '--once')).code, 0);
    const state = join(stage.dir, '.huddle/apps/shop/state.json');
    writeFileSync(state, readFileSync(state, 'utf8').replace('"paused": false', '"paused": true'));
    await repo.publish(plain('v2'));
    const once = await stage.run('-c', stage.dir, '--once');
    assert.equal(once.code, 0, once.stderr);
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');
  });

  test('a password in a command line is in no status and no history', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { test: { command: 'false https://bot:geheim@example.org/' } });
    const huddle = stage.startHuddle();
    const failed = await huddle.until('shop', ({ error }) => error?.code === 'test-failed', 'failed');
    assert.doesNotMatch(JSON.stringify(failed), /geheim/);
    assert.doesNotMatch((await stage.run('status', '-c', stage.dir)).stdout, /geheim/);
    assert.doesNotMatch(readFileSync(join(stage.dir, '.huddle/apps/shop/history.jsonl'), 'utf8'), /geheim/);
    await huddle.stop();
  });

  test('a terminal that hangs up stops every program', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const command = `${process.execPath} ${join(import.meta.dirname, '../../src/huddle.cjs')} -c ${stage.dir}`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: stage.environment(),
    });
    t.after(() => terminal.kill('SIGKILL'));
    await eventually('a program', () => stage.livePrograms().length === 1);
    terminal.kill('SIGKILL');
    await eventually('no program', () => stage.livePrograms().length === 0);
  });

  test('SIGHUP checks every remote now', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const names = ['shop', 'blog'];
    for (const name of names) await stage.app(name, repo.remote, { timing: { minimum: 3600 } });
    const huddle = stage.startHuddle();
    for (const name of names) await huddle.live(name, first);
    const second = await repo.publish(plain('v2'));
    huddle.check();
    for (const name of names) await huddle.live(name, second);
    await huddle.stop();
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} stops every program and exits 0`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const first = await repo.publish(plain('v1'));
      const names = ['shop', 'blog', 'wiki'];
      for (const name of names) await stage.app(name, repo.remote);
      const huddle = stage.startHuddle();
      for (const name of names) await huddle.live(name, first);
      huddle.signal(signal);
      assert.equal((await huddle.ended).code, 0, huddle.log);
      assert.deepEqual(stage.story().filter((line) => line === 'stop v1').length, 3);
      assert.deepEqual(stage.processes(), []);
    });
  }

  test('a second SIGTERM kills at once what takes its time', async (t) => {
    const stage = await scene(t);
    const { huddle } = await stage.deployed(
      { 'program.sh': program('deaf.sh'), version: 'v1\n' },
      { application: { 'stop timeout': 600 } },
    );
    huddle.signal('SIGTERM');
    await huddle.until('shop', ({ program }) => program?.state === 'stopping', 'stopping');
    huddle.signal('SIGTERM');
    await huddle.ended;
    assert.deepEqual(stage.livePrograms(), []);
  });

  test('a SIGTERM in the middle of a clone and a test leaves nothing behind', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('testing', repo.remote, { test: { command: 'sleep 996' } });
    await stage.app('scripted', repo.remote, { scripts: { 'post-pull': 'sleep 996' } });
    const huddle = stage.startHuddle();
    await eventually(
      'both sleep',
      () => stage.processes().filter(({ command }) => command === 'sleep 996').length === 2,
    );
    await huddle.stop();
    assert.deepEqual(stage.processes(), []);
  });

  test('status --json has the shape of the contract, status is a table, and state is for its owner only', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 100 } });
    writeFileSync(stage.file('bad.json'), '{');
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    await huddle.until('bad', ({ error }) => error !== null, 'an error');
    const json = await stage.run('-c', stage.dir, 'status', '--json');
    assert.equal(json.code, 0, json.stderr);
    const { apps } = JSON.parse(json.stdout) as { apps: AppStatus[] };
    const shop = apps.find(({ name }) => name === 'shop');
    assert.ok(shop);
    const [iso, hex] = [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, /^[0-9a-f]{40}$/];
    assert.deepEqual(
      Object.keys(shop),
      'name state paused pinned branch revision previous rejected program health nextCheck error'.split(' '),
    );
    assert.deepEqual(Object.keys(shop.program ?? {}), 'state pid since restarts adopted'.split(' '));
    assert.match(shop.revision ?? '', hex);
    assert.match(shop.nextCheck ?? '', iso);
    assert.match(shop.program?.since ?? '', iso);
    const still = { ...shop, nextCheck: null, program: { ...shop.program, pid: 0, since: null } };
    assert.deepEqual(still, {
      name: 'shop',
      state: 'running',
      paused: false,
      pinned: false,
      branch: 'main',
      revision: first,
      previous: null,
      rejected: [],
      program: { state: 'up', pid: 0, since: null, restarts: 0, adopted: false },
      health: 'unknown',
      nextCheck: null,
      error: null,
    });
    const bad = apps.find(({ name }) => name === 'bad');
    assert.equal(bad?.state, 'waiting');
    assert.deepEqual(Object.keys(bad?.error ?? {}), ['code', 'message', 'hint']);

    assert.equal(statSync(join(stage.dir, '.huddle')).mode & 0o777, 0o700);
    assert.equal(statSync(join(stage.dir, '.huddle/huddle.sock')).mode & 0o777, 0o600);

    const table = await stage.run('-c', stage.dir, 'status');
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, new RegExp(`shop.*running.*${first.slice(0, 7)}`));
    assert.equal((await stage.run('-c', stage.dir, 'status', 'nobody')).code, 2);
    await huddle.stop();
    const after = await stage.run('-c', stage.dir, 'status');
    assert.equal(after.code, 1);
    assert.match(after.stderr, /not running|no Huddle/i);
  });

  test('its own log says what happens and why, a line an event, app name first', async (t) => {
    const stage = await scene(t);
    const { repo, first, huddle } = await stage.deployed(plain('v1'), { test: { command: 'true' } });
    const second = await repo.publish(plain('v2'), 'Second');
    await huddle.live('shop', second);
    const [from, to] = [first.slice(0, 7), second.slice(0, 7)];
    await huddle.logged(new RegExp(`shop: main moved ${from} → ${to} \\(1 commit by Ada\\b.*testing`));
    await huddle.stop();
    const stray = huddle.log
      .split('\n')
      .filter((line) => /shop/.test(line) && !/shop: /.test(line) && !/config|folder|dir/i.test(line));
    assert.deepEqual(stray, []);
  });

  test('validate names file, line, column and key, and exits 1 only when something is wrong', async (t) => {
    const stage = await scene(t);
    await stage.app('shop', '/srv/shop.git');
    assert.equal((await stage.run('validate', '-c', stage.dir)).code, 0);
    writeFileSync(stage.file('bad.json'), '{\n  "timing": { "minimun": 5 }\n}\n');
    const wrong = await stage.run('validate', '-c', stage.dir);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout + wrong.stderr, /bad\.json:2:\d+: timing\.minimun: .*minimum/);
    const json = await stage.run('validate', '-c', stage.dir, '--json');
    const { errors } = JSON.parse(json.stdout) as { errors: { line: number; key: string }[] };
    assert.ok(
      errors.some(({ line, key }) => line === 2 && key === 'timing.minimun'),
      json.stdout,
    );
  });

  test('what schema and init print is what the command takes', async (t) => {
    const stage = await scene(t);
    const schema = await stage.run('schema');
    assert.ok(JSON.parse(schema.stdout));
    const init = await stage.run('init', '-c', stage.dir);
    assert.equal(init.code, 0, init.stderr);
  });
});
