import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Huddle } from '../command.ts';
import { eventually, program, scene, type Scene, type Sections } from '../harness.ts';
import { Repository, type Files } from '../repository.ts';

// What a Huddle that is killed leaves behind is judged in a world of its own: a remote, an app `shop` that serves on a
// port, and, where it can do no harm to the meaning of a fault, an app `quiet` that nothing is to disturb.

/** How `shop` is deployed, and how it is reached: on a port of its own, or, side by side, in one of two ways. */
export type Kind = 'in place' | 'listen' | 'proxy';

/** The state that tests are begun from, made once and copied: `v1` has been deployed, and Huddle has stopped. */
export async function template(t: Pick<TestContext, 'after'>, kind: Kind = 'in place'): Promise<Scene> {
  const stage = await scene(t);
  const repo = await stage.repo();
  const world = new World(stage, repo, await ownPort(), kind);
  const v1 = await world.push('v1');
  await world.repo.git('push', '--quiet', 'origin', 'HEAD:quiet');
  await world.configure();
  await world.addQuiet();
  const huddle = stage.startHuddle();
  await huddle.live('shop', v1);
  await huddle.live('quiet', v1);
  // A program is up before it has done anything: one that is stopped at once has written nothing.
  const journals = [stage.journalFile, quietJournal(stage)];
  await eventually('both programs have begun', () => journals.every((path) => existsSync(path)));
  await huddle.stop();
  for (const path of journals) await rm(path);
  if (kind !== 'in place') await world.write('shared/data/mine');
  return stage;
}

/** The templates of in place and of side by side, each made when it is first wanted. */
export type Templates = (kind: Kind) => Promise<Scene>;

export function templates(t: Pick<TestContext, 'after'>): Templates {
  const made = new Map<string, Promise<Scene>>();
  return (kind) => {
    const base = kind === 'in place' ? kind : 'listen';
    const found = made.get(base) ?? template(t, base);
    made.set(base, found);
    return found;
  };
}

/** A world where nothing has been deployed yet, or where `v1` has. */
export async function newWorld(
  t: Pick<TestContext, 'after'>,
  from: Scene | null,
  { withQuiet = false, kind = 'in place' }: { readonly withQuiet?: boolean; readonly kind?: Kind } = {},
): Promise<World> {
  const stage = await scene(t);
  if (from === null) return new World(stage, await stage.repo(), await ownPort(), kind);
  for (const part of ['dir', 'copies', 'repos']) {
    await cp(join(from.root, part), join(stage.root, part), { recursive: true, verbatimSymlinks: true });
  }
  const world = new World(stage, await Repository.moved(join(stage.root, 'repos/shop')), await ownPort(), kind);
  if (withQuiet) await world.addQuiet();
  else await rm(stage.file('quiet.json'));
  world.revisions.set('v1', await world.repo.git('rev-parse', 'HEAD'));
  return world;
}

/** A free port that the system gives to nobody by itself: the worlds beside this one make many connections. */
async function ownPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    if (!(await promise)) continue;
    await new Promise((closed) => server.close(closed));
    return port;
  }
}

export class World {
  readonly stage: Scene;
  readonly repo: Repository;
  readonly port: number;
  /** As the next `configure` writes it. */
  kind: Kind;
  /** The commit of each version that was pushed. */
  readonly revisions = new Map<string, string>();

  constructor(stage: Scene, repo: Repository, port: number, kind: Kind) {
    this.stage = stage;
    this.repo = repo;
    this.port = port;
    this.kind = kind;
  }

  /** What the program is told. */
  get environment(): Readonly<Record<string, string>> {
    const journal = { JOURNAL: this.stage.journalFile };
    return this.kind === 'in place' ? { ...journal, PORT: String(this.port) } : journal;
  }

  /** Where the switch script has told which release is in charge. */
  get front(): string {
    return join(this.stage.root, 'front');
  }

  /** Pushes a version of the program, with other files. */
  async push(version: string, files: Files = {}): Promise<string> {
    const serve = program('../kills/programs/serve.mjs');
    const usual = { 'serve.mjs': serve, 'quiet.sh': program('plain.sh'), 'padding.txt': `${version}\n`.repeat(200) };
    const revision = await this.repo.publish({ ...usual, version: `${version}\n`, ...files }, version);
    this.revisions.set(version, revision);
    return revision;
  }

  /** Pushes a version in the place of the last one, whose commit is gone then. */
  async forcePush(version: string): Promise<void> {
    await this.repo.commit({ version: `${version}\n` });
    await this.repo.git('reset', '--quiet', '--soft', 'HEAD~1');
    await this.repo.git('commit', '--quiet', '--amend', '--message', version);
    this.revisions.set(version, await this.repo.git('rev-parse', 'HEAD'));
    await this.repo.push();
  }

  /** Takes the last version back. */
  async withdraw(): Promise<void> {
    await this.repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    await this.repo.push();
  }

  /** The revision of a version, of whatever edition: `v1+edited`. */
  revision(version: string): string {
    return this.revisions.get(version.replace(/\+.*/, '')) ?? `no ${version} was pushed`;
  }

  /** Writes a file of somebody's own into the local path. */
  async write(path: string): Promise<void> {
    const file = join(this.stage.copy('shop'), path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'mine');
  }

  /**
   * The config of `shop`. Its test fails on a version that says `red`, its post-pull script on one that says `broken`;
   * both, and the pre-pull and switch scripts, hang once where `hang` of that name has been called.
   */
  async configure(sections: Sections = {}): Promise<void> {
    const hang = (what: string) => `if rm ${this.#hanging(what)} 2>/dev/null; then sleep 997; fi`;
    await this.stage.app('shop', this.repo.remote, {
      // Checks come when Huddle starts and when it is told to: what happens in which state stays the same.
      timing: { minimum: 3600 },
      test: { command: `${hang('test')}; ! grep -q red version` },
      deployment: this.kind === 'in place' ? null : { strategy: 'side by side', shared: ['data'] },
      ...sections,
      scripts: {
        'pre-pull': hang('pre-pull'),
        'post-pull': `${hang('post-pull')}; ! grep -q broken version`,
        ...(this.kind === 'in place' ? {} : { switch: `${hang('switch')}; echo $HUDDLE_RELEASE > ${this.front}` }),
        ...sections['scripts'],
      },
      application: {
        start: [process.execPath, 'serve.mjs'],
        environment: this.environment,
        settle: 0.1,
        ...(this.kind === 'in place' ? {} : { [this.kind]: `127.0.0.1:${this.port}` }),
        ...sections['application'],
      },
    });
  }

  /** The next run of the test, or of a script, does not end by itself. */
  async hang(what: 'test' | 'pre-pull' | 'post-pull' | 'switch'): Promise<void> {
    await writeFile(this.#hanging(what), '');
  }

  #hanging(what: string): string {
    return join(this.stage.root, `hang-${what}`);
  }

  /** Adds the app that nothing is to disturb: its branch never moves. */
  async addQuiet(): Promise<void> {
    await this.stage.app('quiet', this.repo.remote, {
      repository: { branch: 'quiet' },
      timing: { minimum: 3600 },
      application: { start: ['sh', 'quiet.sh'], environment: { JOURNAL: quietJournal(this.stage) } },
    });
  }

  start(fault = ''): Huddle {
    return this.stage.startHuddle([], fault === '' ? {} : { HUDDLE_FAULT: fault });
  }
}

export function quietJournal(stage: Scene): string {
  return join(stage.root, 'quiet-journal');
}
