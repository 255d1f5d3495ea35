import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { prepareRelease, pruneReleases } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { release } from './release-scene.ts';
import { git, patience, scene, tree } from './support.ts';

suite('shared paths', { concurrency: 3 }, () => {
  test('are seeded by the first release and linked into each; git sees nothing lost and nothing new', async () => {
    const at = await scene();
    const shared = ['data', './conf/local.json', 'logs/', 'store.db', 'cache'];
    const files = { 'a.txt': 'a', 'data/deep/x': 'seed', 'conf/local.json': 'seed', 'conf/other.json': '1' };
    const first = await release(at.place(), await at.push(files), shared);
    await writeFile(join(first.directory, 'conf/local.json'), 'edited');
    await writeFile(join(first.directory, 'data/new'), 'written');
    await writeFile(join(first.directory, 'store.db'), 'made by the program');
    const second = await release(at.place(), await at.push({ 'data/deep/x': 'other', 'conf/other.json': '2' }), shared);

    assert.equal(await readlink(join(second.directory, 'conf/local.json')), '../../../shared/conf/local.json');
    for (const { directory } of [first, second]) {
      assert.equal(await readFile(join(directory, 'conf/local.json'), 'utf8'), 'edited');
      assert.equal(await readFile(join(directory, 'data/deep/x'), 'utf8'), 'seed');
      assert.equal(await readFile(join(directory, 'data/new'), 'utf8'), 'written');
      assert.equal(await readFile(join(directory, 'store.db'), 'utf8'), 'made by the program');
      assert.ok((await stat(join(directory, 'logs'))).isDirectory());
      assert.ok((await stat(join(directory, 'cache'))).isDirectory());
      assert.equal(git(directory, 'status', '--porcelain'), '');
    }
    assert.equal(await readFile(join(second.directory, 'conf/other.json'), 'utf8'), '2');
    await writeFile(join(first.directory, 'conf/other.json'), 'edited');
    assert.equal(git(first.directory, 'status', '--porcelain'), ' M conf/other.json');
    await rename(at.local, join(at.folder, 'moved'));
    assert.equal(await readFile(join(at.folder, 'moved/current/data/new'), 'utf8'), 'written');
  });

  test('are what an operator has laid there before the first release', async () => {
    const at = await scene();
    const one = await at.push({ '.env': 'from git', 'data/x': 'from git' });
    await openWorkingCopy(at.place(), 'tip', patience);
    await mkdir(join(at.local, 'shared'));
    await writeFile(join(at.local, 'shared/.env'), 'SECRET=1');
    await mkdir(join(at.folder, 'volume'));
    await symlink(join(at.folder, 'volume'), join(at.local, 'shared/data'));
    const { directory } = await release(at.place(), one, ['.env', 'data']);
    assert.equal(await readFile(join(directory, '.env'), 'utf8'), 'SECRET=1');
    await writeFile(join(directory, 'data/y'), 'y');
    assert.deepEqual(await tree(join(at.folder, 'volume')), { y: 'y' });
  });

  test('count once where one lies in another, and a link to nothing does not hide what a release brings', async () => {
    const at = await scene();
    const one = await at.push({ 'data/x': 'x' });
    const { directory } = await release(at.place(), one, ['data/x', 'data', 'data/', 'late.txt']);
    assert.equal(await readlink(join(directory, 'data')), '../../shared/data');
    assert.ok(!existsSync(join(directory, 'late.txt')));
    const next = await release(at.place(), await at.push({ 'late.txt': 'late' }), ['data', 'late.txt']);
    assert.equal(await readFile(join(directory, 'late.txt'), 'utf8'), 'late');
    assert.equal(await readFile(join(next.directory, 'late.txt'), 'utf8'), 'late');
  });

  test('are left alone by releases that are pruned', async () => {
    const at = await scene();
    const first = await release(at.place(), await at.push({ 'data/x': 'x' }), ['data', 'gone.txt']);
    await writeFile(join(first.directory, 'gone.txt'), 'stays');
    await release(at.place(), await at.push({ a: 'a' }), ['data']);
    await pruneReleases(at.place(), { keep: 1, spare: [], isTreeFree: true }, patience);
    assert.deepEqual(await tree(join(at.local, 'shared')), { 'data/x': 'x', 'gone.txt': 'stays' });
  });

  test('must lie inside the release, past no link of the revision, or nothing is done', async () => {
    const at = await scene();
    const outside = join(at.folder, 'outside');
    await mkdir(outside);
    await at.push({ 'a.txt': 'a' });
    await symlink(outside, join(at.author, 'link'));
    git(at.author, 'add', 'link');
    const one = await at.push({});
    await openWorkingCopy(at.place(), 'tip', patience);
    for (const path of ['../x', '/etc', '.git/config', 'a/../..', '.', 'x/.GIT']) {
      const wanted = { revision: one, branch: 'main', shared: [path] };
      await assert.rejects(prepareRelease(at.place(), wanted, patience), { code: 'config-invalid' }, path);
    }
    for (const path of ['link/x', 'a.txt/x']) {
      const wanted = { revision: one, branch: 'main', shared: [path] };
      await assert.rejects(prepareRelease(at.place(), wanted, patience), { code: 'path-occupied' }, path);
    }
    assert.deepEqual(await tree(outside), {});
    assert.ok(!existsSync(join(outside, 'x')));
    assert.ok(!existsSync(join(at.local, 'releases', one.slice(0, 7))));
  });

  test("leave other excludes as they are, and git's patterns out of it", async () => {
    const at = await scene();
    const one = await at.push({ 'a.txt': 'a' });
    await openWorkingCopy(at.place(), 'tip', patience);
    await mkdir(join(at.local, '.git/info'), { recursive: true });
    await appendFile(join(at.local, '.git/info/exclude'), '*.mine\n');
    const { directory } = await release(at.place(), one, ['da*ta', 'lo gs']);
    for (const name of ['x.mine', 'daxta']) await writeFile(join(directory, name), '');
    assert.equal(git(directory, 'status', '--porcelain'), '?? daxta');
  });
});
