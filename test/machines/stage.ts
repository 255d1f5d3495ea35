import { type Actor, createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate';
import { appMachine } from '../../machines/app.ts';
import type { AppConfig } from '../../machines/config.ts';
import { processMachine } from '../../machines/process.ts';
import { programMachine } from '../../machines/program.ts';
import { type Facts, type HistoryEntry, noFacts, type Revision } from '../../machines/facts.ts';
import type { News } from '../../machines/news.ts';
import type { AppCommand, Side } from '../../machines/protocol.ts';
import type { Exit, ProcessReport, Verdict } from '../../machines/slots.ts';
import { watchdogMachine } from '../../machines/watchdog.ts';
import { appConfig } from './config.ts';
import { contractState } from './invariants.ts';
import { settle } from './settle.ts';

/** What a played world answers a slot with: a value, or a failure that is thrown. */
export type Answer<T> = T | Error | Promise<T>;

/** The world of one app, played: every slot is answered from here, and what was asked is written down. */
export interface World {
  tip: Answer<Revision>;
  head: Answer<Revision | null>;
  branch: string;
  verdict: (revision: Revision) => Answer<Verdict>;
  pull: (revision: Revision) => Answer<void>;
  script: (hook: string, revision: Revision) => Answer<void>;
  handOver: (revision: Revision) => Answer<void>;
  /** The releases that are on disk already. */
  ready: Set<Revision>;
  probe: () => Answer<void>;
  /** What every slot waits for before it answers, by its name; rejects to make it fail. */
  gate: (slot: string, signal: AbortSignal) => Promise<void>;
  /** Whether a process heeds the stop signal. */
  heeds: boolean;
  /** Whether a process can be killed. */
  dies: boolean;
  /** What happens right after a spawn, by revision; nothing: it lives. */
  fate: (revision: Revision) => Exit | null;
  /** Everything that was asked, in order: `open`, `ask`, `test a`, `pull a`, `spawn a`, `stop a`, `gone a` … */
  readonly deeds: string[];
  readonly news: News[];
  readonly history: HistoryEntry[];
  /** The processes that are alive, by pid. */
  readonly alive: Map<number, { revision: Revision; side: Side; report: (report: ProcessReport) => void }>;
}

export interface Stage {
  readonly world: World;
  readonly clock: SimulatedClock;
  readonly app: Actor<ReturnType<typeof played>>;
  /** The app's state, by the words of the contract. */
  state(): string;
  facts(): Facts;
  send(command: AppCommand): Promise<void>;
  /** Lets promises settle. */
  settle(): Promise<void>;
  /** Moves time on, in steps that let chained timers fire. */
  pass(seconds: number): Promise<void>;
  /** Ends a process that is alive by itself: the oldest one, or that of this pid. */
  crash(exit?: Exit, pid?: number): Promise<void>;
}

export const noWorld = (): World => ({
  tip: 'a',
  head: null,
  branch: 'main',
  verdict: () => ({ kind: 'passed' }),
  pull: () => undefined,
  script: () => undefined,
  handOver: () => undefined,
  ready: new Set(),
  probe: () => undefined,
  gate: () => Promise.resolve(),
  heeds: true,
  dies: true,
  fate: () => null,
  deeds: [],
  news: [],
  history: [],
  alive: new Map(),
});

async function answer<T>(value: Answer<T>): Promise<T> {
  const given = await value;
  if (given instanceof Error) throw given;
  return given;
}

/** The machine of an app with every slot answered from a played world. */
export function played(world: World, clock: SimulatedClock) {
  const now = () => clock.now();
  /** Looks again every second, as long as anybody wants to know. */
  const until = async (isSo: () => boolean, signal: AbortSignal) => {
    while (!isSo() && !signal.aborted) await new Promise((resolve) => void clock.setTimeout(() => resolve(null), 1000));
    signal.throwIfAborted();
  };
  let pids = 100;
  const deed = (text: string) => void world.deeds.push(text);
  const end = (pid: number | null, exit: Exit) => {
    const found = pid === null ? undefined : world.alive.get(pid);
    if (found === undefined || pid === null) return;
    world.alive.delete(pid);
    deed(`gone ${found.revision}`);
    found.report({ type: 'process.exited', exit, at: now() });
  };
  const process = processMachine.provide({
    actors: {
      run: fromCallback(({ input, sendBack }) => {
        const pid = ++pids;
        const report = (told: ProcessReport): void => sendBack(told);
        world.alive.set(pid, { revision: input.revision, side: input.side, report });
        deed(`spawn ${input.revision}`);
        report({ type: 'process.spawned', pid, at: now() });
        const fate = world.fate(input.revision);
        if (fate !== null) void Promise.resolve().then(() => end(pid, fate));
      }),
      endGently: fromPromise(async ({ input, signal }) => {
        deed(`stop ${input.revision}`);
        await until(() => world.heeds, signal);
        end(input.pid, { code: null, signal: 'SIGTERM' });
      }),
      endByForce: fromPromise(async ({ input, signal }) => {
        if (input.pid !== null && world.alive.has(input.pid)) deed(`kill ${input.revision}`);
        await until(() => world.dies, signal);
        end(input.pid, { code: null, signal: 'SIGKILL' });
      }),
    },
  });
  const watchdog = watchdogMachine.provide({ actors: { probe: fromPromise(() => answer(world.probe())) } });
  const program = programMachine.provide({
    actors: { process, watchdog },
    actions: { tell: (_, news) => void (news && world.news.push(news)) },
  });
  return appMachine.provide({
    actors: {
      program,
      open: fromPromise(async ({ input, signal }) => {
        deed('open');
        await world.gate('open', signal);
        const isReleased = input.config.deployment.strategy === 'side by side';
        const head = (isReleased ? input.running : null) ?? (await answer(world.head));
        const directory = input.config.repository.localPath;
        return { head, directory, branch: world.branch, tip: input.want === 'tip' ? await answer(world.tip) : null };
      }),
      ask: fromPromise(async ({ signal }) => {
        deed('ask');
        await world.gate('ask', signal);
        return { tip: await answer(world.tip), branch: world.branch };
      }),
      fetch: fromPromise(async ({ input, signal }) => {
        deed(`fetch ${input.revision}`);
        await world.gate('fetch', signal);
        return { revision: input.revision, commits: 1, authors: ['Ada'], subject: 'Change' };
      }),
      test: fromPromise(async ({ input, signal }) => {
        deed(`test ${input.revision}`);
        await world.gate('test', signal);
        return await answer(world.verdict(input.revision));
      }),
      pull: fromPromise(async ({ input, signal }) => {
        deed(`pull ${input.revision}`);
        await world.gate('pull', signal);
        await answer(world.pull(input.revision));
        world.head = input.revision;
        const { repository, deployment } = input.config;
        const isRelease = deployment.strategy === 'side by side';
        const directory = isRelease ? `${repository.localPath}/releases/${input.revision}` : repository.localPath;
        const isFresh = !isRelease || !world.ready.has(input.revision);
        return { saved: null, commits: [], directory, isFresh };
      }),
      script: fromPromise(async ({ input, signal }) => {
        deed(`${input.hook} ${input.revision}`);
        await world.gate('script', signal);
        await answer(world.script(input.hook, input.revision));
      }),
      handOver: fromPromise(async ({ input, signal }) => {
        deed(`handOver ${input.revision}`);
        await world.gate('handOver', signal);
        await answer(world.handOver(input.revision));
      }),
      drain: fromPromise(async ({ signal }) => {
        deed('drain');
        await world.gate('drain', signal);
      }),
      shut: fromPromise(() => Promise.resolve()),
      close: fromPromise(async () => {
        deed('close');
      }),
    },
    actions: {
      tell: (_, news) => {
        if (news !== null) world.news.push(news);
      },
      record: (_, entry) => {
        if (entry !== null) world.history.push(entry);
      },
    },
  });
}

/** An app on its stage, started. */
export async function play(
  options: { config?: AppConfig; facts?: Partial<Facts>; world?: Partial<World> } = {},
): Promise<Stage> {
  const world: World = { ...noWorld(), ...options.world };
  const clock = new SimulatedClock();
  const now = () => clock.now();
  const facts = { ...noFacts, ...options.facts };
  const input = { name: 'shop', config: options.config ?? appConfig(), facts, now, random: () => 0.5 };
  const app = createActor(played(world, clock), { clock, input });
  app.subscribe({ error: () => {} });
  app.start();
  await settle();
  return {
    world,
    clock,
    app,
    state() {
      const { value } = app.getSnapshot();
      return contractState(value);
    },
    facts: () => app.getSnapshot().context.facts,
    async send(command) {
      app.send(command);
      await settle();
    },
    settle,
    async pass(seconds) {
      for (let left = seconds * 1000; left > 0;) {
        const step = Math.min(left > 60_000 ? 1000 : 100, left);
        left -= step;
        clock.increment(step);
        await settle();
      }
    },
    async crash(exit = { code: 1, signal: null }, wanted) {
      const pid = wanted ?? [...world.alive.keys()][0];
      const found = pid === undefined ? undefined : world.alive.get(pid);
      if (pid === undefined || found === undefined) throw new Error('no process is alive');
      world.alive.delete(pid);
      world.deeds.push(`gone ${found.revision}`);
      found.report({ type: 'process.exited', exit, at: now() });
      await settle();
    },
  };
}
