import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  acceptance,
  changedSections,
  checkDelay,
  crashDelay,
  disturbance,
  isOverlapping,
  isRejected,
  isSame,
  longestTimer,
  retestDelay,
  withoutRejection,
  withRejection,
} from '../../machines/policy.ts';
import { type Facts, noFacts, type Rejection } from '../../machines/facts.ts';
import { appConfig } from './config.ts';

const hour = 3600_000;
const always = (value: number) => () => value;

suite('the wait between two checks', () => {
  test('is the minimum, ten per cent more or less, where there is no maximum', () => {
    const timing = { minimum: 60, maximum: null };
    assert.deepEqual(
      [0, 0.5, 1].map((random) => checkDelay(timing, 0, always(random))),
      [54_000, 60_000, 66_000],
    );
  });

  test('is a random time between minimum and maximum', () => {
    const timing = { minimum: 10, maximum: 30 };
    assert.deepEqual(
      [0, 0.5, 1].map((random) => checkDelay(timing, 0, always(random))),
      [10_000, 20_000, 30_000],
    );
  });

  test('doubles with each failure in a row, up to ten minutes', () => {
    const waits = [0, 1, 2, 3, 4, 5, 100].map((failures) =>
      checkDelay({ minimum: 60, maximum: null }, failures, always(0.5)),
    );
    assert.deepEqual(waits, [60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
  });

  test('does not double where the interval is longer than ten minutes, and never overflows a timer', () => {
    assert.equal(checkDelay({ minimum: 3600, maximum: null }, 9, always(0.5)), hour);
    assert.equal(checkDelay({ minimum: 1e9, maximum: null }, 0, always(0.5)), longestTimer);
  });
});

test('a crash is answered at once the first time, then after 1, 2, 4 … 30 s', () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map((exits) => crashDelay(exits) / 1000);
  assert.deepEqual(delays, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
});

test('a failed test is tried again after an hour, then two, four … up to a day', () => {
  const hours = [1, 2, 3, 4, 5, 6, 99].map((times) => retestDelay(times) / hour);
  assert.deepEqual(hours, [1, 2, 4, 8, 16, 24, 24]);
});

suite('a rejection', () => {
  test('of a failed test ends after its delay, one of a script or a rollback never', () => {
    const rejection = { revision: 'b', at: 0, times: 1 };
    const rejected = (why: Rejection['why'], now: number) => isRejected([{ ...rejection, why }], 'b', now);
    assert.deepEqual([rejected('test failed', hour - 1), rejected('test failed', hour)], [true, false]);
    assert.deepEqual([rejected('script failed', 99 * hour), rejected('rolled back', 99 * hour)], [true, true]);
    assert.equal(isRejected([], 'b', 0), false);
    assert.equal(rejected('test failed', -1), false, 'made before the clock was set back: nobody knows when');
  });

  test('counts how often a test has failed, and nothing else', () => {
    const once = withRejection([], 'b', 'test failed', 1);
    const twice = withRejection(once, 'b', 'test failed', 2);
    assert.deepEqual(twice, [{ revision: 'b', why: 'test failed', at: 2, times: 2 }]);
    assert.equal(withRejection(withRejection([], 'b', 'rolled back', 1), 'b', 'test failed', 2)[0]?.times, 1);
  });

  test('is one of the newest twenty, the newest last', () => {
    let rejected: readonly Rejection[] = [];
    for (let index = 0; index < 25; index++) rejected = withRejection(rejected, `r${index}`, 'test failed', index);
    assert.equal(rejected.length, 20);
    assert.deepEqual([rejected[0]?.revision, rejected.at(-1)?.revision], ['r5', 'r24']);
    assert.equal(withoutRejection(rejected, 'r24').length, 19);
  });
});

suite('an acceptance', () => {
  const facts: Facts = { ...noFacts, good: 'a', previous: 'z', provingUntil: 5 };

  test('makes the good revision the way back, begins to prove the new one, and forgives it', () => {
    const rejected = withRejection([], 'b', 'test failed', 1);
    const accepted = acceptance({ ...facts, rejected }, 'b', 'forward', 99);
    assert.deepEqual(accepted, { good: 'b', previous: 'a', provingUntil: 99, rejected: [] });
  });

  test('of a revision that was come back to leaves no way further back, and nothing to prove', () => {
    assert.deepEqual(acceptance({ ...facts, good: 'b' }, 'a', 'back', 99), {
      good: 'a',
      previous: null,
      provingUntil: null,
      rejected: [],
    });
  });

  test('of the first revision has nothing to fall back on, so there is nothing to prove', () => {
    assert.deepEqual(acceptance(noFacts, 'a', 'forward', 99), {
      good: 'a',
      previous: null,
      provingUntil: null,
      rejected: [],
    });
  });

  test('of the good revision once more does not prolong its proving', () => {
    assert.deepEqual(acceptance(facts, 'a', 'forward', 99), { provingUntil: 5 });
    assert.deepEqual(acceptance(facts, 'a', 'back', 99), { provingUntil: null });
  });
});

suite('a changed config', () => {
  const now = appConfig();
  const watchdog = { period: 9, timeout: 1, failures: 3, probe: { kind: 'command', command: 'look' } } as const;

  test('disturbs nothing when it means the same, whatever the order of its keys', () => {
    const turned = Object.fromEntries(Object.entries(now).toReversed()) as unknown as typeof now;
    assert.equal(disturbance(now, turned), 'nothing');
  });

  test('of timing, test, scripts, watchdog, deployment, or of patience, disturbs no program', () => {
    const changes = [
      appConfig({ timing: { minimum: 5, maximum: null } }),
      appConfig({ test: { kind: 'command', commands: ['true'], timeout: 9 } }),
      appConfig({ scripts: { postPull: ['make'] } }),
      appConfig({ watchdog }),
      appConfig({ deployment: { rollback: false } }),
      appConfig({
        application: { stopTimeout: 3, stopSignal: 'SIGINT', stopCommand: 'halt', crashLimit: 9, retry: 0 },
      }),
      appConfig({ application: { settle: 9, readyTimeout: 3, crashWindow: 5, restart: 'never' } }),
    ];
    assert.deepEqual([...new Set(changes.map((next) => disturbance(now, next)))], ['details']);
  });

  test('of what the program is started with replaces it', () => {
    const changes = [{ start: 'other' }, { directory: 'src' }, { environment: { A: '1' } }, { user: 'web' }];
    const found = [...changes, { environmentFile: '/etc/env' }].map((application) => appConfig({ application }));
    assert.deepEqual([...new Set(found.map((next) => disturbance(now, next)))], ['program']);
  });

  test('of the repository is the gravest', () => {
    const next = appConfig({ repository: { branch: 'next' }, application: { start: 'other' } });
    assert.equal(disturbance(now, next), 'repository');
    assert.deepEqual(changedSections(now, next), ['repository', 'application']);
  });
});

test('values are the same by what they hold, absent and empty being different', () => {
  assert.ok(isSame({ a: [1, { b: null }] }, { a: [1, { b: null }] }));
  for (const [one, other] of [
    [{ a: 1 }, { a: 1, b: undefined }],
    [
      [1, 2],
      [2, 1],
    ],
    [null, {}],
    ['1', 1],
    [{ a: undefined }, { b: undefined }],
  ]) {
    assert.ok(!isSame(one, other), JSON.stringify([one, other]));
  }
});

test('paths overlap when they are the same or one lies inside the other, and not for a common beginning', () => {
  assert.ok(isOverlapping('/srv/shop', '/srv/shop/'));
  assert.ok(isOverlapping('/srv/shop/a', '/srv/shop'));
  assert.ok(isOverlapping('C:\\srv', 'C:\\srv\\shop'));
  assert.ok(!isOverlapping('/srv/shop', '/srv/shop2'));
  assert.ok(isOverlapping('/', '/srv'));
});
