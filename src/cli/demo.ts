import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asFailure, Failure } from '../../machines/failure.ts';
import { noOptions } from './options.ts';
import { run } from './run.ts';

const execute = promisify(execFile);

/** Where the demo keeps what it shows. All of it is removed in the end. */
interface Stage {
  readonly root: string;
  /** The bare repository: what a forge would be. */
  readonly remote: string;
  /** Where the user works and pushes from. */
  readonly work: string;
  /** The folder of the config files. */
  readonly apps: string;
  readonly port: number;
}

/**
 * Shows a push going live: a bare repository, a small web program, its config, and Huddle running on them. Needs git
 * and no network. Resolves with the exit code when it is told to stop; nothing of it is left then.
 */
export async function demo(): Promise<number> {
  const stage = await setStage();
  try {
    await writeProgram(stage);
    await writeConfig(stage);
    process.stdout.write(instructions(stage));
    return await run({ ...noOptions, folder: stage.apps });
  } finally {
    await rm(stage.root, { recursive: true, force: true });
    process.stdout.write(`\nThe demo has ended; ${stage.root} is gone.\n`);
  }
}

async function setStage(): Promise<Stage> {
  const root = await mkdtemp(join(await realpath(tmpdir()), 'huddle-demo-'));
  const stage = { root, remote: join(root, 'shop.git'), work: join(root, 'shop'), apps: join(root, 'apps') };
  await mkdir(stage.apps);
  return { ...stage, port: await freePort() };
}

async function writeProgram({ root, remote, work }: Stage): Promise<void> {
  await git(root, 'init', '--quiet', '--bare', '--initial-branch=main', remote);
  await git(root, 'clone', '--quiet', remote, work);
  await git(work, 'config', 'user.name', 'Huddle demo');
  await git(work, 'config', 'user.email', 'demo@localhost');
  await git(work, 'config', 'commit.gpgsign', 'false');
  await writeFile(join(work, 'server.mjs'), server);
  await writeFile(join(work, 'greeting.txt'), 'Hello from the first revision\n');
  await git(work, 'add', '.');
  await git(work, 'commit', '--quiet', '--message=Say hello');
  await git(work, 'push', '--quiet', 'origin', 'HEAD:main');
}

async function writeConfig({ apps, remote, root, port }: Stage): Promise<void> {
  const config = {
    repository: { 'remote path': remote, 'local path': join(root, 'running'), branch: 'main' },
    timing: { minimum: 1 },
    test: { command: `"${process.execPath}" --check server.mjs` },
    application: { start: [process.execPath, 'server.mjs'], environment: { PORT: String(port) }, settle: 1 },
    watchdog: { period: 5, host: `http://127.0.0.1:${port}/` },
  };
  await writeFile(join(apps, 'shop.json'), `${JSON.stringify(config, null, 2)}\n`);
}

/** What the demo deploys: it answers with the greeting and the revision that it was started from. */
const server = `import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const greeting = readFileSync('greeting.txt', 'utf8').trim();
const revision = process.env.HUDDLE_REVISION.slice(0, 7);
const server = createServer((request, response) => response.end(\`\${greeting} (\${revision})\\n\`));
server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => server.close(() => process.exit()));
`;

function instructions({ work, apps, port }: Stage): string {
  return `
A bare repository, a small web program and its config are in place, and Huddle runs on them.
It answers at http://127.0.0.1:${port}/

In another terminal, push a change and see it go live:

  cd ${work}
  echo "Hello from the second revision" > greeting.txt
  git commit -am "Greet anew" && git push
  curl http://127.0.0.1:${port}/

What Huddle makes of it is told below; the config is ${join(apps, 'shop.json')}.
Ctrl-C ends the demo and removes all of it.

`;
}

async function git(directory: string, ...args: string[]): Promise<void> {
  try {
    await execute('git', args, { cwd: directory });
  } catch (thrown) {
    const isMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isMissing) throw asFailure(thrown);
    throw new Failure('git-missing', {
      doing: 'preparing',
      subject: 'the demo',
      reason: 'there is no git on this machine',
      hint: 'Install git.',
      cause: thrown,
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
