import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fetchRevision } from '../../src/git/ask.ts';
import { fetch } from '../../src/git/fetch.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { belowTheParser, git, patience, plainly, scene, serveHttp, type Scene } from './support.ts';

/** A repository on this machine that is nobody else's business; answers its path and what stands in it. */
async function privateRepository(at: Scene): Promise<{ path: string; revision: string }> {
  const path = join(at.folder, 'private');
  git(at.folder, 'init', '--quiet', '--initial-branch=main', path);
  await writeFile(join(path, 'secret.txt'), 'hunter2');
  git(path, 'add', '.');
  git(path, 'commit', '--quiet', '-m', 'Private');
  return { path, revision: git(path, 'rev-parse', 'HEAD') };
}

suite('protocols', { concurrency: 3 }, () => {
  for (const prefix of ['', 'file://'])
    test(`a submodule reads nothing of this machine for a remote that is not a path: ${prefix}/…`, async () => {
      const at = await scene();
      const { path, revision } = await privateRepository(at);
      git(at.author, 'update-index', '--add', '--cacheinfo', `160000,${revision},lib`);
      const tip = await at.push({ '.gitmodules': `[submodule "lib"]\n\tpath = lib\n\turl = ${prefix}${path}\n` });
      const forge = await serveHttp({ root: at.folder });
      // git forbids it by itself since 2.38.1; with `protocol.file.allow=always`, as many write it, or
      // GIT_ALLOW_PROTOCOL, as the tests' plain git has it, the remote's author chooses what is read.
      await plainly(at.folder, 'clone', `${forge.url}/remote.git`, 'copy');
      const said = await plainly(join(at.folder, 'copy'), 'submodule', 'update', '--init');
      assert.ok(existsSync(join(at.folder, 'copy/lib/secret.txt')), said);

      const place = at.place({ remotePath: `${forge.url}/remote.git`, submodules: true });
      await openWorkingCopy(place, 'tip', patience);
      const wanted = { branch: 'main', revision: tip, from: null };
      await assert.rejects(fetchRevision(place, wanted, patience), { code: 'not-supported' });
      assert.ok(!existsSync(join(at.local, '.git/modules')));
    });

  test('git itself is told so: no path is fetched from for a remote that is not one', async () => {
    const at = await scene();
    const { path, revision } = await privateRepository(at);
    const refspec = 'refs/heads/main:refs/stolen';
    git(at.folder, 'init', '--quiet', 'copy');
    git(join(at.folder, 'copy'), 'fetch', '--quiet', `file://${path}`, refspec);
    assert.equal(git(join(at.folder, 'copy'), 'rev-parse', 'refs/stolen'), revision);

    // What a config rewrites to, or a bug of the parser.
    const repository = await belowTheParser(at.place({ remotePath: 'https://example.org/x.git' }), `file://${path}`);
    await assert.rejects(fetch(repository, refspec), { code: 'remote-unreachable', reason: /'file' not allowed/ });
    assert.ok(!existsSync(join(at.local, '.git/refs/stolen')));
    const own = await belowTheParser(at.place({ remotePath: path }), `file://${path}`);
    await fetch(own, refspec);
    assert.equal((await readFile(join(at.local, '.git/refs/stolen'), 'utf8')).trim(), revision);
  });

  test('ext:: runs no command, even for a user who allows it, and past the parser', async () => {
    const at = await scene();
    await at.push();
    const owned = join(at.folder, 'owned');
    const address = `ext::touch ${owned}`;
    git(at.folder, 'init', '--quiet', 'copy');
    await plainly(join(at.folder, 'copy'), 'fetch', address);
    assert.ok(existsSync(owned));
    await rm(owned);

    await writeFile(
      join(at.folder, 'home/.gitconfig'),
      '[protocol "ext"]\n\tallow = always\n[protocol]\n\tallow = always\n',
    );
    for (const remotePath of [at.remote, 'https://example.org/x.git']) {
      const repository = await belowTheParser(at.place({ remotePath }), address);
      await assert.rejects(fetch(repository, 'refs/heads/main:refs/stolen'), { reason: /'ext' not allowed/ });
    }
    assert.ok(!existsSync(owned));
  });
});
