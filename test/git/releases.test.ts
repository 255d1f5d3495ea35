import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import {
  appendFile,
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Failure } from '../../machines/failure.ts';
import { syncWorkingCopy } from '../../src/git/check-out.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { findDirectory, prepareRelease, pruneReleases, takeCurrent } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { release, traces } from './release-scene.ts';
import { git, patience, plainly, scene, serveHttp, tree, type Scene } from './support.ts';

const wanted = (revision: string) => ({ revision, branch: 'main', shared: [] });
const keeping = (keep: number, ...spare: string[]) => ({ keep, spare, isTreeFree: false });

suite('a release', { concurrency: 3 }, () => {
  test('is a worktree of the one store, in which git works, and `current` leads to the one in charge', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a', 'dir/b.txt': 'b' });
    const first = await release(at.place(), one);
    assert.equal(first.directory, join(at.local, 'releases', one.slice(0, 7)));
    assert.equal(first.isFresh, true);
    const two = await at.push({ 'a.txt': 'a2', 'dir/b.txt': null });
    const second = await release(at.place(), two);

    assert.equal(await readlink(join(at.local, 'current')), `releases/${second.name}`);
    assert.deepEqual(await tree(join(at.local, 'current')), { 'a.txt': 'a2' });
    assert.deepEqual(await tree(first.directory), { 'a.txt': 'a', 'dir/b.txt': 'b' });
    for (const [directory, revision] of [
      [first.directory, one],
      [second.directory, two],
    ] as const) {
      assert.equal(git(directory, 'rev-parse', 'HEAD'), revision);
      assert.equal(git(directory, 'status', '--porcelain'), '');
    }
    assert.equal(git(second.directory, 'log', '--format=%H'), `${two}\n${one}`);
    assert.equal(git(at.local, 'rev-parse', 'HEAD', 'main'), `${two}\n${two}`);
    assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
    assert.match(git(at.local, 'worktree', 'list'), /\(bare\)\n.*\n.*detached/);
    assert.ok(!existsSync(join(at.local, '.git/worktrees', first.name, 'objects')));
    assert.match(await plainly(at.local, 'clean', '-fdx'), /must be run in a work tree/);
    git(at.local, 'config', 'extensions.worktreeConfig', 'true');
    assert.equal(git(second.directory, 'status', '--porcelain'), '');
    const opened = await openWorkingCopy(at.place(), 'place', patience);
    assert.equal(opened.head, two);
  });

  test('that is on disk is answered without starting a process, and not touched', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    const { directory } = await release(at.place(), one);
    await writeFile(join(directory, 'a.txt'), 'written by the program');
    await release(at.place(), await at.push({ 'a.txt': 'a2' }));
    const nothingRuns = at.place({}, { runAs: ['/nonexistent'] });
    const again = await prepareRelease(nothingRuns, wanted(one), patience);
    assert.deepEqual(again, { directory, name: one.slice(0, 7), isFresh: false, saved: null, commits: [] });
    assert.equal(await findDirectory(nothingRuns, one), directory);
    assert.equal(await findDirectory(nothingRuns, '0'.repeat(40)), null);
    assert.equal(await readFile(join(directory, 'a.txt'), 'utf8'), 'written by the program');
    await assert.rejects(prepareRelease(nothingRuns, wanted('0'.repeat(40)), patience));
  });

  test('is made anew as long as it is half-made, and cannot be put in charge', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    await openWorkingCopy(at.place(), 'tip', patience);
    const { directory, name } = await prepareRelease(at.place(), wanted(one), patience);
    await writeFile(join(directory, 'a.txt'), 'by a script that failed');
    await writeFile(join(directory, 'built'), 'by a script that failed');
    await assert.rejects(takeCurrent(at.place(), name), { code: 'directory-missing' });
    assert.equal(await findDirectory(at.place(), one), null);
    const again = await prepareRelease(at.place(), wanted(one), patience);
    assert.deepEqual(again, { directory, name, isFresh: true, saved: null, commits: [] });
    assert.deepEqual(await tree(directory), { 'a.txt': 'a' });
  });

  test('that somebody has removed is made anew', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    const { directory, name } = await release(at.place(), one);
    await rm(directory, { recursive: true });
    const again = await release(at.place(), one);
    assert.deepEqual(again, { directory, name, isFresh: true, saved: null, commits: [] });
    await rm(directory, { recursive: true });
    git(at.local, 'worktree', 'remove', '--force', '--force', name);
    assert.deepEqual(await release(at.place(), one), again);
    assert.deepEqual(await traces(at.local), { releases: [name], entries: [name], refs: [name] });
  });

  test('gets a longer name where its short one is taken, and what stands there stays', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    const [short, longer] = [one.slice(0, 7), one.slice(0, 8)];
    const mine = join(at.local, 'releases', short);
    await openWorkingCopy(at.place(), 'tip', patience);
    await mkdir(mine, { recursive: true });
    await writeFile(join(mine, 'a.txt'), 'mine');
    const { name, directory } = await release(at.place(), one);
    assert.equal(name, longer);
    assert.equal(await findDirectory(at.place(), one), directory);
    // Another revision, whose id begins with the same eight digits.
    const entry = join(at.local, '.git/worktrees', name, 'huddle/revision');
    const other = longer + '0'.repeat(32);
    await writeFile(entry, `${other}\n`);
    await writeFile(join(at.local, '.git/refs/huddle/releases', name), `${other}\n`);
    assert.equal((await prepareRelease(at.place(), wanted(one), patience)).name, one.slice(0, 9));
    assert.deepEqual(await tree(mine), { 'a.txt': 'mine' });
  });

  test('leaves nothing behind when it cannot be made', async () => {
    const at = await scene();
    await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    await assert.rejects(prepareRelease(at.place(), wanted('0'.repeat(40)), patience));
    assert.deepEqual(await traces(at.local), { releases: [], entries: [], refs: [] });
  });

  test('that another boot has made ready, with the disk not synced, is not trusted, and not touched either', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    const first = await release(at.place(), one);
    const boot = join(at.local, '.git/worktrees', first.name, 'huddle/boot');
    await writeFile(boot, 'another\n');
    await writeFile(join(first.directory, 'a.txt'), '');
    assert.equal(await findDirectory(at.place(), one), null);
    const second = await release(at.place(), one);
    assert.equal(second.name, one.slice(0, 8));
    assert.deepEqual(await tree(second.directory), { 'a.txt': 'a' });
    assert.deepEqual(await tree(first.directory), { 'a.txt': '' });
    assert.deepEqual(await pruneReleases(at.place(), keeping(3, second.name), patience), [first.name]);
    await syncWorkingCopy(at.place(), patience);
    assert.ok(!existsSync(join(at.local, '.git/worktrees', second.name, 'huddle/boot')));
    assert.equal(await findDirectory(at.place(), one), second.directory);
  });

  test('refuses a place where somebody has a `current` or a file `releases` of their own', async () => {
    const at = await scene();
    const one = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    for (const name of ['current', 'releases']) {
      await writeFile(join(at.local, name), 'mine');
      await assert.rejects(prepareRelease(at.place(), wanted(one), patience), { code: 'path-occupied' });
      assert.equal(await readFile(join(at.local, name), 'utf8'), 'mine');
      await rm(join(at.local, name));
    }
  });

  test('holds the depth', async () => {
    const at = await scene();
    await at.push();
    await at.push();
    const place = at.place({ remotePath: `file://${at.remote}`, depth: 2 });
    const first = await release(place, await at.push());
    const second = await release(place, await at.push());
    for (const { directory } of [first, second]) assert.equal(git(directory, 'status', '--porcelain'), '');
    assert.equal(git(second.directory, 'rev-list', '--count', 'HEAD'), '2');
  });
});

suite('the releases on disk', { concurrency: 3 }, () => {
  test('are pruned by when they were last in charge; half-made ones go, and folders of somebody else stay', async () => {
    const at = await scene();
    const names: string[] = [];
    for (const text of ['1', '2', '3', '4']) names.push((await release(at.place(), await at.push({ a: text }))).name);
    const [one = '', two = '', three = '', four = ''] = names;
    const ages = [40, 10, 30, 20];
    for (const [index, name] of names.entries()) {
      const time = Date.now() / 1000 - (ages[index] ?? 0);
      await utimes(join(at.local, '.git/worktrees', name, 'huddle/revision'), time, time);
    }
    await mkdir(join(at.local, 'releases/mine'));
    await openWorkingCopy(at.place(), 'tip', patience);
    const half = await prepareRelease(at.place(), wanted(await fetched(at, { a: '5' })), patience);
    const gone = await pruneReleases(at.place(), keeping(3, one), patience);
    assert.deepEqual(gone.toSorted(), [half.name, three].toSorted());
    const left = [one, two, four].toSorted();
    assert.deepEqual(await traces(at.local), { releases: [...left, 'mine'].toSorted(), entries: left, refs: left });
    // What is spared stays, however few are to be kept.
    await pruneReleases(at.place(), keeping(1, one, four), patience);
    assert.deepEqual((await traces(at.local)).refs, [one, four].toSorted());
    assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
  });

  test("outlive git's own cleaning, a force-push, and a move of the local path", async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    await release(at.place(), one);
    git(at.author, 'checkout', '--quiet', '--orphan', 'anew');
    const two = await at.push({ 'b.txt': 'b' });
    await release(at.place(), two);
    const half = await fetched(at, { 'c.txt': 'c' });
    await prepareRelease(at.place(), wanted(half), patience);
    git(at.local, 'update-ref', '-d', 'refs/remotes/origin/main');
    git(at.local, 'update-ref', '-d', 'refs/huddle/previous');
    const local = join(at.folder, 'moved');
    await rename(at.local, local);
    git(local, 'reflog', 'expire', '--all', '--expire=now');
    git(local, 'worktree', 'prune', '--expire=now');
    git(local, 'gc', '--quiet', '--prune=now');
    const place = at.place({ localPath: local });
    const found = await prepareRelease(place, wanted(one), patience);
    assert.deepEqual([found.isFresh, found.directory], [false, join(local, 'releases', one.slice(0, 7))]);
    assert.equal(git(found.directory, 'status', '--porcelain'), '');
    assert.equal(git(found.directory, 'show', 'HEAD:a.txt'), 'a');
    assert.ok(git(local, 'worktree', 'list').includes(found.directory));
    assert.equal(git(local, 'cat-file', '-t', half), 'commit');
    await pruneReleases(place, keeping(3, one.slice(0, 7)), patience);
    git(local, 'gc', '--quiet', '--prune=now');
    assert.match(await plainly(local, 'cat-file', '-t', half), /fatal/);
  });

  test('have their entry made again when somebody removes it', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a', 'data/x': 'x' });
    const { directory, name } = await release(at.place(), one, ['data']);
    await rm(join(at.local, '.git/worktrees'), { recursive: true });
    assert.equal((await prepareRelease(at.place(), wanted(one), patience)).isFresh, false);
    assert.equal(git(directory, 'rev-parse', 'HEAD'), one);
    assert.equal(git(directory, 'status', '--porcelain'), '');
    await rm(join(at.local, 'current'));
    await pruneReleases(at.place(), keeping(0), patience);
    assert.deepEqual(await traces(at.local), { releases: [], entries: [], refs: [] });
    assert.ok(!existsSync(join(at.local, 'releases', name)));
  });

  test('leave behind what somebody has changed and committed in them by hand', async () => {
    const at = await scene();
    const files = { 'a.txt': 'a', 'b.txt': 'b', 'conf.json': '{}', 'data/x': 'x' };
    const { directory } = await release(at.place(), await at.push(files), ['data', 'conf.json']);
    const untouched = await release(at.place(), await at.push({ 'a.txt': 'a2' }), ['data', 'conf.json']);
    await writeFile(join(directory, 'a.txt'), 'committed');
    git(directory, '-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '--quiet', '-am', 'By hand');
    const mine = git(directory, 'rev-parse', 'HEAD');
    await writeFile(join(directory, 'b.txt'), 'edited');
    await writeFile(join(directory, 'conf.json'), 'shared');
    await rm(join(at.local, 'current'));
    await pruneReleases(at.place(), keeping(0), patience);
    assert.deepEqual([existsSync(directory), existsSync(untouched.directory)], [false, false]);
    const saved = git(at.local, 'for-each-ref', '--format=%(refname)', 'refs/huddle/saved').split('\n').filter(Boolean);
    assert.equal(saved.length, 2);
    assert.ok(saved.some((ref) => git(at.local, 'rev-parse', ref) === mine));
    const [changes = ''] = saved.filter((ref) => git(at.local, 'rev-parse', ref) !== mine);
    assert.equal(git(at.local, 'ls-tree', '-r', '--name-only', changes), 'b.txt');
    assert.equal(git(at.local, 'show', `${changes}:b.txt`), 'edited');
    assert.match(at.logged.join(''), /current checkout refs\/huddle\/saved/);
  });

  test('go with what their programs wrote, read-only folders too, and nothing behind a link', async () => {
    const at = await scene();
    const { directory } = await release(at.place(), await at.push({ 'data/x': 'x' }), ['data']);
    await mkdir(join(directory, 'cache/deep'), { recursive: true });
    await writeFile(join(directory, 'cache/deep/file'), '');
    await chmod(join(directory, 'cache/deep'), 0o500);
    const precious = join(at.folder, 'precious');
    await mkdir(precious);
    await writeFile(join(precious, 'file'), 'precious');
    await symlink(precious, join(directory, 'link'));
    await rm(join(at.local, 'current'));
    await pruneReleases(at.place(), keeping(0), patience);
    assert.ok(!existsSync(directory));
    assert.equal(await readFile(join(precious, 'file'), 'utf8'), 'precious');
    assert.equal(await readFile(join(at.local, 'shared/data/x'), 'utf8'), 'x');
  });
});

/** A new revision, here but not in charge. */
async function fetched(at: Scene, files: Record<string, string>): Promise<string> {
  const revision = await at.push(files);
  await openWorkingCopy(at.place(), 'tip', patience);
  return revision;
}

suite('a store', { concurrency: 2 }, () => {
  test('that is damaged beyond repair is cloned anew, and its releases are still there', async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a', 'data/x': 'x' });
    const first = await release(at.place(), one, ['data']);
    const two = await at.push({ 'a.txt': 'a2' });
    const second = await release(at.place(), two, ['data']);
    git(at.local, 'gc', '--quiet');
    const packs = join(at.local, '.git/objects/pack');
    const pack = join(packs, readdirSync(packs).find((name) => name.endsWith('.pack')) ?? '');
    const bytes = await readFile(pack);
    await rm(pack);
    await writeFile(pack, bytes.fill(0, 20, bytes.length - 20));
    const three = await at.push({ 'a.txt': 'a3' });
    await openWorkingCopy(at.place(), 'tip', patience);
    assert.match(at.logged.join(''), /kept as \.git\.broken-/);
    for (const { directory, name } of [first, second]) {
      const found = await prepareRelease(at.place(), wanted(name === first.name ? one : two), patience);
      assert.deepEqual([found.isFresh, found.directory], [false, directory]);
      assert.equal(git(directory, 'status', '--porcelain'), '');
    }
    const third = await release(at.place(), three, ['data']);
    assert.deepEqual((await pruneReleases(at.place(), keeping(1, third.name), patience)).length, 2);
    assert.deepEqual(await tree(join(at.local, 'shared')), { 'data/x': 'x' });
    assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
  });

  test('with no room for a release says so before one is begun', async (t) => {
    const at = await scene();
    const small = join(at.folder, 'small');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      t.skip('mounting needs more rights');
      return;
    }
    try {
      const revision = await at.push({ big: 'x'.repeat(2_000_000) });
      const place = at.place({ localPath: join(small, 'app') });
      await openWorkingCopy(place, 'tip', patience);
      await assert.rejects(prepareRelease(place, wanted(revision), patience), { code: 'disk-full' });
      assert.deepEqual(await traces(join(small, 'app')), { releases: [], entries: [], refs: [] });
      assert.doesNotMatch(at.logged.join(''), /read-tree/);
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});

suite('submodules in releases', { concurrency: 2 }, () => {
  test('are worktrees of one repository each, at every depth, and leave nothing when the release goes', async () => {
    const { at, place, bump } = await nested();
    const first = await release(place, git(at.remote, 'rev-parse', 'main'));
    const second = await release(place, await bump('2'));
    assert.deepEqual(
      [first, second].map(({ directory }) => git(directory, 'status', '--porcelain')),
      ['', ''],
    );
    assert.equal((await tree(first.directory))['lib/lib.txt'], '1');
    assert.equal((await tree(second.directory))['lib/lib.txt'], '2');
    assert.equal((await tree(second.directory))['lib/deep/deep.txt'], '1');
    assert.ok(!existsSync(join(at.local, '.git/worktrees', second.name, 'modules')));
    git(join(second.directory, 'lib'), 'gc', '--quiet', '--prune=now');
    git(join(first.directory, 'lib'), 'fsck', '--no-dangling');
    assert.equal(git(join(first.directory, 'lib'), 'status', '--porcelain'), '');
    assert.deepEqual(await pruneReleases(place, keeping(1, second.name), patience), [first.name]);
    const inner = [`lib/modules/deep/worktrees/${second.name}`, `lib/worktrees/${second.name}`];
    assert.deepEqual((await traces(at.local)).entries, [second.name, ...inner]);
    assert.deepEqual(await pruneReleases(place, keeping(0), patience), []);
    await rm(join(at.local, 'current'));
    await pruneReleases(place, keeping(0), patience);
    assert.deepEqual((await traces(at.local)).entries, []);
  });

  test('are found by git after a move of the local path', async () => {
    const { at, place } = await nested();
    const revision = git(at.remote, 'rev-parse', 'main');
    await release(place, revision);
    const local = join(at.folder, 'moved');
    await rename(at.local, local);
    const moved = at.place({ submodules: true, localPath: local });
    const { directory } = await prepareRelease(moved, wanted(revision), patience);
    assert.equal(git(directory, 'status', '--porcelain'), '');
    for (const path of ['lib', 'lib/deep']) {
      const entry = git(join(directory, path), 'rev-parse', '--absolute-git-dir');
      assert.equal(await readFile(join(entry, 'gitdir'), 'utf8'), `${join(directory, path)}/.git\n`);
    }
  });
});

/** An app with a submodule `lib` that has a submodule `deep` itself. */
async function nested(): Promise<{ at: Scene; place: GitPlace; bump: (text: string) => Promise<string> }> {
  const at = await scene();
  await at.push({ 'app.txt': 'app' });
  for (const name of ['lib', 'deep']) {
    git(at.folder, 'init', '--quiet', '--bare', '--initial-branch=main', join(at.folder, `${name}.git`));
    git(at.folder, 'clone', '--quiet', join(at.folder, `${name}.git`), join(at.folder, name));
    await writeFile(join(at.folder, name, `${name}.txt`), '1');
    git(join(at.folder, name), 'add', '.');
    git(join(at.folder, name), 'commit', '--quiet', '-m', 'One');
    git(join(at.folder, name), 'push', '--quiet', 'origin', 'HEAD:main');
  }
  const library = join(at.folder, 'lib');
  git(library, 'submodule', '--quiet', 'add', '../deep.git', 'deep');
  git(library, 'commit', '--quiet', '-am', 'Deep');
  git(library, 'push', '--quiet', 'origin', 'HEAD:main');
  git(at.author, 'submodule', '--quiet', 'add', '../lib.git', 'lib');
  await at.push({});
  const bump = async (text: string): Promise<string> => {
    await writeFile(join(library, 'lib.txt'), text);
    git(library, 'commit', '--quiet', '-am', text);
    git(library, 'push', '--quiet', 'origin', 'HEAD:main');
    git(join(at.author, 'lib'), 'fetch', '--quiet');
    git(join(at.author, 'lib'), 'checkout', '--quiet', 'origin/main');
    git(at.author, 'add', 'lib');
    return at.push({});
  };
  return { at, place: at.place({ submodules: true }), bump };
}

suite('releases are hardened', { concurrency: 2 }, () => {
  test("the store's config, hooks and attributes run nothing, where plain git falls for them", async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a', '.gitattributes': '*.txt filter=evil\n' });
    await openWorkingCopy(at.place(), 'tip', patience);
    const [owned, own, hooks] = ['owned', 'own', 'hooks'].map((name) => join(at.folder, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(hooks);
    for (const file of [own, join(hooks, 'post-checkout')]) {
      await writeFile(file, `#!/bin/sh\necho "$0" >> ${owned}\ncat\n`);
      await chmod(file, 0o755);
    }
    await appendFile(
      join(at.local, '.git/config'),
      `[core]\nhooksPath = ${hooks}\nfsmonitor = ${own}\n[filter "evil"]\nsmudge = ${own}\n`,
    );
    git(at.local, 'worktree', 'add', '--quiet', '--detach', join(at.folder, 'plain'), one);
    const traced = await readFile(owned, 'utf8');
    assert.ok(traced.includes(own) && traced.includes('post-checkout'));
    await rm(owned);
    await release(at.place(), one, ['a.txt']);
    await release(at.place(), await at.push({ 'a.txt': 'a2' }), ['a.txt']);
    await pruneReleases(at.place(), keeping(1), patience);
    assert.ok(!existsSync(owned));
  });

  test(
    "all of them is the app's user's, and a link that the user has laid leads Huddle nowhere",
    { skip: process.getuid?.() !== 0 },
    async () => {
      const uid = 65534;
      const at = await scene();
      const one = await at.push({ 'a.txt': 'a', 'data/x': 'x' });
      await chmod(at.folder, 0o755);
      for (const folder of [at.local, join(at.folder, 'precious')]) await mkdir(folder);
      for (const name of ['local', 'home']) await chown(join(at.folder, name), uid, uid);
      await chmod(join(at.folder, 'precious'), 0o700);
      const { url } = await serveHttp({ root: at.folder });
      const runAs = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];
      const place = at.place({ remotePath: `${url}/remote.git` }, { runAs });
      const shared = ['data', 'logs/app'];
      await release(place, one, shared);
      const two = await at.push({ 'a.txt': 'a2' });
      await release(place, two, shared);
      await pruneReleases(place, keeping(1, two.slice(0, 7)), patience);
      for (const entry of readdirSync(at.local, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        assert.equal((await lstat(path)).uid, uid, path);
      }
      const precious = join(at.folder, 'precious');
      await rename(join(at.local, 'releases'), join(at.local, 'away'));
      await symlink(precious, join(at.local, 'releases'));
      const three = await at.push({ 'a.txt': 'a3' });
      await assert.rejects(release(place, three, shared), (error: Failure) => error.code === 'path-occupied');
      assert.deepEqual(readdirSync(precious), []);
    },
  );
});
