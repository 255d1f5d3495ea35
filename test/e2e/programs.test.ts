import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { eventually, plain, program, scene } from './harness.ts';
import { alive } from './proc.ts';

const crasher = { 'program.sh': program('crasher.sh') };

suite('Programs', { concurrency: 2 }, () => {
  test('a killed program comes back with a new process, and no other app notices', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    await stage.app('blog', repo.remote);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);
    const other = await huddle.live('blog', first);
    const victim = before.program?.pid ?? 0;
    process.kill(victim, 'SIGKILL');
    const after = await huddle.until(
      'shop',
      ({ program }) => program?.state === 'up' && program.pid !== victim,
      'up again',
    );
    assert.equal(after.program?.restarts, 1);
    assert.equal(after.revision, first);
    assert.deepEqual((await huddle.app('blog')).program, other.program);
    await huddle.stop();
  });

  test('a program that crashes and crashes is given up, others run on, and the next commit is deployed', async (t) => {
    const stage = await scene(t);
    const [repo, fine] = [await stage.repo('shop'), await stage.repo('blog')];
    const bad = await repo.publish({ ...crasher, version: 'bad\n' });
    const first = await fine.publish(plain('fine'));
    await stage.app('shop', repo.remote, { application: { 'crash limit': 3 } });
    await stage.app('blog', fine.remote);
    const huddle = stage.startHuddle();
    const other = await huddle.live('blog', first);
    const givenUp = await huddle.until('shop', ({ program }) => program?.state === 'given up', 'given up');
    assert.equal(givenUp.error?.code, 'crash-limit');
    assert.equal(stage.story().filter((line) => line === 'start bad').length, 3);
    assert.equal(givenUp.revision, bad);
    await huddle.logged(
      /error: keeping up sh program.sh: given up after 3 exits; the last: [^;]*exit code \d+\. .*tried again/,
    );
    assert.doesNotMatch(huddle.log, /not (tried|started) again/);

    const good = await repo.publish(plain('v2'));
    assert.equal((await huddle.live('shop', good)).error, null);
    assert.deepEqual((await huddle.app('blog')).program, other.program);
    await huddle.stop();
  });

  test('a new revision that is not accepted is rolled back, remembered, and followed by the next commit', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 0.1 } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const bad = await repo.publish({ ...crasher, version: 'bad\n' });
    const back = await huddle.until(
      'shop',
      ({ state, revision, rejected, program }) =>
        state === 'running' && revision === first && rejected.includes(bad) && program?.state === 'up',
      'rolled back',
    );
    assert.equal(back.error?.code, 'not-accepted');
    assert.equal(readFileSync(join(stage.copy('shop'), 'version'), 'utf8'), 'v1\n');
    const story = ['start v1', 'stop v1', 'start bad', 'start bad', 'start v1'];
    assert.deepEqual(stage.story(), story);
    for (let check = 0; check < 3; check += 1) {
      await huddle.until('shop', ({ state }) => state === 'checking', 'checking');
      await huddle.until('shop', ({ state }) => state === 'running', 'running');
    }
    assert.deepEqual(stage.story(), story);

    const good = await repo.publish(plain('v3'));
    await huddle.live('shop', good);
    assert.deepEqual(stage.story(), [...story, 'stop v1', 'start v3']);
    const told = (await stage.historyOf('shop', good)).map(({ revision, result }) => `${revision} ${result}`);
    assert.deepEqual(told, [`${first} deployed`, `${bad} rolled back`, `${good} deployed`]);
    await huddle.stop();
  });

  test('without rollback a bad revision stays, backs off and is given up', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { application: { 'crash limit': 2 }, deployment: { rollback: false } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const bad = await repo.publish({ ...crasher, version: 'bad\n' });
    const givenUp = await huddle.until('shop', ({ program }) => program?.state === 'given up', 'given up');
    assert.equal(givenUp.revision, bad);
    assert.equal(stage.story().at(-1), 'start bad');
    await huddle.stop();
  });

  test('a revision that reaches its crash limit soon after it went live is rolled back as well', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { application: { 'crash limit': 2 } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const second = await repo.publish(plain('v2'));
    for (let crash = 0, last = 0; crash < 2; crash += 1) {
      const up = await huddle.until(
        'shop',
        ({ state, revision, program }) =>
          state === 'running' && revision === second && program?.state === 'up' && program.pid !== last,
        'up',
      );
      last = up.program?.pid ?? 0;
      process.kill(last, 'SIGKILL');
    }
    await huddle.until('shop', ({ rejected }) => rejected.includes(second), 'rejected');
    await huddle.live('shop', first);
    await huddle.stop();
  });

  test('restart policies: a job that ends well is done, one that fails is tried again only if wanted', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const once =
      'echo "start $$ $HUDDLE_APP" >> "$JOURNAL"; test -e done-$HUDDLE_APP || { touch done-$HUDDLE_APP; exit 3; }';
    const revision = await repo.publish({ 'program.sh': program('crasher.sh'), version: 'job\n', 'once.sh': once });
    const application = { environment: { JOURNAL: stage.journalFile, CODE: '0' } };
    await stage.app('never', repo.remote, { application: { ...application, restart: 'never' } });
    await stage.app('failing', repo.remote, {
      application: { ...application, start: ['sh', 'once.sh'], restart: 'on failure' },
    });
    const huddle = stage.startHuddle();
    const done = await huddle.until(
      'never',
      ({ state, program }) => state === 'running' && program?.state === 'down',
      'down',
    );
    assert.equal(done.revision, revision);
    assert.equal(done.error, null);
    await huddle.until('failing', ({ state, program }) => state === 'running' && program?.state === 'down', 'down');
    assert.deepEqual(stage.story().toSorted(), ['start failing', 'start failing', 'start job']);
    await huddle.stop();
  });

  test('a program starts in its directory, with its environment, its name and revision, and nothing on stdin', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const revision = await repo.publish({ 'inner/here': '', version: 'v1\n' });
    const out = join(stage.root, 'out');
    writeFileSync(stage.file('shop.env'), '# comment\nFROM_FILE=file\nBOTH=file\nQUOTED="two words"\n');
    await stage.app('shop', repo.remote, {
      application: {
        start: `test -e here && { env; printf 'STDIN=%s\\n' "$(cat)"; } > ${out}.part && mv ${out}.part ${out}; exec sleep 1000`,
        directory: 'inner',
        environment: { BOTH: 'config', EMPTY: '', PORT: '8080' },
        'environment file': './shop.env',
      },
    });
    const huddle = stage.startHuddle([], { LISTEN_FDS: '1', NOTIFY_SOCKET: '/x', OWN: 'inherited' });
    await huddle.live('shop', revision);
    await eventually('its environment', () => existsSync(out));
    const told = new Set(readFileSync(out, 'utf8').split('\n'));
    const wanted = [
      'FROM_FILE=file',
      'BOTH=config',
      'EMPTY=',
      'PORT=8080',
      'QUOTED=two words',
      'OWN=inherited',
      'STDIN=',
    ];
    for (const line of [...wanted, 'HUDDLE_APP=shop', `HUDDLE_REVISION=${revision}`]) {
      assert.ok(told.has(line), `${line} is missing`);
    }
    assert.ok(![...told].some((line) => /^(LISTEN_|NOTIFY_SOCKET)/.test(line)));
    await huddle.stop();
  });

  test('a missing environment file or directory is an error that says so', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('file', repo.remote, { application: { 'environment file': './none.env' } });
    await stage.app('folder', repo.remote, { application: { directory: 'none' } });
    await stage.app('command', repo.remote, { application: { start: ['no-such-command'] } });
    const huddle = stage.startHuddle();
    const failed = (code?: string) => huddle.until(code ?? 'file', ({ error }) => error !== null, 'an error');
    assert.match((await failed('file')).error?.message ?? '', /none\.env/);
    assert.equal((await failed('folder')).error?.code, 'directory-missing');
    assert.equal((await failed('command')).error?.code, 'command-not-found');
    await huddle.stop();
  });

  test(
    'everything of an app runs as its user, with that user’s groups and home',
    { skip: process.getuid?.() !== 0 },
    async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const who = join(stage.root, 'who');
      await mkdir(who);
      const nobody = 65534;
      await chown(who, nobody, nobody);
      await chown(join(stage.root, 'copies'), nobody, nobody);
      const tell = (what: string) => `echo "$(id -un) $(id -gn) $HOME" >> ${who}/${what}`;
      const revision = await repo.publish({ version: 'v1\n', 'start.sh': `${tell('program')}; exec sleep 1000\n` });
      // Git refuses a repository that belongs to another user.
      for (const entry of ['', ...(await readdir(repo.remote, { recursive: true }))]) {
        await chown(join(repo.remote, entry), nobody, nobody);
      }
      await stage.app('shop', repo.remote, {
        application: { start: ['sh', 'start.sh'], user: 'nobody' },
        test: { command: tell('test') },
        scripts: { 'post-pull': tell('script') },
        watchdog: { command: tell('probe'), period: 0.2 },
      });
      const huddle = stage.startHuddle();
      const { program: started } = await huddle.live('shop', revision);
      for (const part of ['test', 'script', 'program', 'probe']) {
        await eventually(`${part} told`, () => existsSync(join(who, part)));
        assert.match(readFileSync(join(who, part), 'utf8'), /^(nobody nogroup \/nonexistent\n)+$/, part);
      }
      assert.equal(statSync(join(stage.copy('shop'), 'version')).uid, nobody);
      const status = readFileSync(`/proc/${started?.pid}/status`, 'utf8');
      assert.match(status, /^Uid:\t65534\t65534/m);
      assert.match(status, /^Groups:\t(65534 )?$/m);
      await huddle.stop();
    },
  );

  test('a stop ends the children that left their program: own session, forked twice, deaf, unmarked', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const revision = await repo.publish({ 'program.sh': program('brood.sh'), version: 'v1\n' });
    await stage.app('shop', repo.remote, { application: { 'stop timeout': 0.5 } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', revision);
    await eventually('the whole brood', () => stage.livePrograms().length === 4);
    await huddle.stop();
    assert.deepEqual(stage.livePrograms(), []);
    assert.deepEqual(stage.processes(), []);
  });

  test('what a crashed program left behind is ended before the next start', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const revision = await repo.publish({ 'program.sh': program('brood.sh'), version: 'v1\n' });
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', revision);
    await eventually('the whole brood', () => stage.livePrograms().length === 4);
    const old = stage.livePrograms();
    process.kill(before.program?.pid ?? 0, 'SIGKILL');
    const after = await huddle.until(
      'shop',
      ({ program }) => program?.state === 'up' && program.restarts === 1,
      'up again',
    );
    assert.ok(alive(after.program?.pid ?? 0));
    assert.deepEqual(old.filter(alive), []);
    await huddle.stop();
  });

  test('a program gets its stop signal, and is killed when its stop timeout is over', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const polite =
      'trap \'echo "stop $$ int" >> "$JOURNAL"; exit 0\' INT; echo "start $$ v" >> "$JOURNAL"; while :; do sleep 1000 & wait $!; done';
    const revision = await repo.publish({ 'program.sh': program('deaf.sh'), 'polite.sh': polite, version: 'v1\n' });
    await stage.app('deaf', repo.remote, { application: { 'stop timeout': 0.3 } });
    await stage.app('polite', repo.remote, { application: { start: ['sh', 'polite.sh'], 'stop signal': 'SIGINT' } });
    const huddle = stage.startHuddle();
    await Promise.all([huddle.live('deaf', revision), huddle.live('polite', revision)]);
    await huddle.stop();
    assert.deepEqual(
      stage.story().filter((line) => line.startsWith('stop')),
      ['stop int'],
    );
    assert.deepEqual(stage.livePrograms(), []);
  });
});
