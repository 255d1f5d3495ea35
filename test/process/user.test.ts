import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, closeSync, fchownSync, openSync, statSync } from 'node:fs';
import { suite, test } from 'node:test';
import { runCommand } from '../../src/process/command.ts';
import { commandEnvironment } from '../../src/process/environment.ts';
import { endByForce } from '../../src/process/end.ts';
import { newMark } from '../../src/process/mark.ts';
import { runAs } from '../../src/process/user.ts';
import { exitOf, isRoot, never, Workshop } from './workshop.ts';

const own = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
/** A user that every Linux has, with another group than its own where there is one. */
const other = 'nobody';
const needsRoot = { skip: isRoot ? false : 'only root can become another user' };

suite('A user', () => {
  test('that nobody configured is Huddle as it is', () => {
    assert.deepEqual(runAs(null), { prefix: [], environment: {}, uid: null, gid: null });
  });

  for (const name of ['no-such-user-at-all', '-s', '', 'a:b']) {
    test(`that does not exist is a failure, not a fallback: '${name}'`, () => {
      assert.throws(() => runAs(name), { name: 'Failure', code: 'user-unknown' });
    });
  }

  test('who is the one that Huddle runs as needs no change', () => {
    const { prefix, environment, uid } = runAs(own);
    assert.deepEqual([prefix, uid, environment['USER']], [[], null, own]);
  });

  test('is refused to a Huddle that is not root', { skip: isRoot }, () => {
    assert.throws(() => runAs('root'), { code: 'not-supported', reason: /only root/ });
  });

  test('is refused to a Huddle that is not root (seen from one that is)', needsRoot, () => {
    const script = `import { runAs } from '${import.meta.resolve('../../src/process/user.ts')}';
      process.setuid(65534);
      try { runAs('root'); } catch (failure) { process.stdout.write(failure.code + ': ' + failure.reason); }`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.match(output, /not-supported: only root/);
  });
});

suite('A program of another user', needsRoot, () => {
  test('has its ids, its groups, its HOME and nothing of root', async (t) => {
    const workshop = new Workshop(t);
    process.env['XDG_CONFIG_HOME'] = '/etc/of-root';
    t.after(() => delete process.env['XDG_CONFIG_HOME']);
    const start = 'id -u; id -g; id -G; echo "$HOME $USER $LOGNAME $SHELL [$XDG_CONFIG_HOME]"';
    await exitOf(workshop.start({ start, user: other, environment: {} }));
    const id = (flag: string) => execFileSync('id', [flag, other], { encoding: 'utf8' });
    const fields = execFileSync('getent', ['passwd', other], { encoding: 'utf8' }).trim().split(':');
    assert.equal(
      workshop.output(),
      `${id('-u')}${id('-g')}${id('-G')}${fields[5]} ${other} ${other} ${fields[6]} []\n`,
    );
  });

  test('has its supplementary groups', async (t) => {
    const user = `huddle-${process.pid}`;
    execFileSync('useradd', ['--system', '--no-create-home', '--groups', 'audio,video', user]);
    t.after(() => execFileSync('userdel', [user]));
    const workshop = new Workshop(t);
    await exitOf(workshop.start({ start: 'id -Gn', user }));
    assert.deepEqual(workshop.output().trim().split(' ').toSorted(), ['audio', user, 'video'].toSorted());
  });

  test('owns its log, and can open it anew as /dev/stdout', async (t) => {
    const workshop = new Workshop(t);
    const openLog = (path: string, owner?: { uid: number; gid: number }) => {
      const log = openSync(path, 'a', 0o640);
      if (owner) fchownSync(log, owner.uid, owner.gid);
      return log;
    };
    await exitOf(workshop.start({ start: 'echo anew >>/dev/stdout', user: other }, { openLog }));
    assert.equal(workshop.output(), 'anew\n');
    assert.equal(statSync(workshop.log).uid, runAs(other).uid);
  });

  test('is stopped with all that it started', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('setsid.sh', 2, { user: other });
    await endByForce(alive, never);
    assert.deepEqual(workshop.living(), []);
  });

  test('that is not there is found missing, as for Huddle itself', async (t) => {
    const { reports } = new Workshop(t).start({ start: ['no-such-command-at-all'], user: other });
    await Promise.resolve();
    assert.equal(reports[0]?.type === 'process.failed' && reports[0].failure.code, 'command-not-found');
  });

  test('is what a command is, too', async (t) => {
    const workshop = new Workshop(t);
    const as = runAs(other);
    chownSync(workshop.copy, as.uid ?? 0, as.gid ?? 0);
    const log = openSync(workshop.log, 'a+');
    await runCommand({
      doing: 'running',
      command: 'id -un; touch made',
      directory: workshop.copy,
      environment: commandEnvironment('shop', 'a'.repeat(40), as),
      runAs: as,
      mark: newMark(workshop.hash, 'shop'),
      log,
      timeout: 20,
      signal: never,
      sweep: true,
    });
    closeSync(log);
    assert.equal(workshop.output(), `${other}\n`);
    assert.equal(statSync(`${workshop.copy}/made`).uid, as.uid);
  });
});
