import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { Failure } from '../../machines/failure.ts';
import { type CommandInput, runCommand } from '../../src/process/command.ts';
import { commandEnvironment } from '../../src/process/environment.ts';
import { runTest } from '../../src/process/gate.ts';
import { newMark } from '../../src/process/mark.ts';
import { runScripts } from '../../src/process/scripts.ts';
import { runAs } from '../../src/process/user.ts';
import { sceneWithMounts } from '../e2e/bad-days/mounts.ts';
import { appendTo, never, until, Workshop } from './workshop.ts';

function setUp(t: TestContext): { workshop: Workshop; input: CommandInput } {
  const workshop = new Workshop(t);
  const environment = { ...commandEnvironment('shop', 'a'.repeat(40), runAs(null)), PIDS: workshop.pidFile };
  return {
    workshop,
    input: {
      doing: 'running',
      command: 'true',
      directory: workshop.copy,
      environment,
      runAs: runAs(null),
      mark: newMark(workshop.hash, 'shop'),
      log: appendTo(workshop.log, t),
      timeout: 20,
      signal: never,
      sweep: false,
    },
  };
}

const staying = 'setsid sh -c \'echo $$ >>"$PIDS"; exec sleep 300\' & until [ -s "$PIDS" ]; do sleep 0.02; done';

suite('A one-off command', () => {
  test('gives its exit code, and the end of its own output', async (t) => {
    const { workshop, input } = setUp(t);
    writeFileSync(workshop.log, 'before\n');
    const result = await runCommand({ ...input, command: 'echo out; echo err >&2; exit 5' });
    assert.deepEqual(result, { exit: { code: 5, signal: null }, tail: 'out\nerr\n' });
    assert.equal(workshop.output(), 'before\nout\nerr\n');
  });

  test('given as a list is run past every shell, in its directory, as its app', async (t) => {
    const { workshop, input } = setUp(t);
    await runCommand({ ...input, command: ['printf', '%s|', '$HOME', ''] });
    await runCommand({ ...input, command: 'pwd; echo "$HUDDLE_APP $HUDDLE_MARK"' });
    assert.equal(workshop.output(), `$HOME||${workshop.copy}\nshop ${input.mark}\n`);
  });

  test('reads nothing', async (t) => {
    const { input } = setUp(t);
    const { exit } = await runCommand({ ...input, command: ['cat'] });
    assert.equal(exit.code, 0);
  });

  test('that is ended by a signal says so', async (t) => {
    const { input } = setUp(t);
    const { exit } = await runCommand({ ...input, command: 'kill -9 $$' });
    assert.deepEqual(exit, { code: null, signal: 'SIGKILL' });
  });

  test('that is not there is a failure', async (t) => {
    const { input } = setUp(t);
    await assert.rejects(runCommand({ ...input, command: ['no-such-command-at-all'] }), { code: 'command-not-found' });
  });

  test('does not wait for what it leaves behind with its output open, and spares that', async (t) => {
    const { workshop, input } = setUp(t);
    const { exit } = await runCommand({ ...input, command: `${staying}; exit 4` });
    assert.equal(exit.code, 4);
    assert.equal(workshop.living().length, 1);
  });

  test('that is to be swept leaves nothing behind', async (t) => {
    const { workshop, input } = setUp(t);
    const { exit } = await runCommand({ ...input, command: `${staying}; exit 4`, sweep: true });
    assert.equal(exit.code, 4);
    assert.deepEqual(workshop.living(), []);
  });

  test('that takes too long is gone, with all it has started, when that is told', async (t) => {
    const { workshop, input } = setUp(t);
    const command = `echo $$ >>"$PIDS"; trap '' TERM; ${staying}; sleep 300`;
    await assert.rejects(runCommand({ ...input, command, timeout: 0.5 }), (failure: Failure) => {
      assert.deepEqual(workshop.living(), []);
      assert.equal(failure.code, 'timeout');
      assert.match(failure.message, /no end after 0\.5 s/);
      return true;
    });
    assert.equal(workshop.pids().length, 2);
  });

  test('that is aborted is gone, with all it has started, when that is told', async (t) => {
    const { workshop, input } = setUp(t);
    const abort = new AbortController();
    const ended = runCommand({ ...input, command: `${staying}; sleep 300`, signal: abort.signal });
    void ended.catch(() => {});
    await until(() => workshop.living().length > 0, 'its child');
    abort.abort(new Error('enough'));
    await assert.rejects(ended, /enough/);
    assert.deepEqual(workshop.living(), []);
  });

  test('that was aborted beforehand never starts', async (t) => {
    const { workshop, input } = setUp(t);
    await assert.rejects(runCommand({ ...input, command: 'echo started', signal: AbortSignal.abort() }));
    assert.equal(workshop.output(), '');
  });

  test('whose log was rotated meanwhile still gives the end of its output', async (t) => {
    const { workshop, input } = setUp(t);
    writeFileSync(workshop.log, 'x'.repeat(10_000));
    const { tail } = await runCommand({ ...input, command: `: > ${workshop.log}; echo after` });
    assert.equal(tail, 'after\n');
  });
});

suite('The test of a revision', () => {
  test('passes when all commands exit 0, run one after the other', async (t) => {
    const { workshop, input } = setUp(t);
    assert.deepEqual(await runTest({ ...input, commands: ['echo 1', 'echo 2'], timeout: 20 }), { kind: 'passed' });
    assert.equal(workshop.output(), '1\n2\n');
  });

  test('fails with the first command that does, and names it', async (t) => {
    const { workshop, input } = setUp(t);
    const verdict = await runTest({ ...input, commands: ['echo 1', 'exit 3', 'echo 2'], timeout: 20 });
    assert.equal(verdict.kind, 'failed');
    assert.equal(verdict.failure.code, 'test-failed');
    assert.match(verdict.failure.message, /exit 3: exit code 3/);
    assert.equal(workshop.output(), '1\n');
  });

  test('leaves nothing running', async (t) => {
    const { workshop, input } = setUp(t);
    await runTest({ ...input, commands: [staying], timeout: 20 });
    assert.equal(workshop.pids().length, 1);
    assert.deepEqual(workshop.living(), []);
  });

  const faults: readonly [title: string, command: string, code: string][] = [
    ['a time-out', 'sleep 300', 'timeout'],
    ['a signal', 'kill -9 $$', 'test-failed'],
    ['a signal that ended what its shell ran', "sh -c 'kill -9 $$'; exit $?", 'test-failed'],
    ['a missing command', 'no-such-command-at-all', 'command-not-found'],
    ['a command that may not be executed', '/etc/passwd', 'command-not-found'],
    ['a full disk', 'cat /etc/passwd > /dev/full', 'disk-full'],
  ];
  for (const [title, command, code] of faults) {
    test(`is no verdict but an error: ${title}`, async (t) => {
      const { input } = setUp(t);
      await assert.rejects(runTest({ ...input, commands: [command], timeout: 2 }), { name: 'Failure', code });
    });
  }

  test('is no verdict but an error: a full disk that the test keeps to itself', async (t) => {
    const scene = await sceneWithMounts(t);
    if (scene === null) return;
    const directory = scene.stage.copy('shop');
    scene.mounts.tmpfs(directory, 'size=64k');
    const { input } = setUp(t);
    const greedy = { ...input, directory, commands: ['head -c 99999 /dev/zero >big 2>/dev/null; exit 1'], timeout: 20 };
    await assert.rejects(runTest(greedy), { name: 'Failure', code: 'disk-full' });
    scene.mounts.resize(directory, '1m');
    assert.equal((await runTest(greedy)).kind, 'failed');
  });
});

suite('Scripts', () => {
  test('run in order, and what they start to stay is spared', async (t) => {
    const { workshop, input } = setUp(t);
    await runScripts({ ...input, hook: 'post-pull', scripts: ['echo 1', staying, 'echo 2'], timeout: 20 });
    assert.equal(workshop.output(), '1\n2\n');
    assert.equal(workshop.living().length, 1);
  });

  test('stop at the first that fails, which is named with its exit code', async (t) => {
    const { workshop, input } = setUp(t);
    const run = runScripts({ ...input, hook: 'pre-pull', scripts: ['echo 1', 'exit 6', 'echo 2'], timeout: 20 });
    await assert.rejects(run, { code: 'script-failed', message: 'running the pre-pull script exit 6: exit code 6' });
    assert.equal(workshop.output(), '1\n');
  });

  test('that take too long are ended with all they started, with a code of its own', async (t) => {
    const { workshop, input } = setUp(t);
    const scripts = [`${staying}; sleep 300`];
    await assert.rejects(runScripts({ ...input, hook: 'post-pull', scripts, timeout: 0.5 }), { code: 'timeout' });
    assert.deepEqual(workshop.living(), []);
  });

  test('find the files of their folder', async (t) => {
    const { workshop, input } = setUp(t);
    await runScripts({ ...input, hook: 'post-pull', scripts: ['echo built > out'], timeout: 20 });
    assert.equal(readFileSync(join(workshop.copy, 'out'), 'utf8'), 'built\n');
  });
});
