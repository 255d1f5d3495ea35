import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { makeCandidate } from '../../src/git/candidate.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, scene } from './support.ts';

suite('a candidate', { concurrency: 3 }, () => {
  test('is a clean checkout apart from the working copy, in which git works', async () => {
    const at = await scene();
    const old = await at.push({ 'a.txt': 'a', '.gitignore': 'built\n' });
    await openWorkingCopy(at.place(), 'tip', patience);
    await checkOut(at.place(), { revision: old, branch: 'main' }, patience);
    await writeFile(join(at.local, 'a.txt'), 'changed by the program');
    await writeFile(join(at.local, 'built'), 'by the program');
    git(at.author, 'tag', 'v1');
    git(at.author, 'push', '--quiet', 'origin', 'v1');
    const next = await at.push({ 'a.txt': 'a2' });
    await openWorkingCopy(at.place(), 'tip', patience);
    const { directory, remove } = await makeCandidate(at.place(), next, patience);
    assert.equal(await readFile(join(directory, 'a.txt'), 'utf8'), 'a2');
    assert.ok(!existsSync(join(directory, 'built')));
    assert.equal(git(directory, 'rev-parse', 'HEAD'), next);
    assert.equal(git(directory, 'status', '--porcelain'), '');
    assert.match(git(directory, 'describe', '--tags'), /^v1-1-g/);
    assert.equal(git(directory, 'log', '--format=%H', '-1', 'origin/main'), next);
    git(directory, 'commit', '--quiet', '--allow-empty', '-m', 'A test may do this');
    git(directory, 'tag', 'from-the-test');
    git(directory, 'gc', '--quiet', '--prune=now');
    assert.equal(git(at.local, 'tag', '--list', 'from-the-test'), '');
    assert.equal(await readFile(join(at.local, 'a.txt'), 'utf8'), 'changed by the program');
    await remove();
    assert.ok(!existsSync(directory));
    assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
  });

  test('works in a shallow working copy', async () => {
    const at = await scene();
    await at.push();
    const revision = await at.push();
    const place = at.place({ remotePath: `file://${at.remote}`, depth: 1 });
    await openWorkingCopy(place, 'tip', patience);
    const { directory, remove } = await makeCandidate(place, revision, patience);
    assert.equal(git(directory, 'rev-list', '--count', 'HEAD'), '1');
    await remove();
  });

  test('goes with all that a test leaves in it, read-only folders too', async () => {
    const at = await scene();
    const revision = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const { directory, remove } = await makeCandidate(at.place(), revision, patience);
    await mkdir(join(directory, 'cache/deep'), { recursive: true });
    await writeFile(join(directory, 'cache/deep/file'), '');
    await chmod(join(directory, 'cache/deep'), 0o500);
    await remove();
    assert.ok(!existsSync(directory));
  });

  test('leaves nothing behind when it cannot be made', async () => {
    const at = await scene();
    await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    await assert.rejects(makeCandidate(at.place(), '0'.repeat(40), patience));
    assert.equal(git(at.local, 'status', '--porcelain'), '');
    assert.deepEqual(await readdir(join(at.local, '.git/huddle/candidates')), []);
  });

  test('lies where it is wanted, and its leftovers there go when the working copy is opened', async () => {
    const at = await scene();
    const revision = await at.push();
    const candidates = join(at.folder, 'candidates');
    const place = at.place({}, { candidates });
    await openWorkingCopy(place, 'tip', patience);
    const { directory } = await makeCandidate(place, revision, patience);
    assert.ok(directory.startsWith(`${candidates}/`));
    assert.equal(git(directory, 'status', '--porcelain'), '');
    await openWorkingCopy(place, 'place', patience);
    assert.deepEqual(await readdir(candidates), []);
  });
});
