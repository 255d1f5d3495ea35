import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Scene } from '../harness.ts';
import { fuzz } from './fuzz.ts';
import { template } from './world.ts';

// A few kills with seeds that are always the same; `fuzz.ts` makes as many as one has time for.

suite('A Huddle that is killed at any moment', { concurrency: 2 }, () => {
  let base: Scene;
  const cleanings: (() => unknown)[] = [];
  before(async () => {
    base = await template({ after: (clean) => void cleanings.push(clean as () => unknown) });
  });
  after(async () => {
    for (const clean of cleanings) await clean();
  });

  for (const seed of [1]) {
    test(`of a stream of pushes leaves nothing wrong in the end (seed ${seed})`, async (t) => {
      const told: string[] = [];
      const wrong = await fuzz(t, base, { seed, kills: 6, tell: (line) => told.push(line) });
      assert.deepEqual(wrong, [], told.join('\n'));
    });
  }
});
