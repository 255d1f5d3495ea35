import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { eventually, plain, scene } from './harness.ts';
import { askInstalled, installed, startInstalled } from './installed.ts';

suite('A Huddle that is replaced on disk while it runs', () => {
  test('answers the new command, loads what it had not loaded yet, and hands its programs over', async (t) => {
    const stage = await scene(t);
    const old = await installed(stage);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    startInstalled(old, stage);
    await stage.historyOf('shop', first, 'deployed');
    const program = stage.livePrograms();

    // What almost everything needs, so that most files of the build have other names.
    const edit = {
      file: 'machines/failure.ts',
      from: 'readonly hint: string;\n',
      to: 'readonly hint: string;\n  edition = 2;\n',
    };
    const command = await installed(stage, edit);
    assert.match((await askInstalled(command, stage, 'status')) ?? '', /shop\s+running/);
    const { code, stderr } = await stage.run('-c', stage.dir, 'rollback', 'shop');
    assert.equal(code, 1);
    assert.doesNotMatch(stderr, /fault of Huddle/);
    assert.ok(await askInstalled(command, stage, 'detach'));
    startInstalled(command, stage);
    const isUp = async () => /shop\s+running/.test((await askInstalled(command, stage, 'status')) ?? '');
    await eventually('the new one has taken over', isUp);
    assert.deepEqual([program.length, stage.livePrograms()], [1, program]);
  });
});
