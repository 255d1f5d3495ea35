import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { checkOut } from '../../src/git/check-out.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, scene, tree, type Scene } from './support.ts';

/** A working copy at the remote's newest revision. */
async function deployed(at: Scene, files: Record<string, string>, place: GitPlace = at.place()): Promise<string> {
  const revision = await at.push(files);
  await openWorkingCopy(place, 'tip', patience);
  await checkOut(place, { revision, branch: 'main' }, patience);
  return revision;
}

/** What a deployment of the branch's tip does. */
async function deploy(place: GitPlace): Promise<{ ref: string; files: number } | null> {
  return (await pulled(place)).saved;
}

async function pulled(place: GitPlace): ReturnType<typeof checkOut> {
  const { tip } = await askRemote(place, 'main', patience);
  await fetchRevision(place, { branch: 'main', revision: tip, from: null }, patience);
  return await checkOut(place, { revision: tip, branch: 'main' }, patience);
}

suite('a checkout', { concurrency: 3 }, () => {
  test('makes the working copy equal to the revision, on the branch, as git by hand sees it', async () => {
    const at = await scene();
    const revision = await deployed(at, { 'a.txt': 'a', 'dir/b.txt': 'b' });
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'dir/b.txt': 'b' });
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), revision);
    assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main');
    await at.push({ 'a.txt': 'a2', 'dir/b.txt': null, 'c.txt': 'c' });
    assert.equal(await deploy(at.place()), null);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2', 'c.txt': 'c' });
    assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main');
  });

  test('follows a force-push', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    git(at.author, 'checkout', '--quiet', '--orphan', 'anew');
    git(at.author, 'rm', '-rqf', '.');
    const revision = await at.push({ 'b.txt': 'b' });
    assert.equal(await deploy(at.place()), null);
    assert.deepEqual(await tree(at.local), { 'b.txt': 'b' });
    assert.equal(git(at.local, 'rev-parse', 'main'), revision);
  });

  test('saves changed tracked files and says how to get them back', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    await writeFile(join(at.local, 'a.txt'), 'mine');
    await writeFile(join(at.local, 'other.txt'), 'stays');
    await at.push({ 'b.txt': 'b2' });
    const saved = await deploy(at.place());
    assert.equal(saved?.files, 1);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b2', 'other.txt': 'stays' });
    const command = /git -C .* checkout (\S+) -- \./.exec(at.logged.join(''));
    assert.equal(command?.[1], saved.ref);
    git(at.local, 'checkout', saved.ref, '--', '.');
    assert.deepEqual(await tree(at.local), { 'a.txt': 'mine', 'b.txt': 'b2', 'other.txt': 'stays' });
  });

  test('saves untracked and ignored files that the revision would overwrite, and no others', async () => {
    const at = await scene();
    await deployed(at, { '.gitignore': '*.log\n' });
    for (const name of ['new.txt', 'new.log', 'stays.log', 'stays.txt'])
      await writeFile(join(at.local, name), `mine ${name}`);
    await at.push({ 'new.txt': 'theirs', 'new.log': 'theirs' });
    const saved = await deploy(at.place());
    assert.ok(saved);
    assert.deepEqual(git(at.local, 'ls-tree', '-r', '--name-only', saved.ref).split('\n'), ['new.log', 'new.txt']);
    assert.equal(git(at.local, 'show', `${saved.ref}:new.log`), 'mine new.log');
    assert.equal(await readFile(join(at.local, 'new.log'), 'utf8'), 'theirs');
    assert.equal(await readFile(join(at.local, 'stays.log'), 'utf8'), 'mine stays.log');
  });

  test('leaves alone what stands in the way with the very content that the revision brings', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await writeFile(join(at.local, 'a.txt'), 'a2');
    await writeFile(join(at.local, 'new.txt'), 'new');
    await at.push({ 'a.txt': 'a2', 'new.txt': 'new' });
    assert.equal(await deploy(at.place()), null);
  });

  test('saves a folder that stands where a file comes, and a file that stands where a folder comes', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await mkdir(join(at.local, 'x/deep'), { recursive: true });
    await writeFile(join(at.local, 'x/deep/one'), '1');
    await writeFile(join(at.local, 'y'), '2');
    await symlink('/etc', join(at.local, 'z'));
    await at.push({ x: 'file', 'y/inside': 'file', 'z/passwd': 'file' });
    const saved = await deploy(at.place());
    assert.ok(saved);
    assert.deepEqual(git(at.local, 'ls-tree', '-r', '--name-only', saved.ref).split('\n'), ['x/deep/one', 'y', 'z']);
    assert.equal(await readFile(join(at.local, 'z/passwd'), 'utf8'), 'file');
    assert.equal(git(at.local, 'status', '--porcelain'), '');
  });

  test('sets a whole repository aside that stands where a file comes', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    const nested = join(at.local, 'x');
    git(at.local, 'init', '--quiet', nested);
    await writeFile(join(nested, 'work'), 'precious');
    await at.push({ x: 'file' });
    await deploy(at.place());
    const aside = /moved to (.*)\n/.exec(at.logged.join(''))?.[1];
    assert.ok(aside);
    assert.equal(await readFile(join(aside, 'work'), 'utf8'), 'precious');
    assert.equal(await readFile(nested, 'utf8'), 'file');
  });

  test('saves what is staged, also where the file was changed again since', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    await writeFile(join(at.local, 'a.txt'), 'staged');
    await writeFile(join(at.local, 'added.txt'), 'added');
    git(at.local, 'add', '.');
    await writeFile(join(at.local, 'a.txt'), 'changed again');
    await at.push({ 'b.txt': 'b2' });
    const saved = await deploy(at.place());
    assert.ok(saved);
    assert.equal(git(at.local, 'show', `${saved.ref}:a.txt`), 'changed again');
    assert.equal(git(at.local, 'show', `${saved.ref}:added.txt`), 'added');
    assert.equal(git(at.local, 'show', `${saved.ref}^:a.txt`), 'staged');
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b2' });
  });

  test('saves a changed file that the revision removes', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    await writeFile(join(at.local, 'a.txt'), 'mine');
    await at.push({ 'a.txt': null });
    const saved = await deploy(at.place());
    assert.ok(saved);
    assert.equal(git(at.local, 'show', `${saved.ref}:a.txt`), 'mine');
    assert.deepEqual(await tree(at.local), { 'b.txt': 'b' });
  });

  test('puts back files that were deleted by hand, with nothing to save', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    await rm(join(at.local, 'a.txt'));
    await at.push({ 'b.txt': 'b2' });
    assert.equal(await deploy(at.place()), null);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b2' });
  });

  test('saves the same content once, and keeps the newest twenty', async () => {
    const at = await scene();
    const place = at.place();
    const revision = await deployed(at, { 'a.txt': 'a' });
    const spoil = async (text: string): Promise<string> => {
      await writeFile(join(at.local, 'a.txt'), text);
      const { saved } = await checkOut(place, { revision, branch: 'main' }, patience);
      return saved?.ref ?? '';
    };
    assert.equal(await spoil('one'), await spoil('one'));
    const all = (): string[] => git(at.local, 'for-each-ref', '--format=%(refname)', 'refs/huddle/saved').split('\n');
    assert.equal(all().length, 1);
    const [first] = all();
    for (let index = 0; index < 20; index++)
      git(at.local, 'update-ref', `refs/huddle/saved/30000101T0000${10 + index}Z-00000000000${index}`, 'HEAD');
    const newest = await spoil('two');
    assert.equal(all().length, 20);
    assert.ok(!all().includes(first ?? ''));
    assert.ok(newest !== '');
  });

  test('saves commits that were made here and that the remote does not have', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await writeFile(join(at.local, 'a.txt'), 'mine');
    git(at.local, 'commit', '-qam', 'By hand');
    const mine = git(at.local, 'rev-parse', 'HEAD');
    await at.push({ 'b.txt': 'b' });
    const { saved, commits } = await pulled(at.place());
    assert.equal(git(at.local, 'for-each-ref', '--format=%(objectname)', 'refs/huddle/saved'), mine);
    const ref = git(at.local, 'for-each-ref', '--format=%(refname)', 'refs/huddle/saved');
    assert.deepEqual([saved, commits], [null, [{ folder: at.local, ref }]]);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b' });
  });

  test('leaves other branches, stashes and the refs of the user as they are', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    git(at.local, 'checkout', '--quiet', '-b', 'topic');
    await writeFile(join(at.local, 'a.txt'), 'topic');
    git(at.local, 'commit', '-qam', 'Topic');
    const topic = git(at.local, 'rev-parse', 'HEAD');
    await writeFile(join(at.local, 'a.txt'), 'stashed');
    git(at.local, 'stash', '--quiet');
    await at.push({ 'b.txt': 'b' });
    await deploy(at.place());
    assert.equal(git(at.local, 'rev-parse', 'topic'), topic);
    assert.equal(git(at.local, 'symbolic-ref', 'HEAD'), 'refs/heads/main');
    assert.equal(git(at.local, 'show', 'stash@{0}:a.txt'), 'stashed');
  });

  test('ends a merge, a rebase and a cherry-pick that somebody is in the middle of, and loses nothing', async () => {
    for (const how of ['merge', 'rebase', 'cherry-pick']) {
      const at = await scene();
      await deployed(at, { 'a.txt': 'a' });
      git(at.local, 'checkout', '--quiet', '-b', 'topic');
      await writeFile(join(at.local, 'a.txt'), 'topic');
      git(at.local, 'commit', '-qam', 'Topic');
      git(at.local, 'checkout', '--quiet', 'main');
      await writeFile(join(at.local, 'a.txt'), 'mine');
      git(at.local, 'commit', '-qam', 'Mine');
      const mine = git(at.local, 'rev-parse', 'HEAD');
      assert.throws(() => git(at.local, how, 'topic'));
      await at.push({ 'b.txt': 'b' });
      await deploy(at.place());
      assert.equal(git(at.local, 'status', '--porcelain', '--branch'), '## main...origin/main', how);
      assert.ok(!/rebas|merg|cherry/i.test(git(at.local, 'status')), how);
      const saved = git(at.local, 'for-each-ref', '--format=%(objectname)', 'refs/huddle/saved').split('\n');
      assert.ok(saved.includes(mine), how);
      assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b' });
    }
  });

  test('sees through assume-unchanged, skip-worktree and sparse checkouts', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b', 'dir/c.txt': 'c' });
    git(at.local, 'update-index', '--assume-unchanged', 'a.txt');
    git(at.local, 'update-index', '--skip-worktree', 'b.txt');
    await writeFile(join(at.local, 'a.txt'), 'mine a');
    await writeFile(join(at.local, 'b.txt'), 'mine b');
    await at.push({ 'd.txt': 'd' });
    const saved = await deploy(at.place());
    assert.equal(saved?.files, 2);
    git(at.local, 'sparse-checkout', 'set', '--no-cone', 'a.txt');
    await at.push({ 'e.txt': 'e' });
    await deploy(at.place());
    assert.deepEqual(Object.keys(await tree(at.local)), ['a.txt', 'b.txt', 'd.txt', 'dir/c.txt', 'e.txt']);
  });

  test('saves byte for byte, whatever the attributes say', async () => {
    const at = await scene();
    await deployed(at, {
      '.gitattributes': '*.txt text eol=crlf\n*.u16 working-tree-encoding=UTF-16\n',
      'a.txt': 'a\n',
    });
    assert.equal(await readFile(join(at.local, 'a.txt'), 'utf8'), 'a\r\n');
    await writeFile(join(at.local, 'a.txt'), 'mixed\r\nends\n');
    await at.push({ 'b.txt': 'b\n' });
    const saved = await deploy(at.place());
    assert.ok(saved);
    assert.equal(git(at.local, 'cat-file', 'blob', `${saved.ref}:a.txt`), 'mixed\r\nends');
    assert.equal(git(at.local, 'status', '--porcelain'), '');
  });

  test('copes with modes, links and file names of every kind', async () => {
    const at = await scene();
    const names = ['-dash', '--', 'new\nline', 'tab\t"quoted"', 'ünïcode', 'sp ace', ':(glob)*', 'back\\slash'];
    await deployed(at, Object.fromEntries(names.map((name) => [name, 'theirs'])));
    for (const name of names) await writeFile(join(at.local, name), 'mine');
    const latin1 = Buffer.concat([Buffer.from(`${at.local}/`), Buffer.from([0xe9])]);
    await writeFile(latin1, 'mine');
    await writeFile(Buffer.concat([Buffer.from(`${at.author}/`), Buffer.from([0xe9])]), 'theirs');
    git(at.author, 'add', '.');
    await chmod(join(at.author, 'sp ace'), 0o755);
    // Folders in the way of files: read as patterns their names would be about every file but one, and about all.
    const untracked = [':!x', '*'];
    for (const name of untracked) await mkdir(join(at.local, name));
    for (const name of [...untracked.map((folder) => `${folder}/y`), 'bystander'])
      await writeFile(join(at.local, name), 'mine');
    await at.push({ 'sp ace': 'theirs', ...Object.fromEntries(untracked.map((name) => [name, 'theirs'])) });
    const saved = await deploy(at.place());
    assert.equal(saved?.files, names.length + 1 + untracked.length);
    assert.equal(await readFile(join(at.local, 'bystander'), 'utf8'), 'mine');
    await rm(join(at.local, 'bystander'));
    assert.equal(await readFile(latin1, 'utf8'), 'theirs');
    assert.ok(((await stat(join(at.local, 'sp ace'))).mode & 0o111) !== 0);
    assert.equal(git(at.local, 'status', '--porcelain'), '');
  });

  test('replaces read-only files', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await chmod(join(at.local, 'a.txt'), 0o400);
    await at.push({ 'a.txt': 'a2' });
    await deploy(at.place());
    assert.equal(await readFile(join(at.local, 'a.txt'), 'utf8'), 'a2');
  });

  test("does not take its own half-done work for somebody's changes", async () => {
    const at = await scene();
    const good = await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    const next = await at.push({ 'a.txt': 'a2', 'b.txt': null, 'new.txt': 'new' });
    await askRemote(at.place(), 'main', patience);
    // As after a power cut in the middle: the target is noted, some files have moved, index and refs have not.
    git(at.local, 'update-ref', 'refs/huddle/pulling', next);
    await writeFile(join(at.local, 'a.txt'), 'a2');
    await writeFile(join(at.local, 'new.txt'), 'new');
    const { saved } = await checkOut(at.place(), { revision: good, branch: 'main' }, patience);
    assert.equal(saved, null);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a', 'b.txt': 'b' });
    assert.equal(git(at.local, 'status', '--porcelain'), '');
    assert.equal(git(at.local, 'for-each-ref', 'refs/huddle/pulling'), '');
  });

  test('makes a damaged index anew', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a', 'b.txt': 'b' });
    await writeFile(join(at.local, '.git/index'), 'garbage');
    await at.push({ 'a.txt': 'a2', 'b.txt': null });
    assert.equal(await deploy(at.place()), null);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2' });
  });

  test('removes the locks that a killed git has left', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await at.push({ 'a.txt': 'a2' });
    for (const name of ['index.lock', 'HEAD.lock', 'refs/heads/main.lock', 'refs/remotes/origin/main.lock'])
      await writeFile(join(at.local, '.git', name), '');
    await deploy(at.place());
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2' });
  });

  test('leaves the locks of a git that is still at work, and says so', async () => {
    const at = await scene();
    await deployed(at, { 'a.txt': 'a' });
    await at.push({ 'a.txt': 'a2' });
    await askRemote(at.place(), 'main', patience);
    const lock = join(at.local, '.git/index.lock');
    await writeFile(lock, '');
    const busy = spawn('git', ['cat-file', '--batch'], { cwd: at.local });
    const revision = git(at.remote, 'rev-parse', 'main');
    await assert.rejects(checkOut(at.place(), { revision, branch: 'main' }, patience), { code: 'path-occupied' });
    assert.ok(existsSync(lock));
    busy.stdin.end();
    await once(busy, 'exit');
    await checkOut(at.place(), { revision, branch: 'main' }, patience);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2' });
  });

  test("follows release/2 after release, and leaves somebody's branch that is in its way", async () => {
    const at = await scene();
    await at.push({}, { branch: 'release' });
    await openWorkingCopy(at.place({ branch: 'release' }), 'tip', patience);
    git(at.remote, 'branch', '-D', 'release');
    const revision = await at.push({ 'a.txt': 'a' }, { branch: 'release/2' });
    const place = at.place({ branch: 'release/2' });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
    git(at.local, 'update-ref', 'refs/heads/release', revision);
    await checkOut(place, { revision, branch: 'release/2' }, patience);
    assert.equal(git(at.local, 'rev-parse', 'HEAD', 'release'), `${revision}\n${revision}`);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a' });
  });
});
