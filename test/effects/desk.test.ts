import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { openDesk } from '../../src/effects/desk.ts';
import { turns } from '../../src/effects/turns.ts';
import { statePaths } from '../../src/ledger/paths.ts';

suite('A look aside at the desk of an app', () => {
  test('is taken when the effect before has ended', async (t) => {
    const desk = deskIn(t);
    const before = Promise.withResolvers<void>();
    const deeds: string[] = [];
    const effect = desk.alone(never, () => before.promise.then(() => void deeds.push('effect')));
    const look = desk.aside(() => Promise.resolve(void deeds.push('look')));
    before.resolve();
    await Promise.all([effect, look]);
    assert.deepEqual(deeds, ['effect', 'look']);
  });

  test('makes way for an effect, however long it would have taken', async (t) => {
    const desk = deskIn(t);
    const look = desk.aside(hanging);
    const refused = assert.rejects(look, { code: 'not-accepted', reason: /something to do meanwhile/ });
    assert.equal(await desk.alone(never, () => Promise.resolve('done')), 'done');
    await refused;
  });

  test('makes way for an effect that comes before it has begun', async (t) => {
    const desk = deskIn(t);
    const first = Promise.withResolvers<void>();
    const effect = desk.alone(never, () => first.promise);
    let isTaken = false;
    const look = desk.aside(() => Promise.resolve((isTaken = true)));
    const refused = assert.rejects(look, { code: 'not-accepted' });
    const second = desk.alone(never, () => Promise.resolve());
    first.resolve();
    await Promise.all([effect, second, refused]);
    assert.equal(isTaken, false);
  });

  test('holds up no end', async (t) => {
    const desk = deskIn(t);
    const refused = assert.rejects(desk.aside(hanging), { code: 'not-accepted' });
    await desk.idle();
    await refused;
  });
});

const never = new AbortController().signal;

/** Ends only when it is to make way, as a git that hangs does. */
function hanging(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

function deskIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-desk-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths = statePaths(folder, undefined);
  mkdirSync(paths.root);
  return openDesk('shop', { paths, remains: [], warn: () => {}, network: turns(1), local: turns(1) });
}
