import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { forks, isKept } from '../../src/platform/pid-order.ts';

suite('The order of pids', () => {
  test('holds for a process that was started just now, and counts those that came after it', () => {
    const before = forks();
    const { pid } = spawnSync('true');
    assert.ok(forks() > before);
    const last = Number(spawnSync('sh', ['-c', 'echo $$']).stdout);
    // On a busy host the order may begin again at this very moment.
    assert.equal(isKept(pid, before), last > pid);
  });

  test('is doubted when the last pid that was given out is lower: it has begun again', () => {
    assert.equal(isKept(2 ** 30, forks()), false);
  });

  test('is doubted when so many have been given out since that it may have come once around', () => {
    assert.equal(isKept(1, forks()), true);
    assert.equal(isKept(1, forks() - 2 ** 22), false);
  });

  test('is doubted when the moment is unknown', () => {
    assert.equal(isKept(1, Number.NaN), false);
  });
});
