import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { leaveGarbage } from '../fixtures/garbage.ts';

const execute = promisify(execFile);

/** Files by their paths; null removes one. A path that ends in `.sh` becomes executable. */
export type Files = Readonly<Record<string, string | null>>;

/**
 * A bare remote, and the work clone of the one who pushes to it. What is committed in there goes to the remote's objects
 * at once: a push is one ref then, and not six processes.
 */
export class Repository {
  readonly remote: string;
  readonly work: string;

  private constructor(folder: string) {
    this.remote = join(folder, 'remote.git');
    this.work = join(folder, 'work');
  }

  /** An empty remote, whose default branch is `main`, and a clone of it with nothing committed. */
  static async create(folder: string): Promise<Repository> {
    const repository = new Repository(folder);
    await mkdir(folder, { recursive: true });
    await git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', repository.remote);
    await git(folder, 'init', '--quiet', '--initial-branch=main', repository.work);
    await leaveGarbage(repository.remote, repository.work);
    await repository.git('remote', 'add', 'origin', repository.remote);
    return repository;
  }

  /** The copy of a remote and its work clone that lies in another folder than before. */
  static async moved(folder: string): Promise<Repository> {
    const repository = new Repository(folder);
    await repository.git('remote', 'set-url', 'origin', repository.remote);
    return repository;
  }

  /** Runs git in the work clone; what it printed. */
  async git(...args: string[]): Promise<string> {
    return await run(this.work, args, { GIT_OBJECT_DIRECTORY: join(this.remote, 'objects') });
  }

  /** Commits files on the branch that is checked out; the commit's id. */
  async commit(files: Files, message = 'Change'): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.work, path);
      if (content === null) {
        await rm(file, { recursive: true });
        continue;
      }
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
    }
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--allow-empty', '--message', message);
    return await this.git('rev-parse', 'HEAD');
  }

  /** Makes the remote's branch what is checked out, whether it follows on what was there or not. */
  async push(): Promise<void> {
    const [revision = '', ref = ''] = (await this.git('rev-parse', 'HEAD', '--symbolic-full-name', 'HEAD')).split('\n');
    await git(this.remote, 'update-ref', ref, revision);
  }

  /** Commits and pushes; the commit's id. */
  async publish(files: Files, message = 'Change'): Promise<string> {
    const revision = await this.commit(files, message);
    await this.push();
    return revision;
  }
}

const environment = {
  PATH: process.env['PATH'],
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
};

/** Runs git in a folder, apart from the configuration of the one who runs the tests; what it printed. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  return await run(folder, args);
}

async function run(folder: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const safe = ['-c', 'safe.directory=*', '-c', 'protocol.file.allow=always'];
  const env = { ...environment, ...more };
  const { stdout } = await execute('git', [...safe, ...args], { cwd: folder, env });
  return stdout.trim();
}
