import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createRemote, script } from '../fixtures/remote.ts';

const execute = promisify(execFile);

/** Files by their paths; null removes one. A path that ends in `.sh` becomes executable. */
export type Files = Readonly<Record<string, string | null>>;

// The lines of scripts, in the work clone: `$1` is the message, `$2` the remote.
const commit = ['git add --all', 'git commit --quiet --allow-empty --message "$1"'];
const know = 'revision=$(git rev-parse HEAD)';
const push = 'git --git-dir="$2" update-ref "$(git symbolic-ref HEAD)" "$revision"';
const tell = 'echo "$revision"';

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
    await createRemote(repository.remote, repository.work, environment);
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
    return await run(this.work, args, this.#environment);
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...environment, GIT_OBJECT_DIRECTORY: join(this.remote, 'objects') };
  }

  /** Commits files on the branch that is checked out; the commit's id. */
  async commit(files: Files, message = 'Change'): Promise<string> {
    return await this.#commit(files, message, [...commit, know, tell]);
  }

  async #commit(files: Files, message: string, lines: readonly string[]): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.work, path);
      if (content === null) {
        await rm(file, { recursive: true });
        continue;
      }
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
    }
    return await this.#script(lines, message);
  }

  /** Makes the remote's branch what is checked out, whether it follows on what was there or not. */
  async push(): Promise<void> {
    await this.#script([know, push]);
  }

  /** Commits and pushes; the commit's id. */
  async publish(files: Files, message = 'Change'): Promise<string> {
    return await this.#commit(files, message, [...commit, know, push, tell]);
  }

  async #script(lines: readonly string[], message = ''): Promise<string> {
    return await script(this.work, lines, [message, this.remote], this.#environment);
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
  // As `-c` does, also for each git of a script.
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
  GIT_CONFIG_KEY_1: 'protocol.file.allow',
  GIT_CONFIG_VALUE_1: 'always',
};

/** Runs git in a folder, apart from the configuration of the one who runs the tests; what it printed. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  return await run(folder, args, environment);
}

async function run(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await execute('git', args, { cwd, env });
  return stdout.trim();
}
