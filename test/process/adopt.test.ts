import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ProcessReport } from '../../machines/slots.ts';
import { here } from '../../src/platform/here.ts';
import { adoptProgram } from '../../src/process/adopt.ts';
import { bootId, identifyChild, isAlive, sendSignal } from '../../src/process/identity.ts';
import { endByForce } from '../../src/process/end.ts';
import { endGently } from '../../src/process/stop.ts';
import type { Root } from '../../src/process/tree.ts';
import { treeOf } from '../../src/process/tree.ts';
import { never } from './workshop.ts';

/** Whether the kernel can be asked how many there are. */
function isTold(): boolean {
  const census = here.openCensus();
  census?.close();
  return census !== null;
}

const since = 1_700_000_000_000;

suite('A program that is taken over', () => {
  test('is up since it was started, and its end is told', async (t) => {
    const { child, root } = await someone(t);
    const { reports, ended } = adopt(root);
    await new Promise(setImmediate);
    assert.deepEqual(reports, [{ type: 'process.spawned', pid: root.pid, at: since, adopted: true }]);
    child.kill('SIGKILL');
    assert.deepEqual((await ended()).exit, { code: null, signal: null });
  });

  test('has ended when it is a zombie that nobody reaps', async (t) => {
    const shell = 'sleep 1000 & echo $!; exec sleep 1001';
    const parent = spawn('sh', ['-c', shell], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => parent.kill('SIGKILL'));
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
    const { ended } = adopt({ ...identifyChild(pid), mark: 'of:a:test' });
    process.kill(pid, 'SIGKILL');
    await ended();
    assert.equal(here.readEntry(pid)?.isZombie, true);
  });

  test('is seen without a descriptor for it, too', async (t) => {
    const { child, root } = await someone(t);
    t.mock.method(here, 'sightOf', () => null);
    const { ended } = adopt(root);
    child.kill('SIGKILL');
    await ended();
  });

  test('is asked for only now and then while nobody on the machine comes or goes', async (t) => {
    const { child, root } = await someone(t);
    const closed = t.mock.fn();
    t.mock.method(here, 'openCensus', () => ({ hasChanged: () => false, close: closed }));
    const kill = t.mock.method(process, 'kill');
    const looks = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const glances: number[] = [];
    const glance = () => {
      glances.push(kill.mock.callCount());
      looks[glances.length - 1]?.resolve();
      return child.signalCode === null;
    };
    t.mock.method(here, 'sightOf', () => ({ glance, close: () => undefined }));
    const { ended } = adopt(root);
    await alive(Promise.all(looks.map(({ promise }) => promise)));
    assert.equal(glances[0], glances[1]);
    child.kill('SIGKILL');
    await ended();
    assert.equal(closed.mock.callCount(), 1);
  });

  test('is asked for when anybody has come or gone', { skip: !isTold() && 'nobody tells' }, async (t) => {
    const census = here.openCensus();
    t.after(() => census?.close());
    assert.equal(census?.hasChanged(), true);
    // Somebody may come just then, but not each time.
    while (census?.hasChanged());
    const { child } = await someone(t);
    assert.equal(census?.hasChanged(), true);
    while (census?.hasChanged());
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(census?.hasChanged(), true);
  });

  test('is told of no more once it has been left, and keeps no descriptor', async (t) => {
    const { child, root } = await someone(t);
    const closed = t.mock.fn();
    t.mock.method(here, 'sightOf', () => ({ glance: () => true, close: closed }));
    const { reports, program } = adopt(root);
    program.leave();
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await new Promise(setImmediate);
    assert.deepEqual(reports, []);
    assert.equal(closed.mock.callCount(), 1);
  });
});

suite('A stranger with the pid of a program of old', () => {
  const olds: Record<string, (root: Root) => Root> = {
    'was started at another time': (root) => ({ ...root, startTime: root.startTime - 100 }),
    'was started in another boot': (root) => ({ ...root, bootId: '00000000-0000-4000-8000-000000000000' }),
  };
  for (const [what, old] of Object.entries(olds)) {
    test(`is not signalled, as it ${what}`, async (t) => {
      const { child, root } = await someone(t);
      const former = old(root);
      assert.equal(isAlive(root), true);
      assert.equal(isAlive(former), false);
      assert.equal(sendSignal(former, 'SIGKILL'), false);
      const tree = treeOf(former, null);
      await endGently(tree, { signal: 'SIGKILL', command: null, warn: assert.ifError }, never);
      await endByForce(tree, never);
      assert.equal(isAlive(root), true);
      assert.equal(child.exitCode, null);
    });
  }

  test('is known from it by this boot’s id', () => {
    assert.match(bootId, /^[0-9a-f-]{36}$/);
  });
});

/** A process that waits. */
async function someone(t: TestContext): Promise<{ child: ChildProcess; root: Root }> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.once('spawn', resolve));
  return { child, root: { ...identifyChild(child.pid ?? 0), mark: 'of:a:test' } };
}

function adopt(root: Root) {
  const reports: ProcessReport[] = [];
  const { promise, resolve } = Promise.withResolvers<Extract<ProcessReport, { type: 'process.exited' }>>();
  const program = adoptProgram(root, { log: '/nowhere/app.log', since }, (report) => {
    reports.push(report);
    if (report.type === 'process.exited') resolve(report);
  });
  return { reports, program, ended: () => alive(promise) };
}

/** Looking keeps no process alive: somebody else has to, until the end is told. */
async function alive<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1_000);
  return await promise.finally(() => clearInterval(timer));
}
