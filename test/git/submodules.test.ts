import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { makeCandidate } from '../../src/git/candidate.ts';
import { checkOut } from '../../src/git/check-out.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, scene, serveHttp, tree, type Scene } from './support.ts';

interface Nested {
  readonly at: Scene;
  readonly place: GitPlace;
  /** Works on the library that is a submodule, pushes it, and points the app to it. */
  readonly library: string;
  readonly bump: (text: string) => Promise<string>;
}

/** An app with a submodule `lib` that has a submodule `deep` itself, addressed relative to the app's remote. */
async function nested(): Promise<Nested> {
  const at = await scene();
  await at.push({ 'app.txt': 'app' });
  const bare = (name: string): string => join(at.folder, `${name}.git`);
  for (const name of ['lib', 'deep']) {
    git(at.folder, 'init', '--quiet', '--bare', '--initial-branch=main', bare(name));
    git(at.folder, 'clone', '--quiet', bare(name), join(at.folder, name));
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
  return { at, place: at.place({ submodules: true }), library, bump };
}

async function deploy(place: GitPlace): Promise<{ ref: string; files: number } | null> {
  await openWorkingCopy(place, 'tip', patience);
  const { tip } = await askRemote(place, 'main', patience);
  await fetchRevision(place, { branch: 'main', revision: tip, from: null }, patience);
  return (await checkOut(place, { revision: tip, branch: 'main' }, patience)).saved;
}

suite('submodules', { concurrency: 3 }, () => {
  test('are fetched before and checked out without the network, at every depth, as git by hand sees them', async () => {
    const { at, place, bump } = await nested();
    await deploy(place);
    assert.deepEqual(await tree(at.local), { 'app.txt': 'app', 'lib/deep/deep.txt': '1', 'lib/lib.txt': '1' });
    const tip = await bump('2');
    await fetchRevision(place, { branch: 'main', revision: tip, from: null }, patience);
    for (const name of ['remote', 'lib', 'deep']) await rm(join(at.folder, `${name}.git`), { recursive: true });
    await checkOut(place, { revision: tip, branch: 'main' }, patience);
    assert.equal((await tree(at.local))['lib/lib.txt'], '2');
    assert.match(
      git(at.local, 'submodule', 'status', '--recursive'),
      /^ [0-9a-f]{40} lib .*\n [0-9a-f]{40} lib\/deep /,
    );
    assert.equal(git(at.local, 'status', '--porcelain'), '');
  });

  test('are left alone where the config does not ask for them', async () => {
    const { at } = await nested();
    await deploy(at.place());
    assert.deepEqual(await tree(at.local), { 'app.txt': 'app' });
  });

  test('lose nothing: what is in the way inside them is saved inside them', async () => {
    const { at, place, bump } = await nested();
    await deploy(place);
    await writeFile(join(at.local, 'lib/lib.txt'), 'mine');
    await writeFile(join(at.local, 'lib/deep/deep.txt'), 'mine');
    await bump('2');
    const saved = await deploy(place);
    assert.equal(saved?.files, 2);
    const commands = [...at.logged.join('').matchAll(/git -C (\S+) checkout (\S+) -- \./g)];
    assert.equal(commands.length, 2);
    for (const [, folder = '', ref = ''] of commands) git(folder, 'checkout', ref, '--', '.');
    assert.equal(await readFile(join(at.local, 'lib/lib.txt'), 'utf8'), 'mine');
    assert.equal(await readFile(join(at.local, 'lib/deep/deep.txt'), 'utf8'), 'mine');
  });

  test('go when a revision removes them, but for files of nobody, and come back with another', async () => {
    const { at, place } = await nested();
    await deploy(place);
    await writeFile(join(at.local, 'lib/mine.txt'), 'mine');
    git(at.author, 'rm', '-rqf', 'lib', '.gitmodules');
    await at.push({});
    await deploy(place);
    assert.deepEqual(await tree(at.local), { 'app.txt': 'app', 'lib/mine.txt': 'mine' });
    git(at.author, 'revert', '--no-edit', 'HEAD');
    await at.push({});
    await deploy(place);
    assert.equal((await tree(at.local))['lib/deep/deep.txt'], '1');
    assert.equal((await tree(at.local))['lib/mine.txt'], 'mine');
  });

  test("make room for a file of their name, and take a file's place", async () => {
    const { at, place } = await nested();
    await deploy(place);
    git(at.author, 'rm', '-rqf', 'lib', '.gitmodules');
    await at.push({ lib: 'a file' });
    await deploy(place);
    assert.deepEqual(await tree(at.local), { 'app.txt': 'app', lib: 'a file' });
    await writeFile(join(at.local, 'lib'), 'mine');
    git(at.author, 'revert', '--no-edit', 'HEAD');
    await at.push({});
    const saved = await deploy(place);
    assert.equal(saved?.files, 1);
    assert.equal((await tree(at.local))['lib/lib.txt'], '1');
  });

  test('are fetched anew when their repository is damaged, and the old one is kept', async () => {
    const { at, place } = await nested();
    await deploy(place);
    const blob = git(join(at.local, 'lib'), 'rev-parse', 'HEAD:lib.txt');
    const objects = join(at.local, '.git/modules/lib/objects');
    await rm(join(objects, blob.slice(0, 2), blob.slice(2)));
    await writeFile(join(objects, blob.slice(0, 2), blob.slice(2)), '');
    assert.equal(await deploy(place), null);
    assert.match((await readdir(join(at.local, '.git/huddle/broken'))).join(), /lib-/);
    assert.equal(git(join(at.local, 'lib'), 'fsck', '--no-dangling'), '');
  });

  test('are there in a candidate too', async () => {
    const { place } = await nested();
    const { tip } = await openWorkingCopy(place, 'tip', patience);
    assert.ok(tip);
    await fetchRevision(place, { branch: 'main', revision: tip, from: null }, patience);
    const candidate = await makeCandidate(place, tip, patience);
    assert.equal(await readFile(join(candidate.directory, 'lib/deep/deep.txt'), 'utf8'), '1');
    assert.equal(git(candidate.directory, 'status', '--porcelain'), '');
    await candidate.remove();
  });

  test('get the credentials only where they are on the host of the remote', async () => {
    const { at } = await nested();
    const thief = await serveHttp({ root: at.folder, user: 'nobody', password: 'knows' });
    const forge = await serveHttp({ root: at.folder, user: 'shop', password: 'secret' });
    const passwordFile = join(at.folder, 'password');
    await writeFile(passwordFile, 'secret');
    const place = at.place({ remotePath: `${forge.url}/remote.git`, submodules: true, username: 'shop', passwordFile });
    await deploy(place);
    assert.equal((await tree(at.local))['lib/deep/deep.txt'], '1');
    git(at.author, 'config', '--file', '.gitmodules', 'submodule.lib.url', `${thief.url}/lib.git`);
    git(at.author, 'add', '.gitmodules');
    await at.push({});
    await rm(join(at.local, '.git/modules'), { recursive: true });
    await assert.rejects(deploy(place), { code: 'authentication-failed' });
    assert.ok(thief.requests.length > 0);
    assert.deepEqual(thief.requests.map(({ authorization }) => authorization).filter(Boolean), []);
  });
});

suite('a malicious .gitmodules', { concurrency: 3 }, () => {
  const attacks: Record<string, (lib: string) => string> = {
    'a command to run on update': (lib) => `[submodule "lib"]\npath=lib\nurl=${lib}\nupdate=!touch OWNED\n`,
    'an ext:: URL': () => `[submodule "lib"]\npath=lib\nurl="ext::sh -c touch% OWNED"\n`,
    'a URL that is an option': () => `[submodule "lib"]\npath=lib\nurl="--upload-pack=touch OWNED"\n`,
    'an ssh host that is an option': () => `[submodule "lib"]\npath=lib\nurl="ssh://-oProxyCommand=touch OWNED/x"\n`,
    'a name that leaves the modules folder': (lib) => `[submodule "../../evil"]\npath=lib\nurl=${lib}\n`,
    'a name inside another submodule': (lib) =>
      `[submodule "lib/hooks"]\npath=lib\nurl=${lib}\n[submodule "lib"]\npath=other\nurl=${lib}\n`,
  };
  for (const [what, text] of Object.entries(attacks))
    test(`does nothing with ${what}`, async () => {
      const { at, place } = await nested();
      const owned = join(at.folder, 'owned');
      const written = text(join(at.folder, 'lib.git')).replaceAll('OWNED', owned);
      await at.push({ '.gitmodules': written });
      await deploy(place).catch(() => undefined);
      assert.ok(!existsSync(owned));
      assert.ok(!existsSync(join(at.local, 'evil')));
      assert.ok(!existsSync(join(at.local, '.git/evil')));
      assert.ok(!existsSync(join(at.local, '.git/modules/lib/hooks/HEAD')));
    });

  test('does not reach into this machine from a remote that is not a path', async () => {
    const { at } = await nested();
    const forge = await serveHttp({ root: at.folder });
    await at.push({ '.gitmodules': `[submodule "lib"]\npath=lib\nurl=${join(at.folder, 'lib.git')}\n` });
    const place = at.place({ remotePath: `${forge.url}/remote.git`, submodules: true });
    await assert.rejects(deploy(place), { code: 'not-supported' });
  });
});
