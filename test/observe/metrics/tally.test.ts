import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AppState } from '../../../machines/protocol.ts';
import { openTally } from '../../../src/observe/metrics/tally.ts';
import { historyEntry } from '../../control/fake-source.ts';

suite('The tally', () => {
  const ends: readonly (readonly [after: AppState, failures: number, counted: string | null])[] = [
    ['testing', 0, 'changed'],
    ['running', 0, 'unchanged'],
    ['waiting', 0, 'unchanged'],
    ['running', 1, 'failed'],
    ['waiting', 1, 'failed'],
    ['stopping', 0, null],
    ['stopped', 0, null],
    ['pulling', 0, null],
    ['checking', 0, null],
  ];
  for (const [state, failures, counted] of ends) {
    test(`counts a check that ends in ${state}, ${failures} failed, as ${counted ?? 'none'}`, () => {
      const tally = openTally(() => 1500);
      tally.see('shop', { state: 'running', failures: 0 });
      tally.see('shop', { state: 'checking', failures: 0 });
      tally.see('shop', { state: 'checking', failures: 0 });
      tally.see('shop', { state, failures });
      tally.see('shop', { state: 'running', failures });
      const { checks, lastCheck } = tally.counts('shop');
      const expected = { changed: 0, unchanged: 0, failed: 0, ...(counted && { [counted]: 1 }) };
      // Whoever is still checking has ended with the last step.
      if (state === 'checking') expected.unchanged = 1;
      assert.deepEqual(checks, expected);
      assert.equal(lastCheck, counted === null && state !== 'checking' ? null : 1.5);
    });
  }

  test('counts a check that succeeds after failures as one that did', () => {
    const tally = openTally();
    for (const failures of [3, 0]) tally.see('shop', { state: failures ? 'checking' : 'running', failures });
    assert.deepEqual(tally.counts('shop').checks, { changed: 0, unchanged: 1, failed: 0 });
  });

  test('adds up deployments and probes, app by app', () => {
    const tally = openTally();
    tally.deployment('shop', historyEntry({ seconds: 2, downtime: 0.5 }));
    tally.deployment('shop', historyEntry({ result: 'rolled back', seconds: 3, downtime: null }));
    tally.deployment('blog', historyEntry({ result: 'test failed', downtime: null }));
    tally.probe('shop', 0.25, true);
    tally.probe('shop', 0.5, false);
    const { deployments, deploying, downtime, probes, probing } = tally.counts('shop');
    assert.deepEqual(deployments, { deployed: 1, 'test failed': 0, 'script failed': 0, 'rolled back': 1 });
    assert.deepEqual([deploying, downtime, probes, probing], [5, 0.5, { passed: 1, failed: 1 }, 0.75]);
    assert.equal(tally.counts('blog').deployments['test failed'], 1);
  });

  test('forgets who has gone', () => {
    const tally = openTally();
    tally.probe('shop', 1, true);
    tally.probe('blog', 1, true);
    tally.keep(new Set(['blog']));
    assert.equal(tally.counts('shop').probes.passed, 0);
    assert.equal(tally.counts('blog').probes.passed, 1);
  });
});
