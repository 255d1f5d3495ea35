import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, scene, tree, type Scene } from './support.ts';

async function deployed(at: Scene, files: Record<string, string>): Promise<string> {
  const revision = await at.push(files);
  await openWorkingCopy(at.place(), 'tip', patience);
  await checkOut(at.place(), { revision, branch: 'main' }, patience);
  return revision;
}

/** Opening fails with this code and changes nothing in the local path. */
async function refused(at: Scene, reason: RegExp): Promise<void> {
  const before = await readdir(at.local, { recursive: true });
  await assert.rejects(openWorkingCopy(at.place(), 'tip', patience), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'path-occupied');
    assert.match(error.reason, reason);
    return true;
  });
  assert.deepEqual(await readdir(at.local, { recursive: true }), before);
}

suite('opening a working copy', { concurrency: 3 }, () => {
  test('clones into a folder that is missing or empty, and leaves the tree for later', async () => {
    for (const made of [false, true]) {
      const at = await scene();
      const revision = await at.push();
      if (made) await mkdir(at.local);
      const opened = await openWorkingCopy(at.place(), 'place', patience);
      assert.deepEqual(opened, { head: null, branch: 'main', tip: revision });
      assert.deepEqual(await readdir(at.local), ['.git']);
    }
  });

  test('opens what is there without a network, and fetches when the tip is wanted', async () => {
    const at = await scene();
    const first = await deployed(at, { 'a.txt': 'a' });
    const second = await at.push();
    assert.deepEqual(await openWorkingCopy(at.place(), 'tip', patience), { head: first, branch: 'main', tip: second });
    await rename(at.remote, `${at.remote}.away`);
    assert.deepEqual(await openWorkingCopy(at.place(), 'place', patience), { head: first, branch: 'main', tip: null });
    await assert.rejects(openWorkingCopy(at.place(), 'tip', patience), { code: 'remote-unreachable' });
    await rename(`${at.remote}.away`, at.remote);
    assert.equal((await openWorkingCopy(at.place(), 'tip', patience)).tip, second);
  });

  test("finds the remote's default branch, and finds it again when it vanishes", async () => {
    const at = await scene();
    const first = await at.push({ 'a.txt': 'a' }, { branch: 'trunk' });
    git(at.remote, 'symbolic-ref', 'HEAD', 'refs/heads/trunk');
    const place = at.place({ branch: null });
    assert.deepEqual(await openWorkingCopy(place, 'tip', patience), { head: null, branch: 'trunk', tip: first });
    assert.equal((await openWorkingCopy(place, 'place', patience)).branch, 'trunk');
    git(at.remote, 'branch', '-m', 'trunk', 'next');
    assert.deepEqual(await askRemote(place, 'trunk', patience), { tip: first, branch: 'next' });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).branch, 'next');
  });

  test('says that a remote is empty, and takes its first commit', async () => {
    const at = await scene();
    for (const branch of ['main', null])
      await assert.rejects(openWorkingCopy(at.place({ branch }), 'tip', patience), { code: 'remote-empty' });
    const revision = await deployed(at, { 'a.txt': 'a' });
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), revision);
  });

  test('names near branches when the branch is missing', async () => {
    const at = await scene();
    for (const branch of ['main', 'master-plan', 'release', 'zzz']) await at.push({}, { branch });
    const place = at.place({ branch: 'mian' });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), (error: Failure) => {
      assert.equal(error.code, 'branch-missing');
      assert.match(error.hint, /: main,/);
      return true;
    });
  });

  test('refuses a folder with something else in it, untouched', async () => {
    const at = await scene();
    await at.push();
    await mkdir(at.local);
    await writeFile(join(at.local, 'photo.jpg'), 'precious');
    await refused(at, /not empty/);
  });

  test('refuses a file in its place', async () => {
    const at = await scene();
    await at.push();
    await writeFile(at.local, 'precious');
    await assert.rejects(openWorkingCopy(at.place(), 'tip', patience), { code: 'path-occupied' });
    assert.equal(await readFile(at.local, 'utf8'), 'precious');
  });

  test('refuses a working copy of another remote, and takes one of its own', async () => {
    const at = await scene();
    await at.push();
    git(at.folder, 'init', '--quiet', at.local);
    await refused(at, /of no remote/);
    git(at.local, 'remote', 'add', 'origin', 'https://user:secret@example.org/other.git');
    await refused(at, /of https:\/\/\*\*\*@example\.org\/other\.git, not/);
    git(at.local, 'remote', 'set-url', 'origin', `${at.remote}/`);
    assert.equal((await openWorkingCopy(at.place(), 'tip', patience)).branch, 'main');
  });

  test('follows another remote when Huddle has cloned the working copy', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    const other = join(at.folder, 'other.git');
    git(at.folder, 'init', '--quiet', '--bare', '--initial-branch=main', other);
    git(at.author, 'remote', 'set-url', 'origin', other);
    git(at.author, 'checkout', '--quiet', '--orphan', 'other');
    git(at.author, 'rm', '-rqf', '.');
    const revision = await at.push({ 'b.txt': 'b' });
    git(at.author, 'push', '--quiet', 'origin', 'HEAD:main');
    const place = at.place({ remotePath: other });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
    assert.equal((await checkOut(place, { revision, branch: 'main' }, patience)).saved, null);
    assert.deepEqual(await tree(at.local), { 'b.txt': 'b' });
    assert.equal(git(at.local, 'remote', 'get-url', 'origin'), other);
  });

  test('never mistakes a parent repository for its own', async () => {
    const at = await scene();
    const revision = await at.push({ 'a.txt': 'a' });
    const parent = join(at.folder, 'parent');
    const mine = join(parent, 'mine.txt');
    git(at.folder, 'init', '--quiet', parent);
    await writeFile(mine, 'mine');
    git(parent, 'add', '.');
    git(parent, 'commit', '--quiet', '-m', 'Mine');
    const before = git(parent, 'for-each-ref');
    const local = join(parent, 'deep/app');
    await mkdir(local, { recursive: true });
    const assertPlainGitTakesIt = async (): Promise<void> => {
      await writeFile(mine, 'edited');
      git(local, 'reset', '--quiet', '--hard');
      assert.equal(await readFile(mine, 'utf8'), 'mine');
      await writeFile(mine, 'edited');
    };
    const place = at.place({ localPath: local });
    const deploy = async (): Promise<void> => {
      await openWorkingCopy(place, 'tip', patience);
      await checkOut(place, { revision, branch: 'main' }, patience);
      assert.equal(git(local, 'rev-parse', '--show-toplevel'), local);
      assert.equal(await readFile(mine, 'utf8'), 'edited');
      assert.equal(git(parent, 'for-each-ref'), before);
    };
    await assertPlainGitTakesIt();
    process.env['GIT_DIR'] = join(parent, '.git');
    try {
      await deploy();
    } finally {
      delete process.env['GIT_DIR'];
    }
    // Nor when its own is damaged, which git takes for none.
    await rm(join(local, '.git/HEAD'));
    await assertPlainGitTakesIt();
    await deploy();
    await rm(join(local, '.git'), { recursive: true });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'path-occupied' });
  });

  test('refuses worktrees, submodules, bare repositories and linked git directories', async () => {
    const at = await scene();
    await at.push();
    const main = join(at.folder, 'main');
    git(at.folder, 'clone', '--quiet', at.remote, main);
    git(main, 'worktree', 'add', '--quiet', '--detach', at.local);
    await refused(at, /part of another repository/);
    git(main, 'worktree', 'remove', '--force', at.local);
    await mkdir(at.local);
    await symlink(join(main, '.git'), join(at.local, '.git'));
    await refused(at, /part of another repository/);
    await rm(at.local, { recursive: true });
    git(at.folder, 'clone', '--quiet', '--bare', at.remote, at.local);
    await refused(at, /bare repository/);
  });

  test('begins a clone anew that was cut short', async () => {
    const at = await scene();
    const revision = await at.push();
    await mkdir(join(at.local, '.git.huddle-clone/objects'), { recursive: true });
    await writeFile(join(at.local, '.git.huddle-clone/HEAD'), '');
    assert.equal((await openWorkingCopy(at.place(), 'tip', patience)).tip, revision);
    assert.deepEqual(await readdir(at.local), ['.git']);
  });

  test('removes the leftovers of a Huddle that was killed', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await mkdir(join(at.local, '.git/huddle/candidates/left'), { recursive: true });
    await writeFile(join(at.local, '.git/index.lock'), '');
    assert.throws(() => git(at.local, 'reset', '--quiet', '--hard'), /index\.lock': File exists/);
    await openWorkingCopy(at.place(), 'place', patience);
    assert.deepEqual(await readdir(join(at.local, '.git/huddle/candidates')), []);
    assert.ok(!existsSync(join(at.local, '.git/index.lock')));
  });

  test('keeps depth, also when it is edited', async () => {
    const at = await scene();
    for (const text of ['1', '2', '3', '4', '5']) await at.push({ 'a.txt': text });
    const url = `file://${at.remote}`;
    const count = (): number => Number(git(at.local, 'rev-list', '--count', 'origin/main'));
    await openWorkingCopy(at.place({ remotePath: url, depth: 2 }), 'tip', patience);
    assert.equal(count(), 2);
    const tip = await at.push({ 'a.txt': '6' });
    await askRemote(at.place({ remotePath: url, depth: 2 }), 'main', patience);
    const place = at.place({ remotePath: url, depth: 2 });
    await fetchRevision(place, { branch: 'main', revision: tip, from: null }, patience);
    await checkOut(place, { revision: tip, branch: 'main' }, patience);
    assert.equal(count(), 2);
    await askRemote(at.place({ remotePath: url, depth: 4 }), 'main', patience);
    assert.equal(count(), 4);
    await askRemote(at.place({ remotePath: url, depth: 1 }), 'main', patience);
    assert.equal(count(), 1);
    await askRemote(at.place({ remotePath: url }), 'main', patience);
    assert.equal(count(), 6);
    assert.equal(git(at.local, 'rev-parse', '--is-shallow-repository'), 'false');
    assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
  });
});

suite('a damaged repository', { concurrency: 3 }, () => {
  const damages: Record<string, (at: Scene) => Promise<unknown>> = {
    'empty objects, as after a power cut': async (at) => {
      const objects = (await readdir(join(at.local, '.git/objects'), { recursive: true })).filter((name) =>
        /^[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name),
      );
      for (const name of objects) {
        await rm(join(at.local, '.git/objects', name));
        await writeFile(join(at.local, '.git/objects', name), '');
      }
      assert.ok(objects.length > 0);
    },
    'a missing file of the revision': (at) => {
      const blob = git(at.local, 'rev-parse', 'HEAD:a.txt');
      return rm(join(at.local, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    },
    'a missing tree': (at) => {
      const oid = git(at.local, 'rev-parse', 'HEAD^{tree}');
      return rm(join(at.local, '.git/objects', oid.slice(0, 2), oid.slice(2)));
    },
    'a garbled object': async (at) => {
      const oid = git(at.local, 'rev-parse', 'HEAD');
      const file = join(at.local, '.git/objects', oid.slice(0, 2), oid.slice(2));
      await rm(file);
      await writeFile(file, 'garbage');
    },
    'an empty HEAD': (at) => writeFile(join(at.local, '.git/HEAD'), ''),
    'a missing HEAD': (at) => rm(join(at.local, '.git/HEAD')),
    'empty refs': async (at) => {
      for (const ref of ['refs/heads/main', 'refs/remotes/origin/main', 'refs/huddle/deployed'])
        await writeFile(join(at.local, '.git', ref), '');
    },
    'a garbled ref': (at) => writeFile(join(at.local, '.git/refs/remotes/origin/main'), 'garbage\n'),
    'an empty index': (at) => writeFile(join(at.local, '.git/index'), ''),
    'an empty config': (at) => writeFile(join(at.local, '.git/config'), ''),
    'a garbled config': (at) => writeFile(join(at.local, '.git/config'), '[core\n'),
    'no objects at all': (at) => rm(join(at.local, '.git/objects'), { recursive: true }),
  };
  for (const [what, damage] of Object.entries(damages))
    test(`is repaired without loss: ${what}`, async () => {
      const at = await scene();
      const revision = await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
      await writeFile(join(at.local, 'mine.txt'), 'mine');
      await damage(at);
      const opened = await openWorkingCopy(at.place(), 'tip', patience);
      assert.equal(opened.tip, revision);
      const next = await at.push({ 'a.txt': 'a2', 'b.txt': null });
      const { tip } = await askRemote(at.place(), 'main', patience);
      assert.equal(tip, next);
      await fetchRevision(at.place(), { branch: 'main', revision: tip, from: null }, patience);
      await checkOut(at.place(), { revision: tip, branch: 'main' }, patience);
      const files = await tree(at.local);
      assert.equal(files['a.txt'], 'a2');
      assert.equal(files['mine.txt'], 'mine');
      assert.equal(git(at.local, 'fsck', '--connectivity-only', '--no-dangling'), '');
    });

  test('is set aside and cloned anew when nothing else helps, and the old one is kept', async () => {
    const at = await scene();
    const revision = await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    git(at.local, 'gc', '--quiet');
    const packs = await readdir(join(at.local, '.git/objects/pack'));
    const pack = join(at.local, '.git/objects/pack', packs.find((name) => name.endsWith('.pack')) ?? '');
    const bytes = await readFile(pack);
    await rm(pack);
    await writeFile(pack, bytes.fill(0, 20, bytes.length - 20));
    assert.equal((await openWorkingCopy(at.place(), 'tip', patience)).tip, revision);
    const next = await at.push({ 'b.txt': null });
    await askRemote(at.place(), 'main', patience);
    assert.equal((await checkOut(at.place(), { revision: next, branch: 'main' }, patience)).saved, null);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a' });
    assert.match((await readdir(at.local)).join(), /\.git\.broken-\d{8}T\d{6}Z/);
    assert.match(at.logged.join(''), /kept as \.git\.broken-/);
  });

  test('is replaced at the next check when a checkout has failed on it', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    const next = await at.push({ 'a.txt': 'a2' });
    await askRemote(at.place(), 'main', patience);
    const blob = git(at.local, 'rev-parse', `${next}:a.txt`);
    const file = join(at.local, '.git/objects', blob.slice(0, 2), blob.slice(2));
    await rm(file);
    await writeFile(file, 'garbage');
    await assert.rejects(checkOut(at.place(), { revision: next, branch: 'main' }, patience));
    await fetchRevision(at.place(), { branch: 'main', revision: next, from: null }, patience);
    await checkOut(at.place(), { revision: next, branch: 'main' }, patience);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2' });
  });

  test('ends the replacement of a repository that was cut short between its two moves', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await rename(join(at.local, '.git'), join(at.local, '.git.huddle-clone'));
    assert.notEqual((await openWorkingCopy(at.place(), 'place', patience)).head, null);
  });
});
