import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { makeCandidate } from '../../src/git/candidate.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { hardening } from '../../src/git/environment.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { parseRemote } from '../../src/git/remote-url.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, output, patience, plainChild, plainly, scene, serveHttp, tree, type Scene } from './support.ts';

/** Everything that Huddle does with git, once, errors aside. */
async function cycle(place: GitPlace, revision: string): Promise<void> {
  const steps = [
    () => openWorkingCopy(place, 'tip', patience),
    () => askRemote(place, 'main', patience),
    () => fetchRevision(place, { branch: 'main', revision, from: null }, patience),
    async () => (await makeCandidate(place, revision, patience)).remove(),
    () => checkOut(place, { revision, branch: 'main' }, patience),
  ];
  for (const step of steps) await step();
}

interface Attack {
  /** What is put into the working copy's `.git/config`; `OWN` stands for a command that leaves a trace. */
  readonly config: string;
  /** What plain git does that falls for it. */
  readonly plain: readonly string[];
  readonly remote?: 'http' | 'ssh' | 'git';
  /** In the place of the remote's address. */
  readonly url?: string;
}

const refspec = '+refs/heads/main:refs/remotes/origin/main';
const fetching = ['fetch', 'origin', refspec];

// Each test first shows that plain git falls for it.
const attacks: Record<string, Attack> = {
  'core.fsmonitor': { config: '[core]\nfsmonitor = OWN', plain: ['status'] },
  'core.hooksPath': { config: '[core]\nhooksPath = HOOKS', plain: ['checkout', '--force', 'main'] },
  'a smudge filter': {
    config: '[filter "evil"]\nsmudge = OWN',
    plain: ['checkout', '--force', 'origin/main', '--', '.'],
  },
  'a clean filter': { config: '[filter "evil"]\nclean = OWN', plain: ['add', '.'] },
  'a filter process': { config: '[filter "evil"]\nprocess = OWN', plain: ['checkout', 'origin/main', '--', '.'] },
  'remote.uploadpack': { config: '[remote "origin"]\nuploadpack = OWN;git-upload-pack', plain: fetching },
  'url.insteadOf': { config: '[url "ext::sh -c OWN% "]\ninsteadOf = /', plain: fetching },
  'remote.vcs': { config: '[remote "origin"]\nvcs = ext', url: 'OWN', plain: fetching },
  'core.sshCommand': { config: '[core]\nsshCommand = OWN', plain: fetching, remote: 'ssh' },
  'credential.helper': { config: '[credential]\nhelper = "!OWN;:"', plain: fetching, remote: 'http' },
  'core.askPass': { config: '[core]\naskPass = OWN', plain: fetching, remote: 'http' },
  'core.gitProxy': { config: '[core]\ngitProxy = OWN', plain: fetching, remote: 'git' },
  'include.path': { config: '[include]\npath = INCLUDED', plain: ['status'] },
  includeIf: { config: '[includeIf "gitdir:/**"]\npath = INCLUDED', plain: ['status'] },
  'config.worktree': {
    config: '[core]\nrepositoryformatversion = 1\n[extensions]\nworktreeConfig = true',
    plain: ['status'],
  },
  'diff.external': { config: '[diff]\nexternal = OWN', plain: ['diff', 'origin/main~1', 'origin/main'] },
  'a diff driver': { config: '[diff "evil"]\ncommand = OWN', plain: ['diff', 'origin/main~1', 'origin/main'] },
  'a textconv': { config: '[diff "evil"]\ntextconv = OWN', plain: ['diff', 'origin/main~1', 'origin/main'] },
  'a merge driver': { config: '[merge "evil"]\ndriver = OWN', plain: ['merge', 'origin/side'] },
  'an alias': { config: '[alias]\nco = !OWN', plain: ['co'] },
  'gpg.program': {
    config: '[gpg]\nprogram = OWN\n[commit]\ngpgSign = true',
    plain: ['commit', '--allow-empty', '-m', 'x'],
  },
};

/** A working copy with the attack in its config, and what a plain git in its place does. */
async function attacked(attack: Attack): Promise<{ at: Scene; place: GitPlace; revision: string; owned: string }> {
  const at = await scene();
  await at.push({ 'a.txt': 'a', '.gitattributes': '*.txt filter=evil diff=evil merge=evil\n' });
  git(at.author, 'push', '--quiet', 'origin', 'HEAD:side');
  git(at.author, 'checkout', '--quiet', '-b', 'side');
  await at.push({ 'a.txt': 'side' }, { branch: 'side' });
  git(at.author, 'checkout', '--quiet', '-');
  await openWorkingCopy(at.place(), 'tip', patience);
  const first = git(at.remote, 'rev-parse', 'main');
  await checkOut(at.place(), { revision: first, branch: 'main' }, patience);
  const revision = await at.push({ 'a.txt': 'a2' });
  git(at.local, 'fetch', '--quiet', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  if (attack.config.includes('merge')) {
    await writeFile(join(at.local, 'a.txt'), 'mine');
    git(at.local, 'commit', '-qam', 'Mine');
  }
  const owned = join(at.folder, 'owned');
  const command = join(at.folder, 'own');
  await writeFile(command, `#!/bin/sh\ntouch ${owned}\n`);
  await chmod(command, 0o755);
  await mkdir(join(at.folder, 'hooks'));
  await cp(command, join(at.folder, 'hooks/post-checkout'));
  const filled = attack.config
    .replaceAll('OWN', command)
    .replaceAll('HOOKS', join(at.folder, 'hooks'))
    .replaceAll('INCLUDED', join(at.folder, 'included'));
  await writeFile(join(at.folder, 'included'), `[core]\nfsmonitor = ${command}\n`);
  await writeFile(join(at.local, '.git/config.worktree'), `[core]\nfsmonitor = ${command}\n`);
  const address = await remoteOf(at, attack.remote);
  git(at.local, 'config', 'remote.origin.url', attack.url?.replace('OWN', command) ?? address);
  const config = join(at.local, '.git/config');
  await writeFile(config, `${await readFile(config, 'utf8')}\n${filled}\n`);
  return { at, place: at.place({ remotePath: address, timeout: 10 }), revision, owned };
}

async function remoteOf(at: Scene, kind: Attack['remote']): Promise<string> {
  if (kind === undefined) return at.remote;
  if (kind === 'http') return `${(await serveHttp({ root: at.folder, user: 'a', password: 'b' })).url}/remote.git`;
  return `${kind}://127.0.0.1:${closedPort}/remote.git`;
}

let closedPort = 0;
before(async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closedPort = (server.address() as AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
});

suite("the working copy's own config", { concurrency: 3 }, () => {
  for (const [what, attack] of Object.entries(attacks))
    test(`is not followed: ${what}`, async () => {
      const { at, place, revision, owned } = await attacked(attack);
      const copy = join(at.folder, 'copy');
      await cp(at.local, copy, { recursive: true });
      const said = await plainly(copy, ...attack.plain);
      assert.ok(existsSync(owned), `plain git does not fall for it: ${said}`);
      await rename(owned, `${owned}-by-plain-git`);
      await writeFile(join(at.local, 'a.txt'), 'in the way');
      await cycle(place, revision).catch((error: unknown) => {
        assert.ok(attack.remote !== undefined && error instanceof Failure, String(error));
      });
      await checkOut(place, { revision, branch: 'main' }, patience);
      assert.ok(!existsSync(owned));
      assert.equal((await tree(at.local))['a.txt'], 'a2');
    });

  test('does not send the files elsewhere: core.worktree', async () => {
    const { at, place, revision } = await attacked({ config: '[core]\nworktree = ../../elsewhere', plain: [] });
    await mkdir(join(at.folder, 'elsewhere'));
    await plainly(at.local, 'checkout', '--force', 'origin/main');
    assert.deepEqual(readdirSync(join(at.folder, 'elsewhere')).toSorted(), ['.gitattributes', 'a.txt']);
    await cycle(place, revision);
    assert.deepEqual(await tree(at.local), { 'a.txt': 'a2' });
  });

  test('does not send the question elsewhere: insteadOf', async () => {
    const { at, place, revision } = await attacked({ config: '', plain: [] });
    const evil = join(at.folder, 'evil.git');
    git(at.folder, 'clone', '--quiet', '--bare', at.remote, evil);
    git(evil, 'update-ref', 'refs/heads/main', 'side');
    git(at.local, 'config', `url.${evil}.insteadOf`, at.remote);
    assert.ok(
      (await plainly(at.local, 'ls-remote', 'origin', 'refs/heads/main')).startsWith(git(evil, 'rev-parse', 'side')),
    );
    assert.equal((await askRemote(place, 'main', patience)).tip, revision);
  });
});

suite('hooks, replacements and grafts of the working copy', () => {
  test('hooks never run', async () => {
    const { at, place, revision, owned } = await attacked({ config: '', plain: [] });
    for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-auto-gc', 'post-merge'])
      await cp(join(at.folder, 'own'), join(at.local, '.git/hooks', hook));
    await plainly(at.local, 'update-ref', 'refs/heads/x', 'HEAD');
    assert.ok(existsSync(owned));
    await rename(owned, `${owned}-by-plain-git`);
    // Nor do those that the user has for all repositories: they are made for people.
    const all = join(at.local, '.git/hooks');
    await writeFile(join(at.folder, 'home/.gitconfig'), `[core]\n\thooksPath = ${all}\n`);
    await cycle(place, revision);
    assert.ok(!existsSync(owned));
  });

  test('nothing is asked what has changed: core.fsmonitor of the user', async () => {
    const { at, place, revision, owned } = await attacked({ config: '', plain: [] });
    const home = join(at.folder, 'home');
    await writeFile(join(home, '.gitconfig'), `[core]\n\tfsmonitor = ${join(at.folder, 'own')}\n`);
    const { said } = await output(plainChild(at.local, ['git', 'status'], { HOME: home }));
    assert.ok(existsSync(owned), said);
    await rename(owned, `${owned}-by-plain-git`);
    await cycle(place, revision);
    assert.ok(!existsSync(owned));
  });

  test('a replace ref puts no other content in the place of a commit', async () => {
    const { at, place, revision } = await attacked({ config: '', plain: [] });
    git(at.local, 'replace', revision, 'origin/side');
    assert.equal(git(at.local, 'show', `${revision}:a.txt`), 'side');
    await cycle(place, revision);
    assert.equal((await tree(at.local))['a.txt'], 'a2');
  });
});

suite('what a config or a commit may name', () => {
  test('no remote path is read as an option or a command', async () => {
    const at = await scene();
    const owned = join(at.folder, 'owned');
    await plainly(at.folder, 'ls-remote', `--upload-pack=touch ${owned}`, '.');
    assert.ok(existsSync(owned));
    await rename(owned, `${owned}-by-plain-git`);
    await plainly(at.folder, 'ls-remote', `ext::touch ${owned}`);
    assert.ok(existsSync(owned));
    await rename(owned, `${owned}-by-plain-git`);
    const wrong = [
      `--upload-pack=touch ${owned}`,
      `ext::touch ${owned}`,
      `fd::17`,
      `-oProxyCommand=touch ${owned}:x`,
      `ssh://-oProxyCommand=touch%20${owned}/x`,
      `x@-oProxyCommand=x:y`,
      'ftp://example.org/x',
      'transport::address',
      'https://',
      'relative/path',
      'a\nb:c',
    ];
    for (const remotePath of wrong)
      await assert.rejects(
        openWorkingCopy(at.place({ remotePath }), 'tip', patience),
        { code: 'config-invalid' },
        remotePath,
      );
    assert.ok(!existsSync(owned));
  });

  test('credentials are taken out of every form of URL', () => {
    const address = (text: string): string => parseRemote(text).address;
    assert.equal(address('https://u:p@example.org/x.git'), 'https://example.org/x.git');
    assert.equal(address('https://token@example.org:8443/x'), 'https://example.org:8443/x');
    assert.equal(address('ssh://git:p@example.org/x'), 'ssh://git@example.org/x');
    assert.equal(address('git@example.org:x/y.git'), 'git@example.org:x/y.git');
    assert.equal(parseRemote('https://u:p%40%2F@example.org/').password, 'p@/');
  });

  test('a bare repository inside the tree is not entered', async () => {
    const { at, place, owned } = await attacked({ config: '', plain: [] });
    const evil = join(at.author, 'evil');
    git(at.author, 'init', '--quiet', '--bare', evil);
    await writeFile(join(evil, 'objects/keep'), '');
    await writeFile(join(evil, 'refs/keep'), '');
    await writeFile(
      join(evil, 'config'),
      `[core]\nfsmonitor = ${join(at.folder, 'own')}\n[alias]\nst = !${join(at.folder, 'own')}\n`,
    );
    git(at.author, 'add', '-f', 'evil');
    const revision = await at.push({});
    await cycle(place, revision);
    assert.ok(!existsSync(owned));
    const said = await plainly(join(at.local, 'evil'), 'st');
    assert.ok(existsSync(owned), said);
    await rename(owned, `${owned}-by-plain-git`);
    // Huddle's git looks for no repository anywhere, so that this line of defence is tried alone.
    await plainly(join(at.local, 'evil'), ...hardening(place), 'st');
    assert.ok(!existsSync(owned));
    const inside = at.place({ localPath: join(at.local, 'evil') });
    await assert.rejects(openWorkingCopy(inside, 'tip', patience), { code: 'path-occupied' });
    assert.ok(!existsSync(owned));
  });

  test("the environment of Huddle's own user steers no git", async () => {
    const at = await scene();
    const revision = await at.push();
    const owned = join(at.folder, 'owned');
    const steering = {
      GIT_SSH_COMMAND: `touch ${owned}`,
      GIT_EXTERNAL_DIFF: `touch ${owned}`,
      GIT_INDEX_FILE: join(at.folder, 'index'),
      GIT_OBJECT_DIRECTORY: join(at.folder, 'objects'),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'core.fsmonitor',
      GIT_CONFIG_VALUE_0: `touch ${owned}`,
      EDITOR: `touch ${owned}`,
      SSH_ASKPASS: `touch ${owned}`,
    };
    Object.assign(process.env, steering);
    try {
      await cycle(at.place(), revision);
    } finally {
      for (const name of Object.keys(steering)) Reflect.deleteProperty(process.env, name);
    }
    assert.ok(!existsSync(owned));
    assert.ok(!existsSync(join(at.folder, 'objects')));
  });

  test("the user's own config is followed", async () => {
    const at = await scene();
    const revision = await at.push();
    await writeFile(
      join(at.folder, 'home/.gitconfig'),
      `[url "${at.remote}"]\n\tinsteadOf = https://example.invalid/x.git\n`,
    );
    // What a user's own config rewrites to is the user's choice, but transports stay as they are for all.
    await assert.rejects(openWorkingCopy(at.place({ remotePath: 'https://example.invalid/x.git' }), 'tip', patience));
    const server = await serveHttp({ root: at.folder });
    await writeFile(
      join(at.folder, 'home/.gitconfig'),
      `[url "${server.url}/"]\n\tinsteadOf = https://example.invalid/\n`,
    );
    const place = at.place({ remotePath: 'https://example.invalid/remote.git' });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
  });

  test('debug output of libraries shows no password', async () => {
    const at = await scene();
    await at.push();
    const server = await serveHttp({ root: at.folder, user: 'shop', password: 'hunter2' });
    const place = at.place({ remotePath: `${server.url.replace('://', '://shop:hunter2@')}/remote.git` });
    const script = `
      import { openWorkingCopy } from ${JSON.stringify(new URL('../../src/git/working-copy.ts', import.meta.url).href)};
      const place = { ...${JSON.stringify(place)}, endMarked: async () => {}, log: (text) => console.log(text) };
      await openWorkingCopy(place, 'tip', new AbortController().signal);`;
    // Not in this process: it would wait for itself to serve.
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, DEBUG: '*' },
    });
    const { said, code } = await output(child);
    assert.equal(code, 0, said);
    assert.ok(!said.includes('hunter2'));
  });
});

suite('as another user', { skip: process.getuid?.() !== 0 }, () => {
  const runAs = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];
  const uid = 65534;

  async function ofNobody(): Promise<{ at: Scene; place: GitPlace; revision: string }> {
    const at = await scene();
    const revision = await at.push({ 'a.txt': 'a' });
    await chmod(at.folder, 0o755);
    await mkdir(at.local);
    await chown(at.local, uid, uid);
    await chown(join(at.folder, 'home'), uid, uid);
    const { url } = await serveHttp({ root: at.folder });
    return { at, place: at.place({ remotePath: `${url}/remote.git` }, { runAs }), revision };
  }

  test("everything in the working copy is the user's, and nothing of root's environment goes along", async () => {
    const { at, place, revision } = await ofNobody();
    const environments = join(at.folder, 'home/environments');
    const telling = join(at.folder, 'git-telling');
    await writeFile(telling, `#!/bin/sh\nenv >> ${environments}\nexec git "$@"\n`);
    await chmod(telling, 0o755);
    process.env['OF_ROOT'] = 'secret';
    await cycle(at.place({ ...place.repository, executable: telling }, { runAs }), revision);
    delete process.env['OF_ROOT'];
    const told = await readFile(environments, 'utf8');
    assert.ok(told.includes('HUDDLE_MARK=') && !told.includes('OF_ROOT'));
    for (const entry of readdirSync(at.local, { recursive: true, withFileTypes: true }))
      if (!entry.isSymbolicLink())
        assert.equal((await stat(join(entry.parentPath, entry.name))).uid, uid, join(entry.parentPath, entry.name));
  });

  test('a link that the user has laid leads Huddle nowhere', async () => {
    const { at, place, revision } = await ofNobody();
    await cycle(place, revision);
    const precious = join(at.folder, 'precious');
    await mkdir(precious, { mode: 0o700 });
    await rename(join(at.local, '.git/huddle'), join(at.local, '.git/away'));
    await symlink(precious, join(at.local, '.git/huddle'));
    await assert.rejects(cycle(place, revision));
    assert.deepEqual(readdirSync(precious), []);
  });

  test('a local path that the user may not make is told, with what to do', async () => {
    const { at, place } = await ofNobody();
    await assert.rejects(
      openWorkingCopy(at.place({ ...place.repository, localPath: join(at.folder, 'new') }, { runAs }), 'tip', patience),
      (error: Failure) => {
        assert.equal(error.code, 'directory-missing');
        assert.match(error.hint, /install -d .*new/);
        return true;
      },
    );
  });
});
