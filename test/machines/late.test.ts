import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import type { AppConfig } from '../../machines/config.ts';
import { appConfig } from './config.ts';
import { play, type Stage } from './stage.ts';

const deployment = { strategy: 'side by side' } as const;
const commands = { kind: 'command', commands: ['check'], timeout: 9 } as const;
const beside = appConfig({ deployment, test: commands });
const failure = new Failure('test-failed', { doing: 'running', subject: 'the test', reason: 'exit code 1' });

interface Kept extends Stage {
  /** The slot of this name waits from now on, until it is released. */
  hold(slot: string): void;
  release(): Promise<void>;
}

/** An app whose first revision, a, was kept though it was refused, and is about to start once more: this time it stays up. */
async function kept(config: AppConfig): Promise<Kept> {
  let starts = 0;
  let held: string | null = null;
  let open = () => {};
  const world = {
    gate: (slot: string) => (slot === held ? new Promise<void>((resolve) => (open = resolve)) : Promise.resolve()),
    fate: () => (starts++ < 2 ? { code: 1, signal: null } : null),
  };
  const stage = await play({ config, world });
  await stage.pass(0.5);
  assert.deepEqual([stage.state(), stage.facts().current, stage.facts().good], ['running', 'a', null]);
  return {
    ...stage,
    hold: (slot) => (held = slot),
    async release() {
      held = null;
      open();
      await stage.settle();
    },
  };
}

const handedOver = ({ world: { deeds } }: Stage) => deeds.filter((deed) => deed.startsWith('handOver'));

suite('a revision that was kept, and settles after all', () => {
  for (const [slot, state, order] of [
    ['ask', 'checking', { type: 'check' }],
    ['test', 'testing', { type: 'deploy', revision: 'b' }],
    ['open', 'cloning', { type: 'config', config: appConfig({ deployment, repository: { depth: 1 } }) }],
  ] as const)
    test(`while the app is ${state} is good at once, and handed over when that is done`, async () => {
      const stage = await kept(beside);
      stage.world.verdict = () => ({ kind: 'failed', failure });
      stage.hold(slot);
      await stage.send(order);
      await stage.pass(9);
      assert.deepEqual([stage.state(), stage.facts().good, handedOver(stage)], [state, 'a', []]);
      await stage.release();
      assert.deepEqual([stage.state(), stage.facts().good, handedOver(stage)], ['running', 'a', ['handOver a']]);
      await stage.pass(9);
      assert.deepEqual(handedOver(stage), ['handOver a'], 'and not once more');
    });

  test('while another one is prepared beside it is handed over when that comes to nothing', async () => {
    const stage = await kept(beside);
    stage.world.pull = () => failure;
    stage.hold('pull');
    await stage.send({ type: 'deploy', revision: 'b' });
    await stage.pass(9);
    assert.deepEqual([stage.state(), stage.facts().good, handedOver(stage)], ['pulling', 'a', []]);
    await stage.release();
    assert.deepEqual([stage.state(), stage.facts().current, handedOver(stage)], ['running', 'a', ['handOver a']]);
  });

  test('while another one is prepared beside it is the way back from that one, and the world is turned once', async () => {
    const stage = await kept(beside);
    stage.hold('pull');
    await stage.send({ type: 'deploy', revision: 'b' });
    await stage.pass(9);
    await stage.release();
    await stage.pass(9);
    assert.deepEqual([stage.state(), stage.facts().good, stage.facts().previous], ['running', 'b', 'a']);
    assert.deepEqual(handedOver(stage), ['handOver b']);
  });

  test('in place without a proxy is good as well while the working copy is opened, and nobody is told', async () => {
    const stage = await kept(appConfig());
    stage.hold('open');
    await stage.send({ type: 'config', config: appConfig({ repository: { depth: 1 } }) });
    await stage.pass(9);
    assert.deepEqual([stage.state(), stage.facts().good], ['cloning', 'a']);
    await stage.release();
    assert.deepEqual([stage.state(), handedOver(stage)], ['running', []]);
  });
});

test('what is restarted during a check is handed over again: it may have another port', async () => {
  const stage = await kept(beside);
  await stage.pass(9);
  assert.deepEqual(handedOver(stage), ['handOver a']);
  stage.hold('ask');
  await stage.send({ type: 'check' });
  await stage.send({ type: 'restart' });
  await stage.pass(3);
  assert.equal(stage.state(), 'checking');
  await stage.release();
  assert.deepEqual([stage.state(), handedOver(stage)], ['running', ['handOver a', 'handOver a']]);
});
