import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Failure } from '../../machines/failure.ts';
import { askRemote, fetchRevision } from '../../src/git/ask.ts';
import { checkOut } from '../../src/git/check-out.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import type { GitHttp } from '../fixtures/git-http.ts';
import { startSshd, type Sshd } from '../fixtures/sshd.ts';
import { endMarked, git, marked, patience, plainChild, scene, serveHttp, type Scene } from './support.ts';

const secret = 'p@ss wörd/%41:"\'$x';

/** Text of every file below the local path, git's and Huddle's own ones included. */
async function everything(at: Scene): Promise<string> {
  const entries = await readdir(at.local, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

function assertNoSecret(text: string, hidden = secret): void {
  for (const form of [hidden, encodeURIComponent(hidden), Buffer.from(`shop:${hidden}`).toString('base64')])
    assert.ok(!text.includes(form), `${form} is in ${text}`);
}

suite('asking a remote', () => {
  for (const depth of [null, 1, 50])
    test(`takes one process and few bytes, however many refs the remote has: depth ${depth ?? 'of all'}`, async () => {
      const at = await scene();
      for (let made = 0; made < 60; made++) git(at.author, 'commit', '--quiet', '--allow-empty', '-m', `${made}`);
      const tip = await at.push();
      const refs = Array.from({ length: 5000 }, (_, index) => `${tip} refs/heads/b${index}\n`).toSorted();
      await writeFile(join(at.remote, 'packed-refs'), refs.join(''));
      assert.equal(git(at.remote, 'for-each-ref', '--count=6000', '--format=x').length, 5001 * 2 - 1);
      const server = await serveHttp({ root: at.folder });
      const count = join(at.folder, 'count');
      const counting = join(at.folder, 'git-that-counts');
      await writeFile(counting, `#!/bin/sh\necho >> ${count}\nexec git "$@"\n`);
      await chmod(counting, 0o755);
      const place = at.place({ remotePath: `${server.url}/remote.git`, executable: counting, depth });
      await openWorkingCopy(place, 'tip', patience);
      const ask = async (): Promise<{ tip: string; processes: number; bytes: number }> => {
        const bytes = (): number => server.bytesReceived() + server.bytesSent();
        const start = bytes();
        await writeFile(count, '');
        const asked = await askRemote(place, 'main', patience);
        return { tip: asked.tip, processes: (await readFile(count, 'utf8')).length, bytes: bytes() - start };
      };
      const assertLean = async (expected: string): Promise<void> => {
        const asked = await ask();
        assert.equal(asked.tip, expected);
        assert.equal(asked.processes, 1);
        assert.ok(asked.bytes <= 2000, `${asked.bytes} bytes`);
      };
      await assertLean(tip);
      // With a depth, each deployment leaves one more commit at which history ends.
      for (let update = 0; update < 3; update++) {
        const revision = await at.push();
        assert.equal((await ask()).tip, revision);
        await fetchRevision(place, { branch: 'main', revision, from: null }, patience);
        await checkOut(place, { revision, branch: 'main' }, patience);
        await assertLean(revision);
      }
    });

  test('with a depth sees what was rewritten, and fetches no more of it than that', async () => {
    const at = await scene();
    const oldest = await at.push({ 'a.txt': '1' });
    for (const text of ['2', '3', '4']) await at.push({ 'a.txt': text });
    const place = at.place({ remotePath: `file://${at.remote}`, depth: 2 });
    const { tip } = await openWorkingCopy(place, 'tip', patience);
    assert.equal((await askRemote(place, 'main', patience)).tip, tip);
    git(at.author, 'reset', '--quiet', '--hard', 'HEAD~2');
    const forced = await at.push({ 'a.txt': '5' });
    assert.equal((await askRemote(place, 'main', patience)).tip, forced);
    assert.equal(git(at.local, 'rev-list', '--count', 'origin/main'), '2');
    assert.throws(() => git(at.local, 'cat-file', '-e', oldest));
    git(at.remote, 'branch', '--move', 'main', 'other');
    await assert.rejects(askRemote(place, 'main', patience), { code: 'branch-missing' });
    git(at.remote, 'branch', '--move', 'other', 'main');
    assert.equal((await askRemote(place, 'main', patience)).tip, forced);
  });

  test('makes a depth hold again that was changed by hand', async () => {
    const at = await scene();
    for (const text of ['1', '2', '3', '4']) await at.push({ 'a.txt': text });
    const place = at.place({ remotePath: `file://${at.remote}`, depth: 2 });
    const depth = (): string => git(at.local, 'rev-list', '--count', 'origin/main');
    await openWorkingCopy(place, 'tip', patience);
    git(at.local, 'fetch', '--quiet', '--unshallow');
    assert.equal(depth(), '4');
    await askRemote(place, 'main', patience);
    assert.equal(depth(), '2');
  });

  test('finds new commits, forced ones too, and brings them here', async () => {
    const at = await scene();
    await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const next = await at.push();
    assert.equal((await askRemote(at.place(), 'main', patience)).tip, next);
    git(at.author, 'commit', '--quiet', '--amend', '-m', 'Otherwise');
    const forced = await at.push({ 'x.txt': 'x' });
    assert.equal((await askRemote(at.place(), 'main', patience)).tip, forced);
    assert.equal(git(at.local, 'cat-file', '-t', forced), 'commit');
  });

  test('reads packed refs as well', async () => {
    const at = await scene();
    const revision = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    git(at.local, 'pack-refs', '--all', '--prune');
    assert.equal((await askRemote(at.place(), 'main', patience)).tip, revision);
  });
});

suite('fetching a revision', { concurrency: 3 }, () => {
  test('tells how many commits by whom it is ahead, and its subject', async () => {
    const at = await scene();
    const from = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    await at.push();
    git(
      at.author,
      'commit',
      '--quiet',
      '--allow-empty',
      '-m',
      'Sell\u001b[31m more',
      '--author',
      'Grace <g@example.org>',
    );
    git(at.author, 'push', '--quiet', 'origin', 'HEAD:main');
    const { tip } = await askRemote(at.place(), 'main', patience);
    const fetched = await fetchRevision(at.place(), { branch: 'main', revision: tip, from }, patience);
    assert.deepEqual(fetched, { revision: tip, commits: 2, authors: ['Grace', 'Ada'], subject: 'Sell[31m more' });
    const back = await fetchRevision(at.place(), { branch: 'main', revision: from, from: tip }, patience);
    assert.equal(back.commits, null);
  });

  test('takes ids, short ids, branches and tags that an operator types, and nothing that git reads as an option', async () => {
    const at = await scene();
    const first = await at.push();
    git(at.author, 'tag', '-a', 'v1', '-m', 'One');
    git(at.author, 'push', '--quiet', 'origin', 'v1');
    const second = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    git(at.author, 'checkout', '--quiet', '-b', 'topic');
    const topic = await at.push({}, { branch: 'topic' });
    const get = async (revision: string): Promise<string> =>
      (await fetchRevision(at.place(), { branch: 'main', revision, from: null }, patience)).revision;
    assert.equal(await get(first), first);
    assert.equal(await get(second.slice(0, 8)), second);
    assert.equal(await get('v1'), first);
    assert.equal(await get('topic'), topic);
    assert.equal(await get('main~1'), first);
    const lie = `--upload-pack=touch ${at.folder}/owned`;
    for (const wrong of ['nobody', '0'.repeat(40), 'deadbeef', lie, '-x', 'main:file.txt', '@{u}', ''])
      await assert.rejects(get(wrong), { code: 'branch-missing' }, wrong);
    assert.ok(!(await readdir(at.folder)).includes('owned'));
  });

  test('fetches an id that no branch of the remote names any more', async () => {
    const at = await scene();
    await at.push();
    const lost = await at.push();
    git(at.remote, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
    git(at.author, 'reset', '--quiet', '--hard', 'HEAD~1');
    await at.push({});
    await openWorkingCopy(at.place(), 'tip', patience);
    const fetched = await fetchRevision(at.place(), { branch: 'main', revision: lost, from: null }, patience);
    assert.equal(fetched.revision, lost);
  });

  test('brings new tags along', async () => {
    const at = await scene();
    await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const revision = await at.push();
    git(at.author, 'tag', 'v2');
    git(at.author, 'push', '--quiet', 'origin', 'v2');
    await fetchRevision(at.place(), { branch: 'main', revision, from: null }, patience);
    assert.equal(git(at.local, 'describe', '--tags', revision), 'v2');
  });

  test('works in a SHA-256 repository', async () => {
    const at = await scene();
    git(
      at.folder,
      'init',
      '--quiet',
      '--bare',
      '--object-format=sha256',
      '--initial-branch=main',
      `${at.folder}/256.git`,
    );
    const author = join(at.folder, 'author256');
    git(at.folder, 'init', '--quiet', '--object-format=sha256', author);
    git(author, 'remote', 'add', 'origin', `${at.folder}/256.git`);
    git(author, 'commit', '--quiet', '--allow-empty', '-m', 'One');
    git(author, 'push', '--quiet', 'origin', 'HEAD:main');
    const revision = git(author, 'rev-parse', 'HEAD');
    const place = at.place({ remotePath: `${at.folder}/256.git` });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
    await checkOut(place, { revision, branch: 'main' }, patience);
    assert.equal(git(at.local, 'rev-parse', 'HEAD'), revision);
  });
});

suite('over http', () => {
  let at: Scene;
  let server: GitHttp;
  let revision: string;
  before(async () => {
    at = await scene();
    revision = await at.push();
    server = await serveHttp({ root: at.folder, user: 'shop', password: secret });
  });

  test("the password file is read at each use, and the password is nowhere but in git's environment", async () => {
    const passwordFile = join(at.folder, 'password');
    await writeFile(passwordFile, `${secret}\n`);
    const watching = join(at.folder, 'git-watched');
    const seen = join(at.folder, 'seen');
    await writeFile(watching, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${seen}\nexec git "$@"\n`);
    await chmod(watching, 0o755);
    const place = at.place({
      remotePath: `${server.url}/remote.git`,
      username: 'shop',
      passwordFile,
      executable: watching,
    });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
    assertNoSecret(await everything(at));
    assertNoSecret(await readFile(seen, 'utf8'));
    await writeFile(passwordFile, 'wrong\n');
    await assert.rejects(askRemote(place, 'main', patience), { code: 'authentication-failed' });
    await writeFile(passwordFile, secret);
    assert.equal((await askRemote(place, 'main', patience)).tip, revision);
    for (const text of ['', 'one\ntwo\n']) {
      await writeFile(passwordFile, text);
      await assert.rejects(askRemote(place, 'main', patience), { code: 'authentication-failed' });
    }
    await assert.rejects(askRemote(at.place({ ...place.repository, passwordFile: '/nowhere' }), 'main', patience), {
      code: 'authentication-failed',
    });
    assertNoSecret(at.logged.join(''));
  });

  test('credentials in the URL are kept out of argv, config, logs and errors', async () => {
    const inUrl = await scene();
    const remotePath = `${server.url.replace('://', `://shop:${encodeURIComponent(secret)}@`)}/remote.git`;
    const place = inUrl.place({ remotePath });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
    assertNoSecret(await everything(inUrl));
    assert.equal(git(inUrl.local, 'remote', 'get-url', 'origin'), `${server.url}/remote.git`);
    const wrong = inUrl.place({ remotePath: remotePath.replace('remote.git', 'missing.git') });
    await assert.rejects(askRemote(wrong, 'main', patience), (error: Failure) => {
      assertNoSecret(`${error.message} ${error.hint} ${error.subject} ${error.reason} ${String(error.cause)}`);
      return error.code === 'remote-unreachable';
    });
    const denied = inUrl.place({ remotePath: remotePath.replace('shop:', 'thief:') });
    await assert.rejects(askRemote(denied, 'main', patience), { code: 'authentication-failed' });
    assertNoSecret(inUrl.logged.join(''));
  });

  test('without credentials git asks nobody and fails at once', async () => {
    const none = await scene();
    await assert.rejects(openWorkingCopy(none.place({ remotePath: `${server.url}/remote.git` }), 'tip', patience), {
      code: 'authentication-failed',
    });
  });

  test("the user's own credential helper answers where the config names no password", async () => {
    const own = await scene();
    const home = join(own.folder, 'home');
    await writeFile(join(home, '.gitconfig'), '[credential]\n\thelper = "store"\n');
    const url = new URL(server.url);
    await writeFile(join(home, '.git-credentials'), `http://shop:${encodeURIComponent(secret)}@${url.host}\n`);
    const place = own.place({ remotePath: `${server.url}/remote.git` });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
  });

  test('credentials do not follow a redirect to another origin', async () => {
    const moved = await scene();
    const thief = await serveHttp({ root: at.folder, user: 'nobody', password: 'knows' });
    const forge = await serveHttp({
      root: at.folder,
      intercept: (request, response) => {
        response.writeHead(302, { location: `${thief.url}${request.url}` }).end();
        return true;
      },
    });
    const passwordFile = join(moved.folder, 'password');
    await writeFile(passwordFile, secret);
    const place = moved.place({ remotePath: `${forge.url}/remote.git`, username: 'shop', passwordFile });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'authentication-failed' });
    assert.ok(thief.requests.length > 0);
    assert.deepEqual(thief.requests.map(({ authorization }) => authorization).filter(Boolean), []);
  });

  test('a redirect inside the same origin is followed with them', async () => {
    const moved = await scene();
    const forge: GitHttp = await serveHttp({
      root: at.folder,
      user: 'shop',
      password: secret,
      intercept: (request, response) => {
        if (!request.url?.startsWith('/old.git')) return false;
        response.writeHead(301, { location: request.url.replace('/old.git', '/remote.git') }).end();
        return true;
      },
    });
    const passwordFile = join(moved.folder, 'password');
    await writeFile(passwordFile, secret);
    const place = moved.place({ remotePath: `${forge.url}/old.git`, username: 'shop', passwordFile });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
  });
});

suite('over ssh', () => {
  let at: Scene;
  let sshd: Sshd;
  let revision: string;
  before(async () => {
    at = await scene();
    revision = await at.push();
    sshd = await startSshd();
  });
  after(() => sshd.close());

  test('the configured key and known hosts let it in, from paths of any spelling', async () => {
    const folder = join(at.folder, `it's "odd" 100% $HOME`);
    await mkdir(folder);
    await copyFile(sshd.key, join(folder, 'key'));
    await chmod(join(folder, 'key'), 0o600);
    await copyFile(sshd.knownHosts, join(folder, 'known hosts'));
    const place = at.place({
      remotePath: sshd.url(at.remote),
      sshKey: join(folder, 'key'),
      knownHosts: join(folder, 'known hosts'),
    });
    assert.equal((await openWorkingCopy(place, 'tip', patience)).tip, revision);
  });

  test('a host key that is not known is refused, and never learnt', async () => {
    const place = at.place({ remotePath: sshd.url(at.remote), sshKey: sshd.key, localPath: join(at.folder, 'two') });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'host-key-unknown' });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'host-key-unknown' });
  });

  test('a key that may not log in is refused', async () => {
    const { strangerKey: sshKey, knownHosts } = sshd;
    const place = at.place({
      remotePath: sshd.url(at.remote),
      sshKey,
      knownHosts,
      localPath: join(at.folder, 'three'),
    });
    await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'authentication-failed' });
  });
});

suite('a git that hangs', () => {
  let silent: Server;
  let port: number;
  before(async () => {
    silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    ({ port } = silent.address() as AddressInfo);
  });
  after(() => void silent.close());

  test('is ended with all its children when its time is up', async () => {
    for (const remotePath of [
      `http://127.0.0.1:${port}/x.git`,
      `git://127.0.0.1:${port}/x.git`,
      `ssh://127.0.0.1:${port}/x.git`,
    ]) {
      const at = await scene();
      const plain = plainChild(at.folder, ['git', 'ls-remote', remotePath], {
        HUDDLE_MARK: `plain:${at.folder}`,
      });
      const place = at.place({ remotePath, timeout: 0.5 });
      await assert.rejects(openWorkingCopy(place, 'tip', patience), { code: 'timeout' });
      assert.deepEqual(await marked(place.mark), []);
      // Plain git hangs on.
      assert.equal(plain.exitCode, null);
      await endMarked(`plain:${at.folder}`);
    }
  });

  test('is ended with all its children when the work is aborted, also such as have left its session', async () => {
    const at = await scene();
    await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const hanging = join(at.folder, 'git-hanging');
    await writeFile(hanging, '#!/bin/sh\nsetsid sleep 1000 &\nsleep 1000\n');
    await chmod(hanging, 0o755);
    const place = at.place({ executable: hanging });
    const abort = new AbortController();
    const asked = askRemote(place, 'main', abort.signal);
    while ((await marked(place.mark)).length < 3) await pause(10);
    abort.abort(new Error('enough'));
    await assert.rejects(asked, /enough/);
    assert.deepEqual(await marked(place.mark), []);
  });

  test('an abort before anything is started starts nothing', async () => {
    const at = await scene();
    await assert.rejects(openWorkingCopy(at.place(), 'tip', AbortSignal.abort(new Error('no'))), /no/);
    assert.ok(!(await readdir(at.folder)).includes('local'));
  });
});

suite('what cannot be', () => {
  test('is told by its code', async () => {
    const at = await scene();
    await at.push();
    const failing = async (repository: object, place: object, code: string): Promise<void> => {
      await assert.rejects(openWorkingCopy(at.place(repository, place), 'tip', patience), { code }, code);
    };
    await failing({ executable: 'no-such-git' }, {}, 'git-missing');
    await failing({ remotePath: 'http://127.0.0.1:9/x.git' }, {}, 'remote-unreachable');
    await failing({ remotePath: 'https://no-such-host.invalid/x.git' }, {}, 'remote-unreachable');
    await failing({ remotePath: join(at.folder, 'nowhere.git') }, {}, 'remote-unreachable');
    await failing({ branch: '--upload-pack=x' }, {}, 'config-invalid');
    await failing({ remote: '-x' }, {}, 'config-invalid');
    await failing({}, { runAs: ['setpriv', '--reuid=nobody-at-all', '--clear-groups'] }, 'user-unknown');
    await failing({ executable: 'no-such-git' }, { runAs: ['setpriv', '--nnp'] }, 'git-missing');
  });

  test('a full disk is told as such', async (t) => {
    const at = await scene();
    const small = join(at.folder, 'small');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      t.skip('mounting needs more rights');
      return;
    }
    try {
      await at.push({ big: randomBytes(1_000_000).toString('base64') });
      await assert.rejects(openWorkingCopy(at.place({ localPath: join(small, 'app') }), 'tip', patience), {
        code: 'disk-full',
      });
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});
