import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { ProgramRecord } from '../../../src/ledger/app-ledger.ts';
import { identifyChild } from '../../../src/process/identity.ts';
import { plain, scene } from '../harness.ts';
import { alive } from '../proc.ts';

suite('A stranger that has got the pid of a program of old', { concurrency: 2 }, () => {
  const others: Record<string, (record: ProgramRecord, pid: number) => ProgramRecord> = {
    'started at another time': (record, pid) => ({ ...record, pid, startTime: identifyChild(pid).startTime - 1 }),
    'in another boot': (record, pid) => ({
      ...record,
      pid,
      startTime: identifyChild(pid).startTime,
      bootId: '00000000-0000-4000-8000-000000000000',
    }),
  };
  for (const [what, forge] of Object.entries(others)) {
    test(`is neither taken over nor signalled: ${what}`, async (t) => {
      const stage = await scene(t);
      const { repo, first, huddle: killed, app: before } = await stage.deployed();
      await killed.kill9();
      process.kill(before.program?.pid ?? 0, 'SIGKILL');

      // Any signal but SIGKILL and SIGSTOP leaves a line; these two leave it dead, or stopped.
      const told = join(stage.root, 'told');
      const traps = `for each in HUP INT QUIT TERM USR1 USR2 CONT; do trap "echo $each >> ${told}" $each; done`;
      const stranger = spawn('sh', ['-c', `${traps}; echo ready; while :; do sleep 0.05; done`], { stdio: 'pipe' });
      t.after(() => stranger.kill('SIGKILL'));
      await new Promise((resolve) => stranger.stdout.once('data', resolve));
      const pid = stranger.pid ?? 0;
      const file = join(stage.dir, '.huddle/apps/shop/program.json');
      writeFileSync(file, JSON.stringify(forge(JSON.parse(readFileSync(file, 'utf8')) as ProgramRecord, pid)));

      const huddle = stage.startHuddle();
      const after = await huddle.live('shop', first);
      assert.equal(after.program?.adopted, false);
      assert.notEqual(after.program?.pid, pid);
      await huddle.live('shop', await next(huddle, repo.publish(plain('v2'))));
      await huddle.stop();
      assert.ok(alive(pid));
      assert.doesNotMatch(readFileSync(`/proc/${pid}/stat`, 'utf8'), /\) T /);
      assert.throws(() => readFileSync(told), { code: 'ENOENT' });
    });
  }
});

async function next(huddle: { check: () => void }, pushed: Promise<string>): Promise<string> {
  const revision = await pushed;
  huddle.check();
  return revision;
}
