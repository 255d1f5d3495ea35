import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { makeCandidate } from '../../src/git/candidate.ts';
import { checkOut } from '../../src/git/check-out.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { startSshd } from '../fixtures/sshd.ts';
import { git, output, patience, plainChild, plainly, scene, serveHttp, tree, type Scene } from './support.ts';

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

  test('are not offered the key of the remote by another host, which would let it in', async () => {
    const { at } = await nested();
    const [forge, other] = [await startSshd(), await startSshd()];
    try {
      // One person's key, known to both: plain git, told to use it, would show it to either.
      await cp(`${forge.key}.pub`, join(other.key, '../authorized'));
      const knownHosts = join(at.folder, 'known_hosts');
      const hosts = await Promise.all([forge, other].map((host) => readFile(host.knownHosts, 'utf8')));
      await writeFile(knownHosts, hosts.join(''));
      const ssh = `ssh -F none -i ${forge.key} -o IdentitiesOnly=yes -o UserKnownHostsFile=${knownHosts}`;
      const lib = other.url(join(at.folder, 'lib.git'));
      const byHand = plainChild(at.folder, ['git', 'ls-remote', lib], { GIT_SSH_COMMAND: ssh });
      assert.match((await output(byHand)).said, /refs\/heads\/main/);

      const place = at.place({ remotePath: forge.url(at.remote), submodules: true, sshKey: forge.key, knownHosts });
      git(at.author, 'config', '--file', '.gitmodules', 'submodule.lib.url', lib);
      git(at.author, 'add', '.gitmodules');
      await at.push({});
      await assert.rejects(deploy(place), { code: 'authentication-failed', subject: lib });
    } finally {
      await Promise.all([forge.close(), other.close()]);
    }
  });
});

interface Attack {
  /** The `.gitmodules`; `LIB` stands for the library's URL, `OWNED` for a file that the attack makes. */
  readonly text: string;
  /** What falls for it in a clone: a line of shell. */
  readonly plain: string;
  /** How Huddle refuses; null: it passes by what is malicious and deploys. */
  readonly code: string | null;
}

// git 2.39 itself refuses most of these; for them, `plain` is what git did before it did, or what a script does that
// hands a value of `.gitmodules` to a command. Refusing is not left to git: an older one may be installed.
const attacks: Record<string, Attack> = {
  // Refused by git in `.gitmodules` since 2.24.1; obeyed until today in the config, where `git submodule init` copied it.
  'a command to run on update': {
    text: '[submodule "lib"]\n\tpath = lib\n\turl = LIB\n\tupdate = !touch OWNED\n',
    plain:
      'git config --file .gitmodules --unset submodule.lib.update; git -c "submodule.lib.update=!touch OWNED;:" submodule update --init',
    code: null,
  },
  'an ext:: URL': {
    text: '[submodule "lib"]\n\tpath = lib\n\turl = "ext::sh -c touch% OWNED"\n',
    plain: 'git submodule update --init',
    code: 'not-supported',
  },
  // CVE-2018-17456: ignored by git since 2.19.1. A script that does not write `--` before the URL still does this.
  'a URL that is an option': {
    text: '[submodule "lib"]\n\tpath = lib\n\turl = "--upload-pack=touch OWNED"\n',
    plain: 'git ls-remote "--upload-pack=touch OWNED" .',
    code: 'not-supported',
  },
  // CVE-2017-1000117: blocked by git since 2.14.1. This is the ssh that an older one starts.
  'an ssh host that is an option': {
    text: '[submodule "lib"]\n\tpath = lib\n\turl = "ssh://-oProxyCommand=touch%20OWNED/x"\n',
    plain: 'ssh "-oProxyCommand=touch OWNED" /x',
    code: 'not-supported',
  },
  'an scp-like host that is an option': {
    text: '[submodule "lib"]\n\tpath = lib\n\turl = "-oProxyCommand=touch owned:x"\n',
    plain: 'ssh "-oProxyCommand=touch owned" x',
    code: 'not-supported',
  },
  // CVE-2018-11235: ignored by git since 2.17.1. Before, it cloned into the folder of that name.
  'a name that leaves the modules folder': {
    text: '[submodule "../../evil"]\n\tpath = lib\n\turl = LIB\n',
    plain: 'mkdir .git/modules; git clone --separate-git-dir=.git/modules/../../evil LIB lib',
    code: 'not-supported',
  },
  // CVE-2019-1387: git refuses when the outer submodule is there already, and follows the name when it is not.
  'a name inside another submodule': {
    text: '[submodule "lib/hooks"]\n\tpath = lib\n\turl = LIB\n[submodule "lib"]\n\tpath = other\n\turl = LIB\n',
    plain: 'git submodule update --init',
    code: 'not-supported',
  },
  // git finds no such path in the tree, as Huddle does. A script that clones by `.gitmodules` alone follows it.
  'a path that leaves the working copy': {
    text: '[submodule "lib"]\n\tpath = ../outside\n\turl = LIB\n',
    plain: 'git clone LIB ../outside',
    code: null,
  },
};

suite('a malicious .gitmodules', { concurrency: 3 }, () => {
  for (const [what, { text, plain, code }] of Object.entries(attacks))
    test(`does nothing with ${what}`, async () => {
      const { at, place } = await nested();
      const [owned, outside] = [join(at.folder, 'owned'), join(at.folder, 'outside')];
      const filled = (line: string): string =>
        line.replaceAll('LIB', join(at.folder, 'lib.git')).replaceAll('OWNED', owned);
      const harm = (clone: string): string[] =>
        [owned, outside, ...['owned', 'evil', '.git/modules/lib/hooks/HEAD'].map((name) => join(clone, name))].filter(
          existsSync,
        );
      await at.push({ '.gitmodules': filled(text) });

      const copy = join(at.folder, 'copy');
      git(at.folder, 'clone', '--quiet', at.remote, copy);
      const { said } = await output(plainChild(copy, ['sh', '-c', filled(plain)]));
      assert.equal(harm(copy).length, 1, `plain git does not fall for it: ${said}`);
      for (const trace of harm(copy)) await rm(trace, { recursive: true });

      if (code === null) await deploy(place);
      else await assert.rejects(deploy(place), { code });
      assert.deepEqual(harm(at.local), []);
    });

  test('runs no command on update that somebody has put into .git/config', async () => {
    const { at, place, bump } = await nested();
    await deploy(place);
    const owned = join(at.folder, 'owned');
    git(at.local, 'config', 'submodule.lib.update', `!touch ${owned};:`);
    await bump('2');
    const copy = join(at.folder, 'copy');
    await cp(at.local, copy, { recursive: true });
    await plainly(copy, 'pull', '--quiet', at.remote, 'main');
    const said = await plainly(copy, 'submodule', 'update');
    assert.ok(existsSync(owned), said);
    await rm(owned);
    await deploy(place);
    assert.ok(!existsSync(owned));
    assert.equal((await tree(at.local))['lib/lib.txt'], '2');
  });

  test('follows no link that lies where a submodule is to be', async () => {
    const { at, place } = await nested();
    const elsewhere = join(at.folder, 'elsewhere');
    await mkdir(elsewhere);
    await mkdir(at.local);
    await symlink(elsewhere, join(at.local, 'lib'));
    // `git submodule` refuses since 2.39.4, and its clone follows still.
    await plainly(at.local, 'clone', join(at.folder, 'lib.git'), 'lib');
    assert.ok(existsSync(join(elsewhere, 'lib.txt')));
    await rm(at.local, { recursive: true });
    await rm(elsewhere, { recursive: true });
    await mkdir(elsewhere);

    await deploy(at.place());
    await rm(join(at.local, 'lib'), { recursive: true });
    await symlink(elsewhere, join(at.local, 'lib'));
    await deploy(place);
    assert.deepEqual(await readdir(elsewhere), []);
    assert.equal((await tree(at.local))['lib/lib.txt'], '1');
  });
});
