import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { treeToIndex } from '../../src/git/compare.ts';
import { fetch, findDefaultBranch } from '../../src/git/fetch.ts';
import { verify } from '../../src/git/repair.ts';
import { repositoryOf } from '../../src/git/repository.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, plainly, scene, type Scene } from './support.ts';

/** A working copy with a commit in place, and the options that do harm where a name is expected. */
async function opened(): Promise<{ at: Scene; revision: string; owned: string; upload: string; output: string }> {
  const at = await scene();
  const revision = await at.push({ 'a.txt': 'a' });
  await openWorkingCopy(at.place(), 'tip', patience);
  await checkOut(at.place(), { revision, branch: 'main' }, patience);
  const owned = join(at.folder, 'owned');
  return { at, revision, owned, upload: `--upload-pack=touch ${owned};:`, output: `--output=${owned}` };
}

/** Whether the file is there; it goes. */
async function taken(file: string): Promise<boolean> {
  const found = existsSync(file);
  await rm(file, { force: true });
  return found;
}

suite('a name that begins with a dash', { concurrency: 3 }, () => {
  test('is refused as a branch and as a remote, before git sees it', async () => {
    const { at, revision, owned, upload, output } = await opened();
    await plainly(at.local, 'fetch', 'origin', upload);
    assert.ok(await taken(owned));
    await plainly(at.local, 'log', output);
    assert.ok(await taken(owned));
    for (const name of [upload, output, '-x', '--all']) {
      const refused = { code: 'config-invalid' };
      await assert.rejects(openWorkingCopy(at.place({ branch: name }), 'tip', patience), refused, name);
      await assert.rejects(openWorkingCopy(at.place({ remote: name }), 'tip', patience), refused, name);
      await assert.rejects(askRemote(at.place(), name, patience), refused, name);
      await assert.rejects(checkOut(at.place(), { revision, branch: name }, patience), refused, name);
      const wanted = { branch: 'main', revision: name, from: null };
      await assert.rejects(fetchRevision(at.place(), wanted, patience), { code: 'branch-missing' }, name);
      await assert.rejects(fetchRevision(at.place(), { ...wanted, revision, branch: name }, patience), refused, name);
    }
    assert.ok(!existsSync(owned));
  });

  // A remote can have such a ref: `git branch` refuses its name, `git update-ref` and the protocol do not.
  test('is refused as the branch that a remote names as its default', async () => {
    const { at, owned } = await opened();
    git(at.remote, 'update-ref', 'refs/heads/--upload-pack=x', 'main');
    git(at.remote, 'symbolic-ref', 'HEAD', 'refs/heads/--upload-pack=x');
    assert.match(await plainly(at.folder, 'ls-remote', '--symref', at.remote, 'HEAD'), /refs\/heads\/--upload-pack=x/);
    const place = at.place({ branch: null, localPath: join(at.folder, 'another') });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'config-invalid' });
    assert.ok(!existsSync(owned));
  });

  // What follows passes by the checks of names, to where git is told that no option comes any more. simple-git refuses
  // some options by name, `--upload-pack` for one: what is tried here are others.
  test('is no option of git fetch', async () => {
    const { at } = await opened();
    const stale = 'refs/remotes/origin/stale';
    git(at.local, 'update-ref', stale, 'HEAD');
    await plainly(at.local, 'fetch', 'origin', '--prune');
    assert.throws(() => git(at.local, 'rev-parse', '--verify', stale));
    git(at.local, 'update-ref', stale, 'HEAD');
    await assert.rejects(fetch(repositoryOf(at.place(), 'fetching', patience), '--prune'));
    assert.ok(git(at.local, 'rev-parse', '--verify', stale));
  });

  test('is no option of git ls-remote', async () => {
    const { at, owned } = await opened();
    const remote = `--exec=touch ${owned};:`;
    await plainly(at.local, 'ls-remote', '--symref', remote, 'origin');
    assert.ok(await taken(owned));
    const repository = repositoryOf(at.place({ remote }), 'cloning', patience);
    await assert.rejects(findDefaultBranch(repository));
    assert.ok(!existsSync(owned));
  });

  test('is no option of git diff', async () => {
    const { at, owned, output } = await opened();
    await plainly(at.local, 'diff', '--cached', output);
    assert.ok(await taken(owned));
    await assert.rejects(treeToIndex(repositoryOf(at.place(), 'checking out', patience), output));
    assert.ok(!existsSync(owned));
  });

  test('is no option of git rev-list, which would take it for a whole commit', async () => {
    const { at } = await opened();
    assert.equal(await plainly(at.local, 'rev-list', '--objects', '--no-walk', '--quiet', '--all'), '');
    await assert.rejects(verify(repositoryOf(at.place(), 'fetching', patience), '--all'));
  });
});
