import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Huddle } from '../command.ts';
import { plain, program, scene, type Scene } from '../harness.ts';

const hour = 3_600_000;
const steps = [
  { what: 'back by an hour', by: -hour },
  { what: 'on by a day', by: 24 * hour },
];

interface Clock {
  readonly huddle: Huddle;
  /** Sets the wall clock of Huddle by so many milliseconds, and waits until it has done so. */
  readonly set: (by: number) => Promise<void>;
}

function startWithClock(stage: Scene): Clock {
  const file = join(stage.root, 'clock');
  const module = join(import.meta.dirname, '../programs/clock.mjs');
  let sets = 0;
  const huddle = stage.startHuddle([], { NODE_OPTIONS: `--import ${module}`, CLOCK: file });
  return {
    huddle,
    set: async (by) => {
      writeFileSync(file, String(by));
      huddle.signal('SIGUSR2');
      // A line of its log tells what it takes the time to be: a broken file makes one.
      const name = `broken-${(sets += 1)}`;
      writeFileSync(stage.file(`${name}.json`), '{');
      const [, time = ''] = await huddle.logged(new RegExp(`^(\\S+) ${name}: `, 'm'));
      assert.ok(isNow(time, by), time);
    },
  };
}

/** Whether a time is about the one that a clock set by so much shows now. */
function isNow(time: string | null | undefined, by: number): boolean {
  return Math.abs(Date.parse(time ?? '') - Date.now() - by) < hour / 2;
}

suite('A clock that is set', { concurrency: 4 }, () => {
  for (const { what, by } of steps) {
    test(`${what} neither holds up nor hurries anything`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const first = await repo.publish(plain('v1'));
      const tests = join(stage.root, 'tests');
      await stage.app('shop', repo.remote, {
        timing: { minimum: 0.3 },
        test: { command: `cat version >> ${tests}; ! grep -q bad version` },
      });
      const { huddle, set } = startWithClock(stage);
      const before = await huddle.live('shop', first);
      const bad = await repo.publish(plain('bad'));
      await huddle.until('shop', (app) => app.rejected.includes(bad) && app.state === 'running', 'rejected');

      await set(by);
      // The next check comes when it was due, and its time is told as the clock shows it.
      for (let check = 0; check < 3; check += 1) {
        await huddle.until('shop', ({ state }) => state === 'checking', 'a check');
        await huddle.until('shop', ({ state }) => state === 'running', 'its end');
      }
      const { nextCheck, program: running } = await huddle.until('shop', (app) => app.nextCheck !== null, 'waiting');
      assert.ok(isNow(nextCheck, by), `${nextCheck}`);
      assert.ok(isNow(running?.since, by), `${running?.since}`);
      assert.equal(running?.pid, before.program?.pid);
      // What was rejected is tested again when its hour is over by any clock that nobody sets.
      assert.equal(readFileSync(tests, 'utf8'), 'v1\nbad\n');

      process.kill(running?.pid ?? 0, 'SIGKILL');
      await huddle.until('shop', (app) => app.program?.state === 'up' && app.program.restarts === 1, 'up again');
      const second = await repo.publish(plain('v2'));
      await huddle.live('shop', second);
      const last = (await stage.historyOf('shop', second)).at(-1);
      assert.ok((last?.seconds ?? -1) >= 0 && (last?.seconds ?? hour) < 600, `${last?.seconds}`);
      assert.ok((last?.downtime ?? -1) >= 0 && (last?.downtime ?? hour) < 600, `${last?.downtime}`);
      assert.ok(isNow(last?.at, by), `${last?.at}`);
      await huddle.stop();
    });

    test(`${what} in the middle of a crash loop changes neither its delays nor what is proved`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const first = await repo.publish(plain('v1'));
      await stage.app('shop', repo.remote, { application: { 'crash limit': 3 } });
      const { huddle, set } = startWithClock(stage);
      await huddle.live('shop', first);
      const flag = join(stage.root, 'crash');
      const second = await repo.publish({
        'program.sh': `test ! -e ${flag} || exit 3\n${program('plain.sh')}`,
        version: 'v2\n',
      });
      const live = await huddle.live('shop', second);
      await set(by);
      writeFileSync(flag, '');
      process.kill(live.program?.pid ?? 0, 'SIGKILL');
      await huddle.logged(/starting it again in 1 s/);
      await set(-by);
      // Still being proved: a crash limit leads back.
      await huddle.live('shop', first);
      assert.deepEqual((await huddle.app('shop')).rejected, [second]);
      assert.ok(existsSync(flag));
      assert.ok(stage.livePrograms().length === 1);
      await huddle.stop();
    });
  }
});
