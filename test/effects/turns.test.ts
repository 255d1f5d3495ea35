import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { turns } from '../../src/effects/turns.ts';

const never = new AbortController().signal;

suite('Whoever waits for a turn', () => {
  test('gives up when the signal aborts', async () => {
    const { take, leave } = await busy();
    const ending = new AbortController();
    const turn = take(() => Promise.resolve('done'), ending.signal);
    ending.abort(new Error('not wanted'));
    await assert.rejects(turn, { message: 'not wanted' });
    leave();
    assert.equal(await take(() => Promise.resolve('next'), never), 'next');
  });

  test('does not begin to where the signal has aborted before, free place or none', async () => {
    const { take, leave } = await busy();
    const work = () => assert.fail('it is not wanted any more');
    const aborted = AbortSignal.abort(new Error('not wanted'));
    await assert.rejects(take(work, aborted), { message: 'not wanted' });
    leave();
    await assert.rejects(take(work, aborted), { message: 'not wanted' });
    assert.equal(await take(() => Promise.resolve('next'), never), 'next');
  });
});

/** One place, which is taken until `leave` is called. */
async function busy() {
  const places = turns(1);
  const take: typeof places.take = (work, signal) => places.take(work, signal);
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const done = take(() => {
    begun.resolve();
    return promise;
  }, never);
  await begun.promise;
  const leave = async () => {
    resolve();
    await done;
  };
  return { take, leave: () => void leave() };
}
