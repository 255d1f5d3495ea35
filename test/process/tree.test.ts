import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, openSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { suite, test, type TestContext } from 'node:test';
import { endByForce, endMarked } from '../../src/process/end.ts';
import { bootId, identify, isAlive, sendSignal } from '../../src/process/identity.ts';
import { readEntry } from '../../src/platform/proc.ts';
import { appPrefix, markVariable, newMark } from '../../src/process/mark.ts';
import { endGently, type StopRequest } from '../../src/process/stop.ts';
import { membersOf, treeOf } from '../../src/process/tree.ts';
import { stopCommandOf } from '../../src/process/program.ts';
import { exitOf, never, until, Workshop } from './workshop.ts';

const hasPython = spawnSync('python3', ['-c', 'import ctypes']).status === 0;
/** Options of unshare(1) for a table of processes of its own. */
const apart = ['--pid', '--fork', '--mount-proc', '--kill-child'];
const ownPids = spawnSync('unshare', [...apart, 'true']).status === 0;
const term: StopRequest = { signal: 'SIGTERM', command: null, warn: assert.fail };

suite('Stopping gently ends', () => {
  const fixtures: readonly [fixture: string, pids: number, title: string][] = [
    ['plain.sh', 1, 'a single process'],
    ['double-fork.sh', 2, 'a grandchild whose parent has gone'],
    ['setsid.sh', 2, 'a child in a session of its own'],
  ];
  for (const [fixture, pids, title] of fixtures) {
    test(title, async (t) => {
      const workshop = new Workshop(t);
      const { alive } = await workshop.startFixture(fixture, pids);
      await endGently(alive, term, never);
      assert.deepEqual(workshop.living(), []);
      assert.deepEqual(membersOf(alive), []);
    });
  }

  test('only when the slowest grandchild has drained, with the exit reported by then', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('slow-drain.sh', 2);
    await endGently(started.alive, term, never);
    assert.deepEqual(workshop.living(), []);
    assert.match(workshop.output(), /drained/);
    assert.equal(started.reports.at(-1)?.type, 'process.exited');
  });

  test('who was stopped when the signal came, as a Huddle that is killed while it kills may leave behind', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('setsid.sh', 2);
    for (const pid of workshop.pids()) process.kill(pid, 'SIGSTOP');
    await endGently(started.alive, term, AbortSignal.timeout(5_000));
    assert.deepEqual(workshop.living(), []);
  });

  test('nothing that a program starts to clean up before that has finished', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('tidy.sh', 1);
    await endGently(alive, term, never);
    assert.match(workshop.output(), /tidy/);
  });

  test('what a program leaves behind when it has heeded the signal', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('parting.sh', 1);
    await endGently(alive, term, never);
    assert.equal(workshop.pids().length, 2);
    assert.deepEqual(workshop.living(), []);
  });

  test('with the configured signal', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    await endGently(started.alive, { ...term, signal: 'SIGINT' }, never);
    assert.deepEqual(await exitOf(started), { code: null, signal: 'SIGINT' });
  });

  test('no program that ignores the signal: that waits until it is aborted, and force ends it', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('deaf.sh', 2);
    await assert.rejects(endGently(alive, term, AbortSignal.timeout(200)), { name: /AbortError|TimeoutError/ });
    assert.equal(workshop.living().length, 2);
    await endByForce(alive, never);
    assert.deepEqual(workshop.living(), []);
  });

  test('a child that shares nothing with its parent, remembered when it loses that', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('lost-later.sh', 2);
    await assert.rejects(endGently(started.alive, term, AbortSignal.timeout(400)));
    assert.deepEqual(await exitOf(started), { code: 0, signal: null });
    assert.equal(workshop.living().length, 1);
    await endByForce(started.alive, never);
    assert.deepEqual(workshop.living(), []);
  });
});

suite('A stop command', () => {
  test('is run instead of the signal, where and as what the program runs', async (t) => {
    const workshop = new Workshop(t);
    const stopCommand = 'echo "stopping $HUDDLE_APP in $PWD"; kill -9 $(cat "$PIDS")';
    const started = await workshop.startFixture('deaf.sh', 2, { stopCommand });
    const log = openSync(workshop.log, 'a+');
    await endGently(started.alive, { ...term, command: stopCommandOf({ ...started.input, log }) }, never);
    closeSync(log);
    assert.deepEqual(workshop.living(), []);
    assert.match(workshop.output(), new RegExp(`stopping shop in ${workshop.copy}`));
  });

  test('that succeeds leaves the program the time to drain, unsignalled', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1, { stopCommand: 'true' });
    const command = stopCommandOf({ ...started.input, log: null });
    await assert.rejects(endGently(started.alive, { ...term, command }, AbortSignal.timeout(300)));
    assert.equal(workshop.living().length, 1);
  });

  for (const stopCommand of ['exit 3', 'no-such-command-at-all']) {
    test(`that fails (${stopCommand}) is told of, and the signal is sent after all`, async (t) => {
      const workshop = new Workshop(t);
      const started = await workshop.startFixture('plain.sh', 1, { stopCommand });
      const warnings: string[] = [];
      const command = stopCommandOf({ ...started.input, log: null });
      await endGently(started.alive, { ...term, command, warn: ({ code }) => warnings.push(code) }, never);
      assert.deepEqual(warnings, ['script-failed']);
      assert.deepEqual(await exitOf(started), { code: null, signal: 'SIGTERM' });
    });
  }

  test('that hangs is gone when the waiting is aborted, and the program is left to be killed', async (t) => {
    const workshop = new Workshop(t);
    const stopCommand = 'echo $$ >>"$PIDS"; sleep 300';
    const started = await workshop.startFixture('plain.sh', 1, { stopCommand });
    const command = stopCommandOf({ ...started.input, log: null });
    await assert.rejects(endGently(started.alive, { ...term, command }, AbortSignal.timeout(500)));
    assert.equal(workshop.pids().length, 2);
    assert.deepEqual(workshop.living(), [started.alive.root.pid]);
  });
});

suite('The sweep after a crash ends', () => {
  test('a daemon that left group, session and parent, by its mark', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('daemon.sh', 1);
    assert.deepEqual(await exitOf(started), { code: 3, signal: null });
    assert.equal(workshop.living().length, 1);
    await endByForce(started.alive, never);
    assert.deepEqual(workshop.living(), []);
  });

  test('a daemon that cleared its environment too, by the log that it holds open', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('unmarked.sh', 1);
    await exitOf(started);
    assert.equal(workshop.living().length, 1);
    await endByForce(started.alive, never);
    assert.deepEqual(workshop.living(), []);
  });

  test('that daemon also when its log has been deleted', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('unmarked.sh', 1);
    await exitOf(started);
    rmSync(workshop.log);
    await endByForce(started.alive, never);
    assert.deepEqual(workshop.living(), []);
  });

  test('a storm of forks, each in a session of its own', async (t) => {
    const workshop = new Workshop(t);
    const { alive } = await workshop.startFixture('storm.sh', 20);
    await endByForce(alive, never);
    assert.deepEqual(workshop.living(), []);
    assert.deepEqual(membersOf(alive), []);
  });

  for (const look of [1, 2, 3, 4, 5]) {
    test(`what is never the same process for long, time ${look}`, async (t) => {
      const workshop = new Workshop(t);
      const { alive } = await workshop.startFixture('comet.sh', 10 * look);
      await endByForce(alive, never);
      assert.deepEqual(workshop.living(), []);
      assert.deepEqual(membersOf(alive), []);
    });
  }

  test('nothing before the exit has been reported, though the dead are seen earlier', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    process.kill(started.alive.root.pid, 'SIGKILL');
    while (isAlive(started.alive.root)); // In this turn: Node cannot have been told yet.
    await endByForce(started.alive, never);
    assert.equal(started.reports.at(-1)?.type, 'process.exited');
  });

  test('nothing, at once, when nothing is left', async (t) => {
    const workshop = new Workshop(t);
    const started = workshop.start({ start: ['true'] });
    await exitOf(started);
    let isDone = false;
    void endByForce(started.alive, never).then(() => (isDone = true));
    await new Promise<void>((resolve) => {
      process.nextTick(() => setImmediate(resolve));
    });
    assert.ok(isDone);
  });
});

suite('A look at the processes', () => {
  test('fails, rather than finding none, when Huddle has no file descriptors left', () => {
    const module = `
      import { openSync } from 'node:fs';
      import { readTable } from '${import.meta.resolve('../../src/platform/proc.ts')}';
      readTable(0);
      try { for (;;) openSync('/dev/null'); } catch {}
      try { readTable(0); } catch ({ code }) { process.exitCode = code === 'EMFILE' ? 0 : 1; process.exit(); }
      process.exit(2);`;
    const argv = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, module];
    assert.equal(spawnSync('/bin/sh', argv).status, 0);
  });
});

suite('What a program has left is found', () => {
  test('also where the order of pids has begun again since its start', { skip: !ownPids && 'needs unshare' }, (t) => {
    const workshop = new Workshop(t);
    const last = '/proc/sys/kernel/ns_last_pid';
    const line = `echo 50 > ${last}; sleep 1000 & echo $! > pid; echo 6000 > ${last}; true & wait $!`;
    const input = JSON.stringify(workshop.input({ start: ['sh', '-c', line] }));
    const module = `
      import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
      import { startProgram } from '${import.meta.resolve('../../src/process/program.ts')}';
      import { endByForce } from '${import.meta.resolve('../../src/process/end.ts')}';
      import { identify } from '${import.meta.resolve('../../src/process/identity.ts')}';
      writeFileSync('${last}', '5000');
      const { tree } = startProgram({ ...${input}, openLog: (path) => openSync(path, 'a') }, () => {});
      await tree.reaped;
      const left = Number(readFileSync('${workshop.copy}/pid', 'utf8'));
      if (left > tree.root.pid || identify(left) === null) process.exit(2);
      await endByForce(tree, new AbortController().signal);
      process.exit(identify(left) === null ? 0 : 1);`;
    const run = spawnSync('unshare', [...apart, process.execPath, '--input-type=module', '-e', module]);
    assert.equal(run.status, 0, String(run.stderr));
  });
});

suite('What is not of the program is spared', () => {
  test("an operator's look at the log", async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    const tail = stranger(t, ['tail', '-f', workshop.log]);
    await until(() => identify(tail.pid) !== null, 'tail');
    await endByForce(started.alive, never);
    assert.ok(isAlive(tail));
  });

  test('a program of another app, even when it writes to this log', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    const log = openSync(workshop.log, 'a+');
    const other = stranger(t, ['sleep', '300'], { [markVariable]: newMark(workshop.hash, 'blog') }, log);
    closeSync(log);
    await endByForce(started.alive, never);
    assert.ok(isAlive(other));
  });

  test('another release of the app, even when it has lost its mark and writes to the same log', async (t) => {
    const workshop = new Workshop(t);
    const start = ['env', '-i', 'sleep', '300'];
    const [old, fresh] = [workshop.start({ start }), workshop.start({ start })];
    t.after(() => endByForce(fresh.alive, never));
    for (const { alive } of [old, fresh]) {
      await until(() => readFileSync(`/proc/${alive.root.pid}/comm`, 'utf8') === 'sleep\n', 'sleep');
    }
    await endByForce(old.alive, never);
    assert.ok(isAlive(fresh.alive.root));
  });

  test('Huddle itself, though it holds the log open', async (t) => {
    const workshop = new Workshop(t);
    const started = await workshop.startFixture('plain.sh', 1);
    const log = openSync(workshop.log, 'a+');
    assert.deepEqual(
      membersOf({ ...started.alive, root: { ...started.alive.root, startTime: 0 } }).map(({ pid }) => pid),
      [started.alive.root.pid],
    );
    closeSync(log);
  });

  test('who has the pid of a program of an earlier boot, or of one that ended unseen', async (t) => {
    const innocent = stranger(t, ['sleep', '300'], {}, 'ignore', true);
    const root = { ...innocent, mark: newMark('0'.repeat(12), 'shop') };
    await endByForce(treeOf({ ...root, bootId: 'another' }, null), never);
    await endByForce(treeOf({ ...root, startTime: root.startTime - 1 }, null), never);
    assert.ok(isAlive(innocent));
    await endByForce(treeOf(root, null), never);
    assert.ok(!isAlive(innocent));
  });
});

suite('Ending by the mark', () => {
  test('ends all of one app, and nothing of another whose name begins alike', async (t) => {
    const workshop = new Workshop(t);
    const odd = ['shop', 'shop:2', 'shop%3A2', 'shop 2', 'ｓｈｏｐ\n'];
    const each = odd.map((name) => stranger(t, ['sleep', '300'], { [markVariable]: newMark(workshop.hash, name) }));
    await endMarked(appPrefix(workshop.hash, 'shop'));
    assert.deepEqual(each.map(isAlive), [false, true, true, true, true]);
    for (const name of odd.slice(1)) await endMarked(appPrefix(workshop.hash, name));
    assert.deepEqual(each.map(isAlive), [false, false, false, false, false]);
  });

  test('finds the mark behind a long environment', async (t) => {
    const workshop = new Workshop(t);
    const environment = { A: 'x'.repeat(100_000), [markVariable]: newMark(workshop.hash, 'shop'), Z: 'z'.repeat(1000) };
    const process = stranger(t, ['sleep', '300'], environment);
    await endMarked(appPrefix(workshop.hash, 'shop'));
    assert.ok(!isAlive(process));
  });

  test('ends what descends from the marked as well', async (t) => {
    const workshop = new Workshop(t);
    stranger(t, ['sh', '-c', `setsid env -i sh -c 'echo $$ >>${workshop.pidFile}; exec sleep 300' & wait`], {
      [markVariable]: newMark(workshop.hash, 'shop'),
    });
    await until(() => workshop.living().length === 1, 'the child');
    await endMarked(appPrefix(workshop.hash, 'shop'));
    assert.deepEqual(workshop.living(), []);
  });
});

suite('An identity', () => {
  test('is of this boot, and dies with its process', async (t) => {
    const { pid, startTime } = stranger(t, ['sleep', '300']);
    const identity = identify(pid);
    assert.deepEqual(identity, { pid, startTime, bootId });
    assert.ok(sendSignal({ pid, startTime, bootId }, 'SIGKILL'));
    await until(() => !isAlive({ pid, startTime, bootId }), 'its death');
    assert.equal(sendSignal({ pid, startTime, bootId }, 'SIGKILL'), false);
  });

  test('is not that of another process with the same pid: that one is never signalled', (t) => {
    const { pid, startTime } = stranger(t, ['sleep', '300']);
    assert.equal(sendSignal({ pid, startTime: startTime + 1, bootId }, 'SIGKILL'), false);
    assert.equal(sendSignal({ pid, startTime, bootId: 'another' }, 'SIGKILL'), false);
    assert.notEqual(identify(pid), null);
  });

  test('is read past a name with spaces and parentheses', async (t) => {
    const workshop = new Workshop(t);
    const odd = `${workshop.copy}/a) S 1 (b`;
    copyFileSync('/bin/sleep', odd);
    const { pid } = stranger(t, [odd, '300'], {}, 'ignore', true);
    assert.deepEqual([readEntry(pid)?.parent, readEntry(pid)?.session], [process.pid, pid]);
  });

  test('stays alive when its first thread has ended and another works on', { skip: !hasPython }, async (t) => {
    const code = `import ctypes, threading, time
threading.Thread(target=time.sleep, args=(300,)).start()
ctypes.CDLL(None).pthread_exit(None)`;
    const threads = stranger(t, ['python3', '-c', code]);
    await until(
      () => /^State:\tZ/m.test(readFileSync(`/proc/${threads.pid}/status`, 'utf8')),
      'the first thread to end',
    );
    assert.ok(isAlive(threads));
  });

  test('of a zombie is none', async (t) => {
    const workshop = new Workshop(t);
    const parent = stranger(t, ['sh', '-c', `sh -c 'echo $$ >>${workshop.pidFile}' & exec sleep 300`]);
    await until(() => workshop.pids().length === 1, 'the child');
    await until(() => workshop.living().length === 0, 'its end');
    assert.ok(isAlive(parent));
  });
});

/** A process that no program has started; ended with the test. */
function stranger(
  t: TestContext,
  [file = '', ...args]: readonly string[],
  env: Record<string, string> = {},
  output: number | 'ignore' = 'ignore',
  detached = false,
) {
  const child = spawn(file, args, {
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'], ...env },
    detached,
  });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  const identity = identify(child.pid ?? 0);
  assert.ok(identity);
  return identity;
}
