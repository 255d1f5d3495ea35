import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { startGitHttp, type GitHttp, type GitHttpOptions } from '../fixtures/git-http.ts';
import { startSshd, type Sshd } from '../fixtures/sshd.ts';
import { plain, scene, type Scene } from './harness.ts';
import { environmentOf } from './proc.ts';
import { git } from './repository.ts';

async function http(t: TestContext, stage: Scene, options: Partial<GitHttpOptions> = {}): Promise<GitHttp> {
  const server = await startGitHttp({ root: join(stage.root, 'repos'), ...options });
  t.after(() => server.close());
  return server;
}

async function ssh(t: TestContext): Promise<Sshd> {
  const server = await startSshd();
  t.after(() => server.close());
  return server;
}

suite('Remotes', { concurrency: 2 }, () => {
  test('over http, with user name and password file, and the password is seen nowhere', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const password = 'hunter2-hunter2';
    const seen: string[] = [];
    // Git is at work while it asks: what any user of the machine could see of it then.
    const look = () => {
      for (const { pid, command } of stage.processes()) {
        if (command.includes(password)) seen.push(`command line: ${command}`);
        if (/huddle\.cjs/.test(command) && JSON.stringify(environmentOf(pid)).includes(password))
          seen.push('environment');
      }
      return false;
    };
    const server = await http(t, stage, { user: 'ada', password, intercept: look });
    const first = await repo.publish(plain('v1'));
    writeFileSync(join(stage.root, 'password'), `${password}\n`, { mode: 0o600 });
    await stage.app('shop', `${server.url}/shop/remote.git`, {
      repository: { username: 'ada', 'password file': join(stage.root, 'password') },
    });
    const huddle = stage.startHuddle(['--debug']);
    await huddle.live('shop', first);
    await huddle.live('shop', await repo.publish(plain('v2')));
    // A wrong password, as the file says now, is an error that tells no more than it must.
    writeFileSync(join(stage.root, 'password'), 'wrong-wrong\n');
    const refused = await huddle.until('shop', ({ error }) => error !== null, 'refused');
    assert.equal(refused.error?.code, 'authentication-failed');
    assert.equal(refused.program?.state, 'up');
    writeFileSync(join(stage.root, 'password'), `${password}\n`);
    huddle.check();
    await huddle.live('shop', await repo.publish(plain('v3')));

    const places: Record<string, string> = {
      log: huddle.log,
      status: JSON.stringify([huddle.seen, huddle.deployments]),
      config: readFileSync(join(stage.copy('shop'), '.git/config'), 'utf8'),
    };
    for (const file of readdirSync(join(stage.dir, '.huddle'), { recursive: true, withFileTypes: true })) {
      if (file.isFile()) places[file.name] = readFileSync(join(file.parentPath, file.name), 'utf8');
    }
    const basic = Buffer.from(`ada:${password}`).toString('base64');
    for (const secret of [password, 'wrong-wrong', basic]) {
      for (const [place, text] of Object.entries(places)) assert.ok(!text.includes(secret), `${secret} in ${place}`);
    }
    assert.deepEqual(seen, []);
    await huddle.stop();
  });

  test('a password in the URL is used, and seen nowhere either', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const password = 'hunter2-hunter2';
    const seen: string[] = [];
    const look = () => {
      seen.push(
        ...stage
          .processes()
          .map(({ command }) => command)
          .filter((command) => command.includes(password)),
      );
      return false;
    };
    const server = await http(t, stage, { user: 'ada', password, intercept: look });
    const first = await repo.publish(plain('v1'));
    const url = `${server.url}/shop/remote.git`.replace('//', `//ada:${password}@`);
    await stage.app('shop', url);
    const huddle = stage.startHuddle(['--debug']);
    await huddle.live('shop', first);
    await rename(repo.remote, `${repo.remote}.away`);
    await huddle.until('shop', ({ error }) => error !== null, 'an error');
    const copy = readFileSync(join(stage.copy('shop'), '.git/config'), 'utf8');
    for (const text of [huddle.log, JSON.stringify(huddle.seen), copy, ...seen])
      assert.ok(!text.includes(password), text);
    await huddle.stop();
  });

  test('over ssh, with key and known hosts; a stranger’s key and an unknown host are refused', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const server = await ssh(t);
    const first = await repo.publish(plain('v1'));
    const keys = { 'ssh key': server.key, 'known hosts': server.knownHosts };
    const none = join(stage.root, 'no-hosts');
    writeFileSync(none, '');
    const url = server.url(repo.remote);
    await stage.app('shop', url, { repository: keys });
    await stage.app('stranger', url, { repository: { ...keys, 'ssh key': server.strangerKey } });
    await stage.app('unknown', url, { repository: { ...keys, 'known hosts': none } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const stranger = await huddle.until('stranger', ({ error }) => error !== null, 'refused');
    assert.equal(stranger.error?.code, 'authentication-failed');
    const unknown = await huddle.until('unknown', ({ error }) => error !== null, 'refused');
    assert.equal(unknown.error?.code, 'host-key-unknown');
    assert.equal(readFileSync(none, 'utf8'), '');
    await huddle.live('shop', await repo.publish(plain('v2')));
    await huddle.stop();
  });

  test('a remote that goes away leaves the program alone, and is followed again when it is back', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    const before = await huddle.live('shop', first);
    await rename(repo.remote, `${repo.remote}.away`);
    const lost = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(lost.error?.code, 'remote-unreachable');
    assert.deepEqual(lost.program, before.program);
    await rename(`${repo.remote}.away`, repo.remote);
    const second = await repo.publish(plain('v2'));
    huddle.check();
    assert.equal((await huddle.live('shop', second)).error, null);
    await huddle.stop();
  });

  test('a remote that is not there at first is cloned when it comes', async (t) => {
    const stage = await scene(t);
    await stage.app('shop', join(stage.root, 'repos/shop/remote.git'));
    const huddle = stage.startHuddle();
    const waiting = await huddle.until('shop', ({ state, error }) => state === 'waiting' && error !== null, 'waiting');
    assert.equal(waiting.error?.code, 'remote-unreachable');
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    huddle.check();
    await huddle.live('shop', first);
    await huddle.stop();
  });

  test('a branch that is missing is named, and followed when it is pushed', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { repository: { branch: 'live' } });
    const huddle = stage.startHuddle();
    const waiting = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(waiting.error?.code, 'branch-missing');
    assert.match(waiting.error?.message ?? '', /live/);
    await repo.git('switch', '--quiet', '--create', 'live');
    const first = await repo.publish(plain('v2'));
    huddle.check();
    await huddle.live('shop', first);
    await huddle.stop();
  });

  test('an empty remote is waited for until its first commit', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await stage.app('shop', repo.remote, { repository: { branch: '' } });
    const huddle = stage.startHuddle();
    const waiting = await huddle.until('shop', ({ error }) => error !== null, 'an error');
    assert.equal(waiting.error?.code, 'remote-empty');
    const first = await repo.publish(plain('v1'));
    huddle.check();
    assert.equal((await huddle.live('shop', first)).branch, 'main');
    await huddle.stop();
  });

  test('without a branch the remote’s default one is followed, whatever its name', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v0'));
    await repo.git('switch', '--quiet', '--create', 'trunk');
    const first = await repo.publish(plain('v1'));
    await git(repo.remote, 'symbolic-ref', 'HEAD', 'refs/heads/trunk');
    await stage.app('shop', repo.remote, { repository: { branch: '' } });
    const huddle = stage.startHuddle();
    assert.equal((await huddle.live('shop', first)).branch, 'trunk');
    await huddle.live('shop', await repo.publish(plain('v2')));
    await huddle.stop();
  });

  test('a force-push is followed, and nothing of the old history is left in the tree', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    const old = await repo.publish({ ...plain('v2'), 'only-old': 'x' });
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    await huddle.live('shop', old);
    await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    const rewritten = await repo.commit(plain('rewritten'));
    await repo.push();
    await huddle.live('shop', rewritten);
    assert.ok(!existsSync(join(stage.copy('shop'), 'only-old')));
    assert.equal(await git(stage.copy('shop'), 'status', '--porcelain'), '');
    await huddle.stop();
  });

  test('local changes are saved before they are overwritten, and the log says how to get them back', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish({ ...plain('v1'), '.gitignore': 'cache\n' });
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const copy = stage.copy('shop');
    writeFileSync(join(copy, 'version'), 'edited by hand\n');
    writeFileSync(join(copy, 'new-file'), 'untracked, in the way\n');
    writeFileSync(join(copy, 'cache'), 'ignored, in the way\n');
    writeFileSync(join(copy, 'bystander'), 'untracked\n');
    const second = await repo.publish({
      ...plain('v2'),
      'new-file': 'theirs\n',
      '.gitignore': null,
      cache: 'theirs\n',
    });
    await huddle.live('shop', second);
    assert.equal(readFileSync(join(copy, 'new-file'), 'utf8'), 'theirs\n');
    assert.equal(readFileSync(join(copy, 'bystander'), 'utf8'), 'untracked\n');
    const refs = (await git(copy, 'for-each-ref', '--format=%(refname)', 'refs/huddle/saved')).split('\n');
    assert.equal(refs.length, 1);
    const saved = refs[0] ?? '';
    assert.equal(await git(copy, 'show', `${saved}:version`), 'edited by hand');
    assert.equal(await git(copy, 'show', `${saved}:new-file`), 'untracked, in the way');
    assert.equal(await git(copy, 'show', `${saved}:cache`), 'ignored, in the way');
    assert.ok(huddle.log.includes(saved), huddle.log);
    await huddle.stop();
  });

  test('a foreign folder, and a working copy of another remote, are refused and left untouched', async (t) => {
    const stage = await scene(t);
    const [repo, other] = [await stage.repo('shop'), await stage.repo('other')];
    const first = await repo.publish(plain('v1'));
    await other.publish(plain('other'));
    mkdirSync(stage.copy('folder'), { recursive: true });
    writeFileSync(join(stage.copy('folder'), 'precious'), 'mine');
    await git(stage.root, 'clone', '--quiet', other.remote, stage.copy('clone'));
    await git(stage.root, 'clone', '--quiet', repo.remote, stage.copy('fine'));
    for (const name of ['folder', 'clone', 'fine']) await stage.app(name, repo.remote);
    const huddle = stage.startHuddle();
    for (const name of ['folder', 'clone']) {
      const refused = await huddle.until(name, ({ error }) => error !== null, 'refused');
      assert.equal(refused.error?.code, 'path-occupied');
      assert.equal(refused.program?.pid ?? null, null);
    }
    assert.deepEqual(readdirSync(stage.copy('folder')), ['precious']);
    assert.equal(readFileSync(join(stage.copy('clone'), 'version'), 'utf8'), 'other\n');
    // A clone that somebody made of the very remote is taken as it is.
    await huddle.live('fine', first);

    // The way is free: the app begins.
    await rm(stage.copy('folder'), { recursive: true });
    huddle.check();
    await huddle.live('folder', first);
    await huddle.stop();
  });

  test('a working copy inside another repository is never mistaken for it', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const parent = join(stage.root, 'copies');
    await git(parent, 'init', '--quiet', '-b', 'main');
    writeFileSync(join(parent, 'precious'), 'mine');
    await git(parent, 'add', 'precious');
    await git(parent, 'commit', '--quiet', '-m', 'Parent');
    const head = await git(parent, 'rev-parse', 'HEAD');
    mkdirSync(stage.copy('shop'));
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    await huddle.live('shop', await repo.publish(plain('v2')));
    assert.equal(await git(parent, 'rev-parse', 'HEAD'), head);
    assert.equal(readFileSync(join(parent, 'precious'), 'utf8'), 'mine');
    await huddle.stop();
  });

  test('submodules follow when they are wanted', async (t) => {
    const stage = await scene(t);
    const [repo, library] = [await stage.repo('shop'), await stage.repo('library')];
    await library.publish({ 'lib.txt': 'one\n' });
    await repo.commit(plain('v1'));
    await repo.git('submodule', '--quiet', 'add', library.remote, 'lib');
    const first = await repo.publish({});
    await stage.app('shop', repo.remote, { repository: { submodules: true } });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const copy = join(stage.copy('shop'), 'lib/lib.txt');
    assert.equal(readFileSync(copy, 'utf8'), 'one\n');
    await library.publish({ 'lib.txt': 'two\n' });
    await repo.git('submodule', '--quiet', 'update', '--remote');
    const second = await repo.publish({});
    await huddle.live('shop', second);
    assert.equal(readFileSync(copy, 'utf8'), 'two\n');
    await huddle.stop();
  });
});
