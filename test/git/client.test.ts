import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { output, plainChild, scene } from './support.ts';

suite('git', () => {
  test('that cannot be loaded without descriptors works as soon as there are some', async () => {
    const at = await scene();
    const module = `
      import { closeSync, openSync } from 'node:fs';
      import { runGit } from '${import.meta.resolve('../../src/git/client.ts')}';
      import { repositoryOf } from '${import.meta.resolve('../../src/git/repository.ts')}';
      const place = { ...${JSON.stringify(at.place())}, endMarked: async () => {}, log: () => {} };
      const repository = repositoryOf(place, 'asking', new AbortController().signal);
      const ask = async () => {
        try {
          const { stdout } = await runGit(repository, ['--version'], { nowhere: true });
          return /^git version/.exec(stdout)[0];
        } catch {
          return 'nothing';
        } finally {
          if (process.env.DEBUG !== 'of ours') console.log('DEBUG has gone');
        }
      };
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null')); } catch {}
      console.log(await ask());
      for (const file of taken) closeSync(file);
      console.log(await ask());`;
    const argv = ['sh', '-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, module];
    const { said } = await output(plainChild(at.folder, argv, { DEBUG: 'of ours' }));
    assert.equal(said, 'nothing\ngit version\n');
  });
});
