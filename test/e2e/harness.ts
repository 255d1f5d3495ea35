import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnvironment, Huddle, runCommand, type AppStatus, type Deployment, type Ended } from './command.ts';
import { alive, endProcessesOf, processesOf, type Found } from './proc.ts';
import { Repository, type Files } from './repository.ts';

/** A config file's sections; a section of null is left out. */
export type Sections = Readonly<Record<string, Readonly<Record<string, unknown>> | null>>;

/** The file of a program in `test/e2e/programs`. */
export function program(name: string): string {
  return readFileSync(join(import.meta.dirname, 'programs', name), 'utf8');
}

/** What most repositories hold: a program that writes its starts and stops, and the version that it is. */
export function plain(version: string): Files {
  return { 'program.sh': program('plain.sh'), version: `${version}\n` };
}

/** A stage for one test: a folder of its own for configs, repositories and working copies; all of it goes with the test. */
export async function scene(t: Pick<TestContext, 'after'>): Promise<Scene> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'huddle-e2e-')));
  t.after(async () => {
    await endProcessesOf(root);
    await rm(root, { recursive: true, force: true });
  });
  // Programs that run as another user must find their way through.
  await chmod(root, 0o755);
  await Promise.all(['dir', 'home', 'copies'].map((folder) => mkdir(join(root, folder))));
  return new Scene(root);
}

interface Deployed {
  readonly repo: Repository;
  readonly first: string;
  readonly huddle: Huddle;
  readonly app: AppStatus;
}

export class Scene {
  readonly root: string;
  /** The DIR of `huddle -c DIR`. */
  readonly dir: string;
  /** Where the programs write their lines. */
  readonly journalFile: string;

  constructor(root: string) {
    this.root = root;
    this.dir = join(root, 'dir');
    this.journalFile = join(root, 'journal');
  }

  /** An empty remote with its work clone. */
  async repo(name = 'shop'): Promise<Repository> {
    return await Repository.create(join(this.root, 'repos', name));
  }

  /** Where an app's working copy lives. */
  copy(name: string): string {
    return join(this.root, 'copies', name);
  }

  /** The sections of an app that follows a repository and starts its `program.sh`, changed by `sections`. */
  sections(name: string, remote: string, sections: Sections = {}): Sections {
    const usual: Sections = {
      repository: { 'remote path': remote, 'local path': this.copy(name), branch: 'main' },
      timing: { minimum: 0.5 },
      application: {
        start: ['sh', 'program.sh'],
        environment: { JOURNAL: this.journalFile },
        settle: 0.2,
        'stop timeout': 5,
      },
    };
    const merged: Record<string, Readonly<Record<string, unknown>> | null> = { ...usual };
    for (const [section, keys] of Object.entries(sections)) {
      merged[section] = keys === null ? null : { ...usual[section], ...keys };
    }
    return Object.fromEntries(Object.entries(merged).filter(([, keys]) => keys !== null));
  }

  /** Writes a config file as a good program does: beside, then renamed over. */
  async writeConfig(name: string, sections: Sections): Promise<void> {
    const beside = join(this.root, `${name}.beside`);
    await writeFile(beside, JSON.stringify(sections, null, 2));
    await rename(beside, this.file(`${name}.json`));
  }

  /** The config file of an app that follows a remote, in one step. */
  async app(name: string, remote: string, sections: Sections = {}): Promise<void> {
    await this.writeConfig(name, this.sections(name, remote, sections));
  }

  /** A path in DIR. */
  file(name: string): string {
    return join(this.dir, name);
  }

  /** `through`: an argv that becomes the command, as `setpriv` does. */
  startHuddle(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, through: readonly string[] = []): Huddle {
    return new Huddle(this.dir, args, this.environment(env), through);
  }

  /** A Huddle that has deployed the first revision of `shop`, its only app. */
  async deployed(files = plain('v1'), sections: Sections = {}): Promise<Deployed> {
    const repo = await this.repo();
    const first = await repo.publish(files);
    await this.app('shop', repo.remote, sections);
    const huddle = this.startHuddle();
    return { repo, first, huddle, app: await huddle.live('shop', first) };
  }

  /** Runs the command with these arguments to its end. */
  async run(...args: string[]): Promise<Ended> {
    return await runCommand(args, this.environment());
  }

  /** A home of its own, and the path by which its processes are found at the end. */
  environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...cleanEnvironment(), HOME: join(this.root, 'home'), E2E_SCENE: this.root, NO_COLOR: '1', ...more };
  }

  /** The lines that the programs have written. */
  journal(): string[] {
    if (!existsSync(this.journalFile)) return [];
    return readFileSync(this.journalFile, 'utf8').split('\n').slice(0, -1);
  }

  /** The same without process ids: `start v1`. */
  story(): string[] {
    return this.journal().map((line) => line.replace(/ \d+ /, ' '));
  }

  /** The process ids of all programs that have told of their start and live. */
  livePrograms(): number[] {
    const started = this.journal().flatMap((line) => /^start (\d+) /.exec(line)?.[1] ?? []);
    return started.map(Number).filter(alive);
  }

  processes(): Found[] {
    return processesOf(this.root);
  }

  /** Past deployments as the ledger holds them, oldest first, as soon as the last one is of this revision, and ended so. */
  async historyOf(name: string, last: string, result?: Deployment['result']): Promise<Omit<Deployment, 'name'>[]> {
    return await eventually(`the history ends with ${last} ${result ?? ''}`, () => {
      const history = this.#history(name);
      const end = history.at(-1);
      return end?.revision === last && (result === undefined || end.result === result) && history;
    });
  }

  #history(name: string): Omit<Deployment, 'name'>[] {
    const file = join(this.dir, '.huddle/apps', name, 'history.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Deployment);
  }

  /** The whole of a log of an app. */
  logOf(name: string, log: 'app' | 'deploy' = 'app'): string {
    return readFileSync(join(this.dir, '.huddle/apps', name, 'logs', `${log}.log`), 'utf8');
  }
}

/** Waits for a fact that no event tells: looks again every 20 ms, and fails after 30 s, with what a Huddle has logged. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  huddle?: Huddle,
): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}\n${huddle?.log ?? ''}`);
    await sleep(20);
  }
}
