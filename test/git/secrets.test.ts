import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Failure } from '../../machines/failure.ts';
import { askRemote } from '../../src/git/ask.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import type { GitHttp } from '../fixtures/git-http.ts';
import { startSshd } from '../fixtures/sshd.ts';
import { byHand, output, patience, plainly, scene, serveHttp, type Scene } from './support.ts';

interface Watched {
  readonly server: GitHttp;
  /** The password included. */
  readonly url: string;
  readonly secret: string;
  /** The command lines of all processes, at each request so far; forgotten by this. */
  readonly takeCommandLines: () => Promise<string>;
}

/** A server with a password, which looks at the command lines of this machine while a git waits for its answer. */
async function watched(at: Scene): Promise<Watched> {
  let looks: Promise<string>[] = [];
  // One of its own for each test: all of them look at all processes.
  const secret = randomUUID();
  const server = await serveHttp({
    root: at.folder,
    user: 'shop',
    password: secret,
    intercept: () => {
      looks.push(commandLines());
      return false;
    },
  });
  const takeCommandLines = async (): Promise<string> => {
    const taken = looks;
    looks = [];
    return (await Promise.all(taken)).join('\n');
  };
  return { server, url: `${server.url.replace('://', `://shop:${secret}@`)}/remote.git`, secret, takeCommandLines };
}

function wordsOf({ message, subject, reason, hint, cause }: Failure): string {
  return [message, subject, reason, hint, String(cause)].join('\n');
}

async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))).join('\n');
}

async function everything(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

suite('a password in the URL', { concurrency: 3 }, () => {
  test('is neither in .git nor in a command line, where plain git has it', async () => {
    const at = await scene();
    await at.push();
    const { url, secret, takeCommandLines } = await watched(at);
    await plainly(at.folder, 'clone', url, 'copy');
    assert.ok((await everything(join(at.folder, 'copy/.git'))).includes(secret));
    assert.ok((await takeCommandLines()).includes(secret));

    const place = at.place({ remotePath: url });
    await openWorkingCopy(place, 'tip', patience);
    await askRemote(place, 'main', patience);
    assert.ok(!(await everything(at.local)).includes(secret));
    const seen = await takeCommandLines();
    assert.match(seen, /git-remote-http/);
    assert.ok(!seen.includes(secret));
  });

  test('that a rewriting rule of the user would bring into the command line is refused', async () => {
    const at = await scene();
    await at.push();
    const { server, url, secret, takeCommandLines } = await watched(at);
    const config = join(at.folder, 'home/.gitconfig');
    await writeFile(config, `[url "${url.replace('remote.git', '')}"]\n\tinsteadOf = ${server.url}/\n`);
    const address = `${server.url}/remote.git`;
    const child = spawn('git', ['ls-remote', address], { env: { ...byHand, HOME: join(at.folder, 'home') } });
    assert.match((await output(child)).said, /refs\/heads\/main/);
    assert.ok((await takeCommandLines()).includes(secret));

    await assert.rejects(openWorkingCopy(at.place({ remotePath: address }), 'tip', patience), (error: Failure) => {
      assert.match(error.reason, /plaintext credentials/);
      assert.ok(!wordsOf(error).includes(secret));
      return true;
    });
    assert.ok(!(await takeCommandLines()).includes(secret));
    assert.ok(!at.logged.join('').includes(secret));
  });

  test('is struck out of what a server says back, however it writes it', async () => {
    const at = await scene();
    const secret = `p@ss/${randomUUID()}`;
    const encoded = encodeURIComponent(secret);
    const server = await serveHttp({
      root: at.folder,
      intercept: ({ headers }, response) => {
        const given = Buffer.from((headers.authorization ?? '').replace('Basic ', ''), 'base64');
        if (given.length === 0) response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
        else
          response
            .writeHead(403, { 'content-type': 'text/plain' })
            .end(`${String(given)} may not read this, nor may ${encodeURIComponent(String(given))}\n`);
        return true;
      },
    });
    const url = `${server.url.replace('://', `://shop:${encoded}@`)}/remote.git`;
    const plain = await plainly(at.folder, 'ls-remote', url);
    assert.ok(plain.includes(`shop:${secret} may not`) && plain.includes(`shop%3A${encoded}`), plain);
    await assert.rejects(openWorkingCopy(at.place({ remotePath: url }), 'tip', patience), (error: Failure) => {
      assert.equal(error.code, 'authentication-failed');
      assert.ok(!wordsOf(error).includes(secret) && !wordsOf(error).includes(encoded));
      return true;
    });
    const logged = at.logged.join('');
    assert.match(logged, /shop:\*\*\* may not read this, nor may shop%3A\*\*\*/);
    assert.ok(!logged.includes(secret) && !logged.includes(encoded), logged);
  });
});

suite('a git that could ask at a terminal', () => {
  test('fails at once instead', async () => {
    const at = await scene();
    const { server } = await watched(at);
    const remotePath = `${server.url}/remote.git`;
    assert.match(await saidOnTerminal(`git ls-remote ${remotePath}`), /Username for/);
    const said = await openedOnTerminal(at, { remotePath });
    assert.match(said, /ended: authentication-failed/);
    assert.doesNotMatch(said, /Username for/);
  });

  test('fails at once also where ssh would ask for the passphrase of a key', async () => {
    const at = await scene();
    const sshd = await startSshd();
    try {
      const key = join(at.folder, 'locked');
      await copyFile(sshd.key, key);
      await chmod(key, 0o600);
      const locked = spawn('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', key]);
      assert.equal((await output(locked)).code, 0);
      const remotePath = sshd.url(at.remote);
      const { knownHosts } = sshd;
      const ssh = `ssh -F none -i ${key} -o IdentitiesOnly=yes -o UserKnownHostsFile=${knownHosts}`;
      assert.match(await saidOnTerminal(`env GIT_SSH_COMMAND='${ssh}' git ls-remote ${remotePath}`), /passphrase/);
      const said = await openedOnTerminal(at, { remotePath, sshKey: key, knownHosts });
      assert.match(said, /ended: authentication-failed/);
      assert.doesNotMatch(said, /passphrase/);
    } finally {
      await sshd.close();
    }
  });
});

/** What is said on a terminal while a working copy is opened there, and how that ends. */
async function openedOnTerminal(at: Scene, repository: Parameters<Scene['place']>[0]): Promise<string> {
  const script = join(at.folder, 'open.mjs');
  const source = new URL('../../src/git/working-copy.ts', import.meta.url).href;
  await writeFile(
    script,
    `import { openWorkingCopy } from ${JSON.stringify(source)};
    const place = { ...${JSON.stringify(at.place(repository))}, endMarked: async () => {}, log: () => {} };
    const opened = openWorkingCopy(place, 'tip', new AbortController().signal);
    console.log('ended: ' + (await opened.then(() => 'opened', (error) => error.code)));`,
  );
  return saidOnTerminal(`${process.execPath} ${script}`);
}

/** What a command says on a terminal of its own until it ends, or asks: then nobody answers, and it is hung up on. */
async function saidOnTerminal(line: string): Promise<string> {
  const terminal = spawn('script', ['-qefc', line, '/dev/null'], { env: byHand });
  let said = '';
  terminal.stdout.on('data', (chunk) => {
    said += String(chunk);
    if (/Username for|passphrase/.test(said)) terminal.kill('SIGKILL');
  });
  await new Promise((resolve) => terminal.once('close', resolve));
  return said;
}
