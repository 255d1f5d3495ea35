import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { appConfig } from './config.ts';
import { play } from './stage.ts';

const missing = new Failure('branch-missing', { doing: 'fetching', subject: 'it', reason: 'it has no branch nope' });

suite('A changed repository', () => {
  test('that cannot be opened is opened again at each check, and never asked about its old branch', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    await stage.pass(5);
    stage.world.tip = missing;
    const begun = stage.world.deeds.length;
    await stage.send({ type: 'config', config: appConfig({ repository: { branch: 'nope' } }) });
    await stage.pass(300);
    const deeds = stage.world.deeds.slice(begun);
    assert.ok(deeds.length > 1, 'it is tried again');
    assert.deepEqual([...new Set(deeds)], ['open']);
    assert.equal(stage.app.getSnapshot().context.trouble?.code, 'branch-missing');
    stage.world.tip = 'b';
    await stage.pass(1000);
    assert.equal(stage.facts().good, 'b');
  });

  test('leaves the program where it runs until the new place is ready', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    await stage.pass(5);
    stage.world.tip = missing;
    await stage.send({ type: 'config', config: appConfig({ repository: { localPath: '/srv/other' } }) });
    const program = stage.app.getSnapshot().children['blue'];
    const { config } = (
      program as never as { getSnapshot(): { context: { config: ReturnType<typeof appConfig> } } }
    ).getSnapshot().context;
    assert.equal(config.repository.localPath, '/srv/shop');
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
  });
});
