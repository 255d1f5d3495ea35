import type { ActorRefFrom } from 'xstate';
import { Failure } from '../../machines/failure.ts';
import type { Facts } from '../../machines/facts.ts';
import type { programMachine } from '../../machines/program.ts';
import type { AppCommand } from '../../machines/protocol.ts';
import { beginning, broken, type Chronicle, chronicle, contractState, type Look, type Moment } from './invariants.ts';
import { play, type Stage, type World } from './stage.ts';
import type { AppConfig } from '../../machines/config.ts';

// A walk through the life of an app: steps as plain data, played on the stage, with every moment of it held against
// the invariants. Real actors, real promises, a clock that is moved by hand.

export type Step =
  | { readonly type: 'order'; readonly command: AppCommand; readonly label: string }
  /** The slot that has been at work longest answers. */
  | { readonly type: 'answer'; readonly isWell: boolean }
  | { readonly type: 'tip'; readonly tip: string }
  | { readonly type: 'verdict'; readonly kind: 'passed' | 'failed' | 'pending' }
  /** Of the oldest process that is alive, or of the newest. */
  | { readonly type: 'exit'; readonly code: number; readonly isNewest?: boolean }
  | { readonly type: 'pass'; readonly seconds: number }
  /** What becomes of a process that is asked to end, or killed. */
  | { readonly type: 'temper'; readonly heeds: boolean; readonly dies: boolean }
  | { readonly type: 'health'; readonly isWell: boolean };

/** What a life begins with. */
export interface Start {
  readonly config: AppConfig;
  readonly facts: Partial<Facts>;
  readonly head: string | null;
}

const trouble = new Failure('internal', { doing: 'playing', subject: 'a slot', reason: 'it failed' });

/** Plays a walk, and brings the app back to life at its end; the titles of what it broke, in order. */
export async function walk(start: Start, steps: readonly Step[]): Promise<string[]> {
  const walker = await begin(start);
  for (const step of steps) {
    await walker.take(step);
    if (walker.broken.length > 0) return walker.broken;
  }
  await walker.recover();
  return walker.broken;
}

async function begin({ config, facts, head }: Start) {
  const gates = new Gates();
  /** What has come of slots: the deeds that the stage does not write down. */
  const proved: string[] = [];
  let kind: 'passed' | 'failed' | 'pending' = 'passed';
  let isHealthy = true;
  const world: Partial<World> = {
    head,
    gate: (slot, signal) => gates.wait(slot, signal),
    verdict: (revision) => {
      if (kind !== 'passed') return { kind, failure: trouble };
      proved.push(`passed ${revision}`);
      return { kind };
    },
    handOver: (revision) => void proved.push(`told ${revision}`),
    probe: () => (isHealthy ? undefined : trouble),
  };
  const stage = await play({ config, facts, world });
  const witness = new Witness(stage);

  const tick = async (seconds: number) => {
    stage.clock.increment(seconds * 1000);
    await stage.settle();
  };
  const take = async (step: Step) => {
    if (step.type !== 'pass') return await witness.see(labelOf(step), proved, () => act(step));
    // Slowly at first, so that what follows from the last step is seen one by one.
    for (let left = step.seconds, past = 0; left > 0;) {
      const leap = Math.min(left, past < 6 ? 1 : past < 60 ? 10 : left);
      await witness.see('time', proved, () => tick(leap));
      left -= leap;
      past += leap;
    }
  };
  const act = async (step: Step) => {
    switch (step.type) {
      case 'order':
        return await stage.send(step.command);
      case 'answer':
        gates.answer(step.isWell);
        return await stage.settle();
      case 'tip':
        stage.world.tip = step.tip;
        return;
      case 'verdict':
        kind = step.kind;
        return;
      case 'exit':
        if (stage.world.alive.size > 0)
          await stage.crash(
            { code: step.code, signal: null },
            [...stage.world.alive.keys()].at(step.isNewest ? -1 : 0),
          );
        return;
      case 'pass':
        return await tick(step.seconds);
      case 'temper':
        Object.assign(stage.world, { heeds: step.heeds, dies: step.dies });
        return;
      case 'health':
        isHealthy = step.isWell;
    }
  };
  const isAtRest = () => ['running', 'waiting', 'stopped', 'gone'].includes(witness.look().state);
  /** Waits until whatever is going on has had the time to end. */
  const rest = async () => {
    await take({ type: 'pass', seconds: 200 });
    for (let more = 0; more < 5 && !isAtRest(); more++) await take({ type: 'pass', seconds: 9 });
  };
  /** With a world that works again, the operator's words bring every app that has not left back to running. */
  const recover = async () => {
    for (const step of aGoodWorld) await take(step);
    gates.open();
    await rest();
    if (!isAtRest()) {
      witness.broken.push(`it comes to rest, but it is ${witness.look().state}`);
    }
    if (witness.look().state === 'gone') return;
    for (const type of ['start', 'resume'] as const) await take({ type: 'order', label: type, command: { type } });
    await take({ type: 'order', label: 'deploy a', command: { type: 'deploy', revision: 'a' } });
    await rest();
    await take({ type: 'order', label: 'restart', command: { type: 'restart' } });
    await take({ type: 'pass', seconds: 60 });
    const { state, program, isServer } = witness.look();
    const isUp = state === 'running' && (!isServer || program === 'up');
    if (!isUp) witness.broken.push(`it can be brought back to running, but it is ${state}, its program ${program}`);
  };
  return { take, recover, broken: witness.broken };
}

const aGoodWorld: readonly Step[] = [
  { type: 'temper', heeds: true, dies: true },
  { type: 'tip', tip: 'a' },
  { type: 'verdict', kind: 'passed' },
  { type: 'health', isWell: true },
];

/** Looks at a stage before and after each thing that happens, and writes down what was broken. */
class Witness {
  readonly broken: string[] = [];
  private readonly stage: Stage;
  private past: Chronicle;
  private readonly spawned = new Map<number, number>();
  private told = 0;
  private done = 0;

  constructor(stage: Stage) {
    this.stage = stage;
    this.past = beginning(stage.facts());
    this.done = stage.world.deeds.length;
  }

  look(): Look {
    const { app, world } = this.stage;
    const { status, value, context, children } = app.getSnapshot();
    const { start } = context.config.application;
    // One that was refused is not in force: the program goes on by the one before.
    const led = children[context.lead] as ActorRefFrom<typeof programMachine> | undefined;
    const { restart } = (led?.getSnapshot().context.config ?? context.config).application;
    return {
      state: status === 'active' ? contractState(value) : 'gone',
      isBeside: app.getSnapshot().matches('beside'),
      isEnding: [context.program, context.other].some(({ state: each }) => each === 'stopping'),
      isSideBySide: context.config.deployment.strategy === 'side by side',
      lead: context.lead,
      leading: context.program.revision,
      facts: context.facts,
      program: context.program.state,
      alive: [...world.alive.values()].map(({ revision }) => revision),
      isLeadAlive: [...world.alive.values()].some(({ side }) => side === context.lead),
      hasProgram: start !== null,
      isServer: start !== null && restart === 'always',
    };
  }

  async see(event: string, more: string[], act: () => Promise<void>): Promise<void> {
    const before = this.look();
    const around = new Map(this.stage.world.alive);
    const { application } = this.stage.app.getSnapshot().context.config;
    await act();
    if (this.stage.app.getSnapshot().status === 'error') this.broken.push(`no event makes it fail: ${event}`);
    const deeds = [
      ...this.stage.world.deeds.slice(this.done),
      ...more.splice(0),
      ...this.proofs(event, around, application),
    ];
    this.done = this.stage.world.deeds.length;
    const moment: Moment = { before, event, deeds, after: this.look() };
    this.past = chronicle(this.past, moment);
    this.broken.push(...broken(moment, this.past));
  }

  /** Who has been up for as long as it had to settle, or has done its job; and who could not be killed. */
  private proofs(event: string, around: World['alive'], { settle, restart }: AppConfig['application']): string[] {
    const { world, clock } = this.stage;
    for (const pid of world.alive.keys()) if (!this.spawned.has(pid)) this.spawned.set(pid, clock.now());
    const proved = [...around, ...world.alive].flatMap(([pid, { revision }]) => {
      const isSettled = (this.spawned.get(pid) ?? clock.now()) + settle * 1000 <= clock.now();
      const isDone = event === 'exit 0' && restart !== 'always' && !world.alive.has(pid);
      return isSettled || isDone ? [`proved ${revision}`] : [];
    });
    const news = world.news.slice(this.told);
    this.told = world.news.length;
    return [...proved, ...news.filter(({ type }) => type === 'stuck').map(() => 'stuck it')];
  }
}

/** The slots that are at work, in the order in which they began. */
class Gates {
  private readonly pending: { resolve: () => void; reject: (failure: Failure) => void; signal: AbortSignal }[] = [];
  private isOpen = false;

  wait(_slot: string, signal: AbortSignal): Promise<void> {
    if (this.isOpen) return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(trouble));
      this.pending.push({ resolve, reject, signal });
    });
  }

  answer(isWell: boolean): void {
    let first = this.pending.shift();
    while (first !== undefined && first.signal.aborted) first = this.pending.shift();
    if (isWell) first?.resolve();
    else first?.reject(trouble);
  }

  /** From now on every slot answers at once, and well. */
  open(): void {
    this.isOpen = true;
    for (const { resolve } of this.pending.splice(0)) resolve();
  }
}

/** A step in words; an order's are those of its command, by which the invariants know it. */
export function labelOf(step: Step): string {
  switch (step.type) {
    case 'order':
      return step.label;
    case 'answer':
    case 'health':
      return `${step.type} ${step.isWell ? 'well' : 'failed'}`;
    case 'tip':
      return `tip ${step.tip}`;
    case 'verdict':
      return `verdict ${step.kind}`;
    case 'exit':
      return `exit ${step.code}`;
    case 'pass':
      return `pass ${step.seconds} s`;
    case 'temper':
      break;
  }
  return `temper heeds ${step.heeds} dies ${step.dies}`;
}

/** The shortest part of a walk that still breaks the same. */
export async function shrink(start: Start, steps: readonly Step[], title: string): Promise<readonly Step[]> {
  let shortest = steps;
  for (let index = shortest.length - 1; index >= 0; index--) {
    const shorter = shortest.toSpliced(index, 1);
    const found = await walk(start, shorter);
    if (found[0] === title) shortest = shorter;
  }
  return shortest;
}
