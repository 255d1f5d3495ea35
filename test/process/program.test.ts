import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { exitOf, type Started, until, Workshop } from './workshop.ts';

suite('A program', () => {
  test('is reported as spawned, then once as exited, and not before its start has returned', async (t) => {
    const started = new Workshop(t).start({ start: ['sh', '-c', 'exit 7'] });
    assert.deepEqual(started.reports, []);
    assert.deepEqual(await exitOf(started), { code: 7, signal: null });
    assert.deepEqual(
      started.reports.map(({ type }) => type),
      ['process.spawned', 'process.exited'],
    );
  });

  test('that is killed reports its signal', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    process.kill(started.alive.root.pid, 'SIGKILL');
    assert.deepEqual(await exitOf(started), { code: null, signal: 'SIGKILL' });
  });

  test('of a shell line is run by /bin/sh, where an unknown command is just an exit of 127', async (t) => {
    const workshop = new Workshop(t);
    const started = workshop.start({ start: 'echo "$((6 * 7))"; no-such-command-at-all' });
    assert.deepEqual(await exitOf(started), { code: 127, signal: null });
    assert.match(workshop.output(), /^42\n/);
  });

  test('given as a list gets its argv as it is, past every shell', async (t) => {
    const workshop = new Workshop(t);
    const started = workshop.start({ start: ['printf', '%s|', '$HOME', 'a b', '*', ''] });
    await exitOf(started);
    assert.equal(workshop.output(), '$HOME|a b|*||');
  });

  test('has a session and a process group of its own, and reads nothing', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('plain.sh', 1);
    const { pid } = alive.root;
    const ids = execFileSync('ps', ['-o', 'pgid=,sid=', '-p', String(pid)], { encoding: 'utf8' });
    assert.deepEqual(ids.trim().split(/\s+/).map(Number), [pid, pid]);
    assert.equal(readlinkSync(`/proc/${pid}/fd/0`), '/dev/null');
    assert.equal(readlinkSync(`/proc/${pid}/fd/1`), workshop.log);
    assert.equal(readlinkSync(`/proc/${pid}/fd/2`), workshop.log);
  });

  test('whose output lands in the log has both streams in it, byte for byte, after what was there', async (t) => {
    const workshop = new Workshop(t);
    writeFileSync(workshop.log, 'before\n');
    const started = workshop.start({ start: "printf 'a\\000b\\377'; printf 'err' >&2" });
    await exitOf(started);
    assert.deepEqual(readFileSync(workshop.log), Buffer.from('before\na\0b\xfferr', 'latin1'));
  });

  test('starts even when its log cannot be opened, with a warning', async (t) => {
    const full = new Failure('disk-full', { doing: 'opening', subject: 'app.log', reason: 'no space left' });
    const openLog = () => {
      throw full;
    };
    const started = new Workshop(t).start({ start: 'echo lost; exit 4' }, { openLog });
    assert.equal(started.warning, full);
    assert.deepEqual(await exitOf(started), { code: 4, signal: null });
  });

  test('that Huddle leaves is reported no more, and runs on', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    started.leave();
    assert.equal(workshop.living().length, 1);
    process.kill(started.alive.root.pid, 'SIGKILL');
    const awake = setInterval(() => {}, 1000); // The program that was left does not keep this process, either.
    await started.alive.reaped;
    clearInterval(awake);
    assert.deepEqual(
      started.reports.map(({ type }) => type),
      ['process.spawned'],
    );
  });
});

suite('A program starts in its directory', () => {
  test('inside the working copy, symlinks followed, and PWD says so', async (t) => {
    const workshop = new Workshop(t);
    mkdirSync(join(workshop.copy, 'server/deep'), { recursive: true });
    symlinkSync('server/deep', join(workshop.copy, 'link'));
    await exitOf(workshop.start({ start: ['sh', '-c', 'pwd -P; echo "$PWD"'], directory: 'link' }));
    const real = join(workshop.copy, 'server/deep');
    assert.equal(workshop.output(), `${real}\n${real}\n`);
  });

  test('and a relative program is looked for there', async (t) => {
    const workshop = new Workshop(t);
    mkdirSync(join(workshop.copy, 'bin'));
    writeFileSync(join(workshop.copy, 'bin/serve'), '#!/bin/sh\nexit 9\n', { mode: 0o755 });
    assert.deepEqual(await exitOf(workshop.start({ start: ['./serve'], directory: 'bin' })), { code: 9, signal: null });
  });

  const places: readonly [title: string, directory: string, reason: RegExp][] = [
    ['that is not there', 'nowhere', /no such file/],
    ['that a symlink leads out of the working copy', 'escape', /leads out/],
    ['that names its way out', '..', /leads out/],
    ['next to it whose name begins alike', '../copy-2', /leads out/],
    ['that is a file', 'file', /not a folder/],
  ];
  for (const [title, directory, reason] of places) {
    test(`never in one ${title}`, async (t) => {
      const workshop = new Workshop(t);
      mkdirSync(join(workshop.folder, 'copy-2'));
      symlinkSync('/tmp', join(workshop.copy, 'escape'));
      writeFileSync(join(workshop.copy, 'file'), '');
      const failure = await failureOf(workshop.start({ start: 'true', directory }));
      assert.equal(failure.code, 'directory-missing');
      assert.match(failure.reason, reason);
    });
  }
});

suite('A program that cannot be started is reported as failed', () => {
  test('when there is no such command in PATH', async (t) => {
    const failure = await failureOf(new Workshop(t).start({ start: ['no-such-command-at-all', 'x'] }));
    assert.equal(failure.code, 'command-not-found');
    assert.match(failure.message, /no-such-command-at-all.*PATH/);
    assert.notEqual(failure.hint, '');
  });

  test('when the configured PATH does not have it', async (t) => {
    const workshop = new Workshop(t);
    const failure = await failureOf(workshop.start({ start: ['sleep', '1'], environment: { PATH: workshop.folder } }));
    assert.equal(failure.code, 'command-not-found');
  });

  test('when its file may not be executed', async (t) => {
    const workshop = new Workshop(t);
    writeFileSync(join(workshop.copy, 'serve'), '#!/bin/sh\n');
    chmodSync(join(workshop.copy, 'serve'), 0o644);
    assert.equal((await failureOf(workshop.start({ start: ['./serve'] }))).code, 'command-not-found');
  });

  test('when its interpreter is missing', async (t) => {
    const workshop = new Workshop(t);
    writeFileSync(join(workshop.copy, 'serve'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const failure = await failureOf(workshop.start({ start: ['./serve'] }));
    assert.equal(failure.code, 'command-not-found');
    assert.match(failure.reason, /interpreter/);
  });

  test('when its environment file is missing', async (t) => {
    const workshop = new Workshop(t);
    const environmentFile = join(workshop.folder, 'missing.env');
    const failure = await failureOf(workshop.start({ start: 'true', environmentFile }));
    assert.equal(failure.code, 'config-invalid');
    assert.equal(failure.subject, environmentFile);
  });

  test('when the system refuses its arguments', async (t) => {
    const failure = await failureOf(new Workshop(t).start({ start: ['true', 'x'.repeat(3_000_000)] }));
    assert.match(failure.message, /E2BIG/);
  });
});

async function failureOf({ reports, tree }: Started): Promise<Failure> {
  await until(() => reports.length > 0, 'a report');
  const [report] = reports;
  assert.equal(reports.length, 1);
  assert.equal(tree, null);
  assert.equal(report?.type, 'process.failed');
  return report.failure;
}
