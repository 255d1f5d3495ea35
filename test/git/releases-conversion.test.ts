import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fetchRevision } from '../../src/git/ask.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { findDirectory, leaveReleases, prepareRelease, pruneReleases } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { makeRelease, release, traces } from './release-scene.ts';
import { git, patience, scene, tree, type Scene } from './support.ts';

const converted = (keep = 3) => ({ keep, spare: [], isTreeFree: true });

/** A working copy that has been deployed in place. */
async function inPlace(at: Scene, files: Record<string, string>, place = at.place()): Promise<string> {
  const revision = await at.push(files);
  await openWorkingCopy(place, 'tip', patience);
  await fetchRevision(place, { branch: 'main', revision, from: null }, patience);
  await checkOut(place, { revision, branch: 'main' }, patience);
  return revision;
}

/** What a program that runs in a tree could notice: every file with its inode and the times of its last changes. */
function witness(folder: string): string[] {
  const own = /^(?:\.git|releases|shared|current)(?:\/|$)/;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !own.test(path))
    .map((path) => {
      const { ino, mtimeMs, ctimeMs } = lstatSync(join(folder, path));
      return `${path} ${ino} ${lstatSync(join(folder, path)).isDirectory() ? '' : `${mtimeMs} ${ctimeMs}`}`;
    })
    .toSorted();
}

suite('from in place to side by side', { concurrency: 3 }, () => {
  test('the tree stays as it is until no program runs in it; then what git tracks goes, and nothing else', async () => {
    const at = await scene();
    const files = { 'a.txt': 'a', 'b.txt': 'b', 'dir/c.txt': 'c', '.gitignore': 'built\n' };
    const old = await inPlace(at, files);
    await writeFile(join(at.local, 'a.txt'), 'mine');
    await writeFile(join(at.local, 'built'), 'ignored');
    await writeFile(join(at.local, 'dir/new.txt'), 'untracked');
    assert.equal(await findDirectory(at.place(), old), at.local);
    const before = witness(at.local);
    const next = await at.push({ 'a.txt': 'a2', 'dir/new.txt': 'theirs' });

    const { saved, directory } = await release(at.place(), next);
    assert.equal(saved?.files, 1);
    assert.equal(git(at.local, 'show', `${saved?.ref}:a.txt`), 'mine');
    assert.deepEqual(await pruneReleases(at.place(), { ...converted(), isTreeFree: false }, patience), []);
    assert.deepEqual(witness(at.local), before);
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), old);
    assert.equal(await findDirectory(at.place(), old), at.local);

    await pruneReleases(at.place(), converted(), patience);
    assert.deepEqual(readdirSync(at.local).toSorted(), ['.git', 'built', 'current', 'dir', 'releases']);
    assert.deepEqual(await tree(join(at.local, 'dir')), { 'new.txt': 'untracked' });
    assert.equal(await readFile(join(directory, 'dir/new.txt'), 'utf8'), 'theirs');
    assert.equal(git(at.local, 'rev-parse', 'HEAD', 'main'), `${next}\n${next}`);
    assert.equal(git(at.local, 'for-each-ref', 'refs/huddle/saved').split('\n').length, 1);
    assert.equal(await findDirectory(at.place(), old), null);
    git(directory, 'checkout', saved?.ref ?? '', '--', '.');
    assert.equal(await readFile(join(directory, 'a.txt'), 'utf8'), 'mine');
  });

  test('commits made by hand are kept and told of when the first release is made, before anything moves', async () => {
    const at = await scene();
    await inPlace(at, { 'a.txt': 'a' });
    git(at.local, '-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '--quiet', '--allow-empty', '-m', 'mine');
    const mine = git(at.local, 'rev-parse', 'HEAD');
    await writeFile(join(at.local, 'a.txt'), 'mine');
    const { commits, saved } = await makeRelease(at.place(), await at.push({ 'a.txt': 'a2' }));
    assert.deepEqual(
      commits.map(({ folder, ref }) => [folder, git(at.local, 'rev-parse', ref)]),
      [[at.local, mine]],
    );
    assert.equal(git(at.local, 'show', `${saved?.ref}:a.txt`), 'mine');
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), mine);
  });

  test('nothing is cleared as long as no release is in charge', async () => {
    const at = await scene();
    const old = await inPlace(at, { 'a.txt': 'a' });
    await makeRelease(at.place(), await at.push({ 'a.txt': 'a2' }));
    await pruneReleases(at.place(), converted(), patience);
    assert.deepEqual((await tree(at.local))['a.txt'], 'a');
    await pruneReleases(at.place(), converted(0), patience);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a' });
    assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main [behind 1]');
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), old);
  });

  test('what is shared is lent by the old tree, so that it is never away, and stays where it is', async () => {
    const at = await scene();
    const shared = ['data', 'local.json', 'uploads/pictures'];
    await inPlace(at, { 'a.txt': 'a', 'data/x': 'x', 'local.json': '{}' });
    await writeFile(join(at.local, 'data/rows'), 'precious');
    await writeFile(join(at.local, 'local.json'), 'edited');
    await mkdir(join(at.local, 'uploads/pictures'), { recursive: true });
    const before = witness(at.local);
    const { directory, saved } = await release(at.place(), await at.push({ 'a.txt': 'a2' }), shared);
    assert.equal(saved, null);
    assert.deepEqual(witness(at.local), before);
    // By the old program, by the new one: it is one place.
    await writeFile(join(at.local, 'uploads/pictures/old'), 'by the old one');
    await writeFile(join(directory, 'uploads/pictures/new'), 'by the new one');
    await pruneReleases(at.place(), converted(), patience);
    assert.ok(!existsSync(join(at.local, 'a.txt')));
    const next = await release(at.place(), await at.push({ 'a.txt': 'a3' }), shared);
    for (const folder of [directory, next.directory, join(at.local, 'shared'), at.local]) {
      assert.equal(await readFile(join(folder, 'local.json'), 'utf8'), 'edited');
      assert.deepEqual(await tree(join(folder, 'data')), { rows: 'precious', x: 'x' });
      assert.deepEqual(Object.keys(await tree(join(folder, 'uploads/pictures'))), ['new', 'old']);
    }
    assert.equal(git(next.directory, 'status', '--porcelain'), '');
  });

  test('commits that were made here are saved', async () => {
    const at = await scene();
    await inPlace(at, { 'a.txt': 'a' });
    await writeFile(join(at.local, 'a.txt'), 'mine');
    git(at.local, 'commit', '-qam', 'By hand');
    const mine = git(at.local, 'rev-parse', 'HEAD');
    await release(at.place(), await at.push({ 'b.txt': 'b' }));
    await pruneReleases(at.place(), converted(), patience);
    assert.equal(git(at.local, 'for-each-ref', '--format=%(objectname)', 'refs/huddle/saved'), mine);
  });

  test('a revision with something of its own called `current` is refused, and goes on as it is', async () => {
    const at = await scene();
    await inPlace(at, { 'current/a.txt': 'a', 'shared/data/x': 'x' });
    const next = await at.push({ 'b.txt': 'b' });
    await openWorkingCopy(at.place(), 'tip', patience);
    const before = witness(at.local);
    await assert.rejects(prepareRelease(at.place(), { revision: next, branch: 'main', shared: [] }, patience), {
      code: 'path-occupied',
    });
    await rm(join(at.local, 'current'), { recursive: true });
    const wanted = { revision: next, branch: 'main', shared: ['data'] };
    await assert.rejects(prepareRelease(at.place(), wanted, patience), { code: 'path-occupied' });
    git(at.local, 'checkout', 'current');
    assert.deepEqual(witness(at.local).length, before.length);
    assert.deepEqual(await traces(at.local), { releases: [], entries: [], refs: [] });
  });

  test('submodules of the tree go as well, and what was changed in them is saved', async () => {
    const at = await scene();
    await at.push({ 'app.txt': 'app' });
    git(at.folder, 'init', '--quiet', '--bare', '--initial-branch=main', 'lib.git');
    git(at.folder, 'clone', '--quiet', 'lib.git', 'lib');
    await writeFile(join(at.folder, 'lib/lib.txt'), '1');
    git(join(at.folder, 'lib'), 'add', '.');
    git(join(at.folder, 'lib'), 'commit', '--quiet', '-m', 'One');
    git(join(at.folder, 'lib'), 'push', '--quiet', 'origin', 'HEAD:main');
    git(at.author, 'submodule', '--quiet', 'add', '../lib.git', 'lib');
    const place = at.place({ submodules: true });
    await inPlace(at, {}, place);
    await writeFile(join(at.local, 'lib/lib.txt'), 'mine');
    await writeFile(join(at.local, 'lib/extra'), 'mine');
    const { directory } = await release(place, await at.push({ 'app.txt': 'app2' }));
    assert.equal(await readFile(join(at.local, 'lib/lib.txt'), 'utf8'), 'mine');
    await pruneReleases(place, converted(), patience);
    assert.deepEqual(await tree(join(at.local, 'lib')), { extra: 'mine' });
    assert.match(at.logged.join(''), /1 changed file was in the way/);
    assert.equal(git(directory, 'status', '--porcelain'), '');
    const ref = git(
      join(at.local, '.git/modules/lib'),
      '--bare',
      'for-each-ref',
      '--format=%(refname)',
      'refs/huddle/saved',
    );
    assert.equal(git(join(directory, 'lib'), 'show', `${ref}:lib.txt`), 'mine');
    await leaveReleases(place, git(at.remote, 'rev-parse', 'main'), 'main', patience);
    assert.deepEqual(await tree(join(at.local, 'lib')), { extra: 'mine', 'lib.txt': '1' });
  });
});

suite('from side by side to in place', { concurrency: 3 }, () => {
  test('the tree is made equal to the revision, what was shared is in it, and no trace of releases stays', async () => {
    const at = await scene();
    const shared = ['data', 'logs', 'conf/local.json'];
    const revision = await at.push({ 'a.txt': 'a', 'conf/local.json': 'from git' });
    const { directory, name } = await release(at.place(), revision, shared);
    await writeFile(join(directory, 'data/rows'), 'precious');
    await writeFile(join(directory, 'conf/local.json'), 'edited');
    await mkdir(join(at.local, 'data'));
    await writeFile(join(at.local, 'data/stray'), 'of somebody');

    const { saved } = await leaveReleases(at.place(), revision, 'main', patience);
    assert.equal(saved?.files, 1);
    assert.equal(git(at.local, 'show', `${saved?.ref}:conf/local.json`), 'edited');
    assert.equal(await readFile(join(at.local, 'conf/local.json'), 'utf8'), 'from git');
    assert.deepEqual(await tree(join(at.local, 'data')), { rows: 'precious' });
    const aside = /moved to (.*)\n/.exec(at.logged.join(''))?.[1] ?? '';
    assert.equal(await readFile(join(aside, 'stray'), 'utf8'), 'of somebody');
    assert.ok(!existsSync(join(at.local, 'current')));
    // Until the next program has been accepted, the release is whole.
    assert.equal(await readFile(join(directory, 'data/rows'), 'utf8'), 'precious');
    assert.equal(await findDirectory(at.place(), revision), directory);
    // Begun again after a kill, it finds all done.
    assert.deepEqual(await leaveReleases(at.place(), revision, 'main', patience), { saved: null, commits: [] });

    assert.deepEqual(await pruneReleases(at.place(), converted(0), patience), [name]);
    assert.deepEqual(readdirSync(at.local).toSorted(), ['.git', 'a.txt', 'conf', 'data', 'logs']);
    assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main\n?? data/');
    assert.ok(!existsSync(join(at.local, '.git/huddle/shared-paths')));
    assert.deepEqual(await traces(at.local), { releases: [], entries: [], refs: [] });
  });

  test('there and back and there again loses nothing', async () => {
    const at = await scene();
    await inPlace(at, { 'a.txt': '0', '.gitignore': 'data\n' });
    await mkdir(join(at.local, 'data'));
    for (const round of ['1', '2']) {
      await writeFile(join(at.local, 'data', `in-place-${round}`), '');
      const { directory } = await release(at.place(), await at.push({ 'a.txt': `side ${round}` }), ['data']);
      await pruneReleases(at.place(), converted(), patience);
      assert.ok(!existsSync(join(at.local, 'a.txt')));
      await writeFile(join(directory, 'data', `side-${round}`), '');
      const back = await at.push({ 'a.txt': `back ${round}` });
      await fetchRevision(at.place(), { branch: 'main', revision: back, from: null }, patience);
      assert.deepEqual(await leaveReleases(at.place(), back, 'main', patience), { saved: null, commits: [] });
      await pruneReleases(at.place(), converted(0), patience);
      assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main');
      assert.equal(await readFile(join(at.local, 'a.txt'), 'utf8'), `back ${round}`);
    }
    const names = ['in-place-1', 'in-place-2', 'side-1', 'side-2'];
    assert.deepEqual(readdirSync(join(at.local, 'data')).toSorted(), names);
    assert.equal(git(at.local, 'for-each-ref', 'refs/huddle/saved'), '');
  });

  test('a way back that was cut short leads through, and a working copy that never had releases is checked out', async () => {
    const at = await scene();
    const old = await inPlace(at, { 'a.txt': 'a' });
    const next = await at.push({ 'a.txt': 'a2' });
    await makeRelease(at.place(), next, ['data']);
    // Nothing had switched yet.
    assert.deepEqual(await leaveReleases(at.place(), old, 'main', patience), { saved: null, commits: [] });
    await pruneReleases(at.place(), converted(0), patience);
    assert.deepEqual(readdirSync(at.local).toSorted(), ['.git', 'a.txt', 'data']);
    const other = await scene();
    const revision = await inPlace(other, { 'a.txt': 'a' });
    await leaveReleases(other.place(), revision, 'main', patience);
    assert.deepEqual(await pruneReleases(other.place({}, { runAs: ['/nonexistent'] }), converted(0), patience), []);
    assert.equal(await readlink(join(other.local, 'current')).catch(() => 'none'), 'none');
  });
});
