import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Repository } from '../../machines/config.ts';
import { layOutRepository } from '../../src/git/clone.ts';
import { enter } from '../../src/git/common-folder.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { repositoryOf, type GitRepository } from '../../src/git/repository.ts';
import { createRemote, script } from '../fixtures/remote.ts';
import { startGitHttp, type GitHttp, type GitHttpOptions } from '../fixtures/git-http.ts';

/** Plain git, as a person at the keyboard uses it, with no config but the repository's. */
export function git(folder: string, ...argv: string[]): string {
  return execFileSync('git', argv, { cwd: folder, encoding: 'utf8', env: byHand, stdio: 'pipe' }).trimEnd();
}

/** The environment of plain git in tests. */
export const byHand: Record<string, string> = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
  GIT_CONFIG_NOSYSTEM: '1',
  // Tests lay submodules out by path.
  GIT_ALLOW_PROTOCOL: 'file:http:ssh:git:ext',
};

/** Plain git with all output kept, which may fail: how it ends is not what is looked at. */
export async function plainly(folder: string, ...argv: string[]): Promise<string> {
  return (await output(plainChild(folder, ['git', ...argv]))).said;
}

/** A command as a person at the keyboard starts it, still running. */
export function plainChild(folder: string, argv: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const [command = 'git', ...rest] = argv;
  return spawn(command, rest, { cwd: folder, env: { ...byHand, ...env }, timeout: 20_000 });
}

/** What a child says and how it ends. */
export async function output(child: ChildProcess): Promise<{ said: string; code: number | null }> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { said, code };
}

export interface Scene {
  readonly folder: string;
  /** A bare repository, branch main. */
  readonly remote: string;
  /** Where the app's working copy is to be. */
  readonly local: string;
  /** What the deploy log was told. */
  readonly logged: string[];
  readonly place: (repository?: Partial<Repository>, place?: Partial<GitPlace>) => GitPlace;
  /** Commits files to a branch of the remote, whatever was there (null removes one), and answers the revision. */
  readonly push: (files?: Record<string, string | null>, options?: { branch?: string }) => Promise<string>;
  /** A clone that pushes into the remote. */
  readonly author: string;
}

/**
 * An empty repository with this address for its remote, which no config could name: what is tried on it is tried on
 * what lies below the parser.
 */
export async function belowTheParser(place: GitPlace, address: string): Promise<GitRepository> {
  const remote = { address, transport: 'http', origin: '', username: null, password: null } as const;
  const repository = { ...repositoryOf(place, 'fetching', patience), remote };
  await layOutRepository(repository, 'sha1', []);
  await enter(repository, new Map());
  return repository;
}

/** The lines of a script in the work clone, for a remote, a branch, a message and the paths that have changed. */
const publish = [
  'remote=$1 ref=refs/heads/$2 message=$3',
  'shift 3',
  'if [ $# -gt 0 ]; then git --literal-pathspecs add --force --all -- "$@"; fi',
  'git commit --quiet --allow-empty --message "$message"',
  'revision=$(git rev-parse HEAD)',
  'git --git-dir="$remote" update-ref "$ref" "$revision"',
  'echo "$revision"',
];

const scenes: string[] = [];
after(async () => {
  for (const folder of scenes) await rm(folder, { recursive: true, force: true });
});

/** A remote with no commit yet, and a place for an app, in a folder of the test's own. */
export async function scene(): Promise<Scene> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'huddle-git-')));
  scenes.push(folder);
  const remote = join(folder, 'remote.git');
  const author = join(folder, 'author');
  const local = join(folder, 'local');
  const home = join(folder, 'home');
  const emptyFolder = join(folder, 'empty');
  for (const path of [home, emptyFolder]) await mkdir(path);
  await createRemote(remote, author, byHand);
  // Objects are written where the remote has its own: a push is one ref then, and not five processes.
  await rm(join(author, '.git/objects'), { recursive: true });
  await symlink(join(remote, 'objects'), join(author, '.git/objects'));
  const logged: string[] = [];
  return {
    folder,
    remote,
    local,
    logged,
    author,
    place: (repository = {}, place = {}) => ({
      name: 'shop',
      repository: {
        remotePath: remote,
        localPath: local,
        branch: 'main',
        remote: 'origin',
        executable: 'git',
        depth: null,
        submodules: false,
        timeout: 30,
        sshKey: null,
        knownHosts: null,
        username: null,
        passwordFile: null,
        ...repository,
      },
      runAs: [],
      environment: { HOME: home },
      mark: `test:${folder}`,
      endMarked,
      log: (text) => logged.push(text),
      emptyFolder,
      ...place,
    }),
    push: async (files = { 'file.txt': `${Math.random()}\n` }, { branch = 'main' } = {}) => {
      for (const [name, text] of Object.entries(files)) {
        const path = join(author, name);
        if (text === null) await rm(path, { recursive: true, force: true });
        else await mkdir(dirname(path), { recursive: true }).then(() => writeFile(path, text));
      }
      const names = Object.keys(files);
      return await script(author, publish, [remote, branch, `Change ${names.join(', ')}`, ...names], byHand);
    },
  };
}

const servers: GitHttp[] = [];
after(async () => {
  for (const server of servers) await server.close();
});

/** A git server that is closed when the tests of the file are done. */
export async function serveHttp(options: GitHttpOptions): Promise<GitHttp> {
  const server = await startGitHttp(options);
  servers.push(server);
  return server;
}

/** Never aborts. */
export const patience = new AbortController().signal;

/** The process ids of all that carry a mark. */
export async function marked(mark: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`HUDDLE_MARK=${mark}`) && (await isAlive(pid))) found.push(pid);
  }
  return found;
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

/** Kills all that carry a mark; resolves when none is left. */
export async function endMarked(mark: string): Promise<void> {
  for (;;) {
    const pids = await marked(mark);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
    await pause(5);
  }
}

/** Everything below a folder, but for what git keeps: path to text (links to `-> target`). */
export async function tree(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !`${entry.parentPath}/${entry.name}`.includes('/.git'));
  const texts = files.map(async (entry): Promise<[string, string]> => {
    const path = join(entry.parentPath, entry.name);
    return [path.slice(folder.length + 1), await readFile(path, 'utf8')];
  });
  return Object.fromEntries((await Promise.all(texts)).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
