import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { type CommandInput, runCommand } from '../../src/process/command.ts';
import { endByForce } from '../../src/process/end.ts';
import { commandEnvironment } from '../../src/process/environment.ts';
import { newMark } from '../../src/process/mark.ts';
import { endGently, type StopRequest } from '../../src/process/stop.ts';
import { stopCommandOf } from '../../src/process/program.ts';
import { runAs } from '../../src/process/user.ts';
import { exitOf, never, programs, type Started, until, Workshop } from './workshop.ts';

// What holds on every system, shown with Node's own programs, as there is no other that each of them has.

const isWindows = process.platform === 'win32';
/** Set by test/windows/run.ts. */
const withoutTrees = process.env['HUDDLE_TEST_WINE'] !== undefined && 'wine has neither taskkill /T nor PowerShell';
const request: StopRequest = { signal: 'SIGTERM', command: null, warn: assert.fail };

function setUp(t: TestContext): { workshop: Workshop; input: CommandInput } {
  const workshop = new Workshop(t);
  const environment = { ...commandEnvironment('shop', 'a'.repeat(40), runAs(null)), PIDS: workshop.pidFile };
  const log = workshop.openLog();
  const mark = newMark(workshop.hash, 'shop');
  const surroundings = { directory: workshop.copy, environment, runAs: runAs(null), mark, log };
  const limits = { timeout: 60, signal: never, sweep: false };
  return { workshop, input: { doing: 'running', command: 'exit 0', ...surroundings, ...limits } };
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function print(expression: string): string[] {
  return [process.execPath, '-p', expression];
}

const family = [process.execPath, join(programs, 'family.mjs')];

suite('Everywhere a command', () => {
  test('that is a line goes to the shell, and its exit code and the end of its output come back', async (t) => {
    const { workshop, input } = setUp(t);
    const { exit, tail } = await runCommand({ ...input, command: 'echo one&& echo two&& exit 3' });
    assert.deepEqual(exit, { code: 3, signal: null });
    assert.equal(tail.replaceAll('\r', ''), 'one\ntwo\n');
    assert.equal(workshop.output(), tail);
  });

  test('that is a list gets its argv as it is', async (t) => {
    const { input } = setUp(t);
    const odd = ['a b', '"q"', '%PATH%', '$HOME', '', '&', 'back\\slash\\'];
    const { tail } = await runCommand({
      ...input,
      command: [...print('JSON.stringify(process.argv.slice(1))'), ...odd],
    });
    assert.deepEqual(JSON.parse(tail), odd);
  });

  test('runs in its directory, as its app, with a PATH', async (t) => {
    const { workshop, input } = setUp(t);
    const seen = '[process.cwd(), process.env.HUDDLE_APP, process.env.HUDDLE_MARK, process.env.PATH.length > 0]';
    const { tail } = await runCommand({ ...input, command: print(`JSON.stringify(${seen})`) });
    assert.deepEqual(JSON.parse(tail), [workshop.copy, 'shop', input.mark, true]);
  });

  test('that is not there is a failure', async (t) => {
    const { input } = setUp(t);
    await assert.rejects(runCommand({ ...input, command: ['no-such-command-at-all'] }), { code: 'command-not-found' });
  });

  test('that takes too long is gone when that is told', async (t) => {
    const { workshop, input } = setUp(t);
    await assert.rejects(runCommand({ ...input, command: family, timeout: 3 }), { code: 'timeout' });
    assert.equal(workshop.pids().length, 1);
    assert.deepEqual(workshop.pids().filter(isThere), []);
  });

  test('that is aborted is gone when that is told', async (t) => {
    const { workshop, input } = setUp(t);
    const abort = new AbortController();
    const ended = runCommand({ ...input, command: family, signal: abort.signal });
    void ended.catch(() => {});
    await until(() => workshop.pids().length === 1, 'its pid');
    abort.abort(new Error('enough'));
    await assert.rejects(ended, /enough/);
    assert.deepEqual(workshop.pids().filter(isThere), []);
  });

  test(
    'may be a batch file, arguments with blanks and all',
    { skip: !isWindows && 'only Windows has them' },
    async (t) => {
      const { workshop, input } = setUp(t);
      mkdirSync(join(workshop.copy, 'my tools'));
      writeFileSync(join(workshop.copy, 'my tools', 'say.cmd'), '@echo off\r\necho [%1] [%2]\r\nexit /b 4\r\n');
      const { exit, tail } = await runCommand({ ...input, command: ['my tools/say', 'a & b', 'c'] });
      assert.equal(tail, '["a & b"] ["c"]\r\n');
      assert.equal(exit.code, 4);
    },
  );
});

suite('Everywhere a program', () => {
  async function begin(workshop: Workshop, pids: number, more: Record<string, string> = {}): Promise<Started> {
    const environment = { PIDS: workshop.pidFile, ...more };
    const started = workshop.start({ start: family, environment });
    await until(() => workshop.pids().length >= pids, `${pids} pids`);
    return started;
  }

  test('writes to its log itself, in its directory', async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 1);
    await until(() => workshop.output() !== '', 'its output');
    assert.equal(workshop.output(), `up in ${workshop.copy}\n`);
    await endByForce(started.alive, never);
  });

  test('is reported as spawned, then once as exited, with its code', async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 1);
    writeFileSync(join(workshop.copy, 'enough'), '');
    assert.deepEqual(await exitOf(started), { code: 6, signal: null });
    assert.deepEqual(
      started.reports.map(({ type }) => type),
      ['process.spawned', 'process.exited'],
    );
    assert.equal(started.alive.root.pid, workshop.pids()[0]);
  });

  test('of a shell line is ended as well', async (t) => {
    const workshop = new Workshop(t);
    const started = workshop.start({ start: 'echo up&& exit 5' });
    assert.deepEqual(await exitOf(started), { code: 5, signal: null });
    assert.equal(workshop.output().trim(), 'up');
  });

  test('that is stopped is gone, and its exit told, when that is told', async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 1);
    await endGently(started.alive, request, never);
    assert.deepEqual(workshop.pids().filter(isThere), []);
    assert.equal(started.reports.at(-1)?.type, 'process.exited');
  });

  test('with a stop command is asked by it, and ends in its own time', async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 1);
    const { application } = started.input.config;
    const config = { ...started.input.config, application: { ...application, stopCommand: 'echo x>enough' } };
    const command = stopCommandOf({ ...started.input, config, log: null });
    await endGently(started.alive, { ...request, command }, never);
    assert.deepEqual(await exitOf(started), { code: 6, signal: null });
  });

  test('that is killed leaves none of its children', { skip: withoutTrees }, async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 2, { FAMILY: '1' });
    await endByForce(started.alive, never);
    await until(() => !workshop.pids().some(isThere), 'the end of all');
  });

  test('that has crashed leaves none of its children once it was swept', { skip: withoutTrees }, async (t) => {
    const workshop = new Workshop(t);
    const started = await begin(workshop, 2, { FAMILY: '1' });
    process.kill(started.alive.root.pid, 'SIGKILL');
    await exitOf(started);
    await endByForce(started.alive, never);
    await until(() => !workshop.pids().some(isThere), 'the end of all');
  });
});
