import assert from 'node:assert/strict';
import type { AnyActorRef, AnyEventObject } from 'xstate';
import { appMachine } from '../../machines/app.ts';
import type { AppConfig } from '../../machines/config.ts';
import { processMachine } from '../../machines/process.ts';
import { programMachine } from '../../machines/program.ts';
import type { Side } from '../../machines/protocol.ts';
import { type Facts, noFacts, type Revision } from '../../machines/facts.ts';
import { beginning, broken, type Chronicle, chronicle, contractState, type Look } from './invariants.ts';
import { EventTexts, Memory } from './memory.ts';
import { inert, type Outcome, player } from './player.ts';
import {
  type AppSnapshot,
  inputs,
  namesOf,
  type ProcessSnapshot,
  type ProgramSnapshot,
  textOfApp,
  textOfPast,
  textOfProcess,
  textOfProgram,
} from './texts.ts';

// An app, its programs and their processes, put together without any actor that runs: one pure logic for `xstate/graph`.
// Timers fire in any order, slots answer in any way, processes die whenever they like (happenings.ts).

const slots = Object.fromEntries(
  ['open', 'ask', 'fetch', 'test', 'pull', 'script', 'handOver', 'drain', 'shut', 'close'].map((slot) => [slot, inert]),
);
const machines = {
  app: appMachine.provide({ actors: { program: inert, ...slots } as never }),
  program: programMachine.provide({ actors: { process: inert, watchdog: inert } as never }),
  process: processMachine.provide({ actors: { run: inert, endGently: inert, endByForce: inert } as never }),
};

/** The machines; green only once it has been needed. */
export interface Parts {
  readonly app: AppSnapshot;
  readonly blue: ProgramSnapshot;
  readonly green: ProgramSnapshot | null;
  readonly blueProcess: ProcessSnapshot | null;
  readonly greenProcess: ProcessSnapshot | null;
}
export type Part = keyof Parts;
type Process = 'blueProcess' | 'greenProcess';

/** Where the played world is. */
export interface Ground {
  /** What HEAD of the working copy is at; null while there is none. */
  readonly head: Revision | null;
  /** The revisions that the processes run, while they are alive. */
  readonly alive: Readonly<Record<Side, Revision | null>>;
  /** The releases that are on disk. */
  readonly ready: readonly Revision[];
  /** A day has passed since whatever is dated. */
  readonly isLater: boolean;
}

/** One state of the model. */
export interface Scene extends Parts, Ground {
  readonly status: 'active';
  /** Two scenes of one model that have the same key are one. */
  readonly key: string;
  readonly depth: number;
  readonly look: Look;
  readonly past: Chronicle;
  /** What the way here has broken. */
  readonly broken: readonly string[];
}

/** An event of the model: an operator's word, an answer of the world, or a timer. */
export interface Happening {
  readonly type: string;
  readonly isOrder: boolean;
  readonly play: (stage: Play) => void;
}

/** Which life is explored. */
export interface Setting {
  readonly configs: Readonly<Record<string, AppConfig>>;
  readonly facts: Partial<Facts>;
  readonly head: Revision | null;
  /** What the branch may be at. */
  readonly tips: readonly Revision[];
  /** What an operator may say: `stop`, `deploy b`, `config program` … */
  readonly orders: readonly string[];
  /** Whether answers may be failures. */
  readonly isFallible: boolean;
}

const day = 24 * 3600 * 1000;
let now = 0;

const players = {
  app: player<AppSnapshot>('app', machines.app),
  blue: player<ProgramSnapshot>('blue', machines.program),
  green: player<ProgramSnapshot>('green', machines.program),
  blueProcess: player<ProcessSnapshot>('process', machines.process),
  greenProcess: player<ProcessSnapshot>('process', machines.process),
};

/** What has been played of each machine by the configs of a setting. */
class Memories {
  readonly app: Memory<AppSnapshot>;
  readonly blue: Memory<ProgramSnapshot>;
  readonly green: Memory<ProgramSnapshot>;
  readonly blueProcess = new Memory<ProcessSnapshot>(textOfProcess);
  readonly greenProcess = new Memory<ProcessSnapshot>(textOfProcess);
  private readonly events: EventTexts;

  constructor({ configs }: Setting) {
    const nameOf = namesOf(configs);
    this.app = new Memory(textOfApp(nameOf));
    this.blue = new Memory(textOfProgram(nameOf));
    this.green = new Memory(textOfProgram(nameOf));
    this.events = new EventTexts(nameOf);
  }

  begin(part: Part, input: unknown): Outcome<never> {
    return this.of(part).keep(withInputs(players[part].begin(input) as Outcome<never>));
  }

  receive(part: Part, before: Parts[Part], event: AnyEventObject): Outcome<never> {
    const text = `${now} ${this.events.of(event)}`;
    const play = () => withInputs(players[part].receive(before as never, event) as Outcome<never>);
    return this.of(part).recall(before as never, text, play);
  }

  private of(part: Part): Memory<never> {
    return this[part] as unknown as Memory<never>;
  }

  /** Two scenes of the same key are one. */
  keyOf({ app, blue, green, blueProcess, greenProcess }: Parts): string {
    const numbers = [this.app.number(app), this.blue.number(blue), this.green.number(green)];
    return [...numbers, this.blueProcess.number(blueProcess), this.greenProcess.number(greenProcess)].join();
  }
}

/** Notes what the slots that now begin are to do: it belongs to what is at work. */
function withInputs<Snapshot>(outcome: Outcome<Snapshot>): Outcome<Snapshot> {
  const { children } = outcome.snapshot as { children: Record<string, AnyActorRef> };
  for (const { id, input } of outcome.begun) {
    const actor = children[id];
    if (actor !== undefined) inputs.set(actor, input as Record<string, unknown>);
  }
  return outcome;
}

/** One event of the model being played: messages go to and fro until all is quiet. */
export class Play {
  parts: { -readonly [K in keyof Parts]: Parts[K] };
  ground: Ground;
  readonly deeds: string[] = [];
  private readonly memories: Memories;
  private readonly post: { to: Part; event: AnyEventObject }[] = [];

  constructor({ app, blue, green, blueProcess, greenProcess }: Parts, ground: Ground, memories: Memories) {
    const { head, alive, ready, isLater } = ground;
    this.parts = { app, blue, green, blueProcess, greenProcess };
    this.ground = { head, alive, ready, isLater };
    this.memories = memories;
  }

  /** Delivers an event, and whatever is sent because of it. */
  send(to: Part, event: AnyEventObject): void {
    this.post.push({ to, event });
    this.deliver();
  }

  begin(part: Part, input: unknown): void {
    // Not the snapshot itself: an error would write out all of the machine.
    assert.ok((this.parts[part] ?? null) === null, `a second ${part} is begun`);
    this.take(part, this.memories.begin(part, input));
  }

  deliver(): void {
    for (let letter = this.post.shift(); letter !== undefined; letter = this.post.shift()) {
      this.receive(letter.to, letter.event);
    }
  }

  private receive(part: Part, event: AnyEventObject): void {
    const snapshot = this.parts[part];
    if (snapshot === null || snapshot.status !== 'active') return;
    now = this.ground.isLater ? day : 0;
    this.take(part, this.memories.receive(part, snapshot, event));
  }

  /** Keeps what a machine came to, and posts what it sent. */
  private take(part: Part, { snapshot, sent, begun }: Outcome<Parts[Part]>): void {
    if (snapshot === null) return;
    Object.assign(this.parts, { [part]: snapshot });
    for (const { id, input } of begun) this.open(part, id, snapshot.children as never, input);
    for (const { to, event } of sent) {
      const receiver = to === 'parent' ? owners[part] : to === 'process' ? processOf(part as Side) : to;
      if (receiver in this.parts) this.post.push({ to: receiver as Part, event });
    }
    if ((part === 'blueProcess' || part === 'greenProcess') && snapshot.status === 'done') {
      this.parts[part] = null;
      const done = { type: 'xstate.done.actor.process', output: snapshot.output };
      this.post.push({ to: owners[part] as Part, event: done });
    }
  }

  private open(part: Part, id: string, children: Record<string, AnyActorRef>, input: unknown): void {
    if (isSide(part) && id === 'process') this.begin(processOf(part), input);
    if (part === 'app' && isSide(id)) this.begin(id, input);
    const actor = children[id];
    if (part !== 'app' || isSide(id) || actor === undefined) return;
    assert.ok(slotOf(actor) in slots, `${id} is no slot of an app`);
    const given = input as { revision?: string; hook?: string };
    this.deeds.push([given.hook ?? slotOf(actor), given.revision ?? ''].join(' ').trim());
  }

  /** A process ends, by itself or by force. */
  end(side: Side, exit: { code: number | null; signal: string | null }): void {
    const alive = this.ground.alive[side];
    if (alive === null) return;
    this.ground = { ...this.ground, alive: { ...this.ground.alive, [side]: null } };
    this.deeds.push(`gone ${alive}`);
    const { restart } = (this.parts[side] ?? this.parts.blue).context.config.application;
    if (exit.code === 0 && restart !== 'always') this.deeds.push(`proved ${alive}`);
    this.send(processOf(side), { type: 'process.exited', exit, at: now });
  }
}

const owners: Readonly<Record<Part, Part | 'nobody'>> = {
  app: 'nobody',
  blue: 'app',
  green: 'app',
  blueProcess: 'blue',
  greenProcess: 'green',
};

export const isSide = (id: string): id is Side => id === 'blue' || id === 'green';
export const processOf = (side: Side): Process => `${side}Process`;
export const slotOf = (actor: AnyActorRef): string => (actor as unknown as { src: string }).src;

/** The model of one setting, as `xstate/graph` takes it. */
export function model(setting: Setting) {
  const config = setting.configs['base'];
  assert.ok(config !== undefined);
  const facts: Facts = { ...noFacts, ...setting.facts };
  const memories = new Memories(setting);
  const scenes = new Map<string, Scene>();
  const scene = (parts: Parts, given: Ground, rest: Pick<Scene, 'depth' | 'look' | 'past' | 'broken'>): Scene => {
    // Time that has passed is of no account where nothing is dated.
    const ground = { ...given, isLater: given.isLater && isDated(parts) };
    const { head, alive, ready, isLater } = ground;
    const world = [head, alive.blue, alive.green, ready, isLater].join();
    const text = [memories.keyOf(parts), world, textOfPast(rest.past), ...rest.broken].join(';');
    const known = scenes.get(text);
    if (known !== undefined) return known;
    const made: Scene = { status: 'active', key: String(scenes.size), ...parts, ...ground, ...rest };
    scenes.set(text, made);
    return made;
  };
  const first = () => {
    const nobody = { blue: null, green: null };
    const ground: Ground = { head: setting.head, alive: nobody, ready: [], isLater: false };
    const play = new Play({ green: null, blueProcess: null, greenProcess: null } as Parts, ground, memories);
    play.begin('app', { name: 'shop', config, facts, now: () => now, random: () => 0.5 });
    play.deliver();
    const seen = look(play.parts, play.ground);
    return scene(play.parts, play.ground, { depth: 0, look: seen, past: beginning(facts), broken: [] });
  };
  return {
    getInitialSnapshot: first,
    transition: (before: Scene, { type, play }: Happening): Scene => {
      const stage = new Play(before, before, memories);
      const faults: string[] = [];
      try {
        play(stage);
      } catch (thrown) {
        faults.push(`no event makes a machine throw: ${String(thrown)}`);
      }
      const { parts, ground, deeds } = stage;
      const after = look(parts, ground);
      const moment = { before: before.look, event: type, deeds, after };
      const past = chronicle(before.past, moment);
      const found = [...faults, ...broken(moment, past)];
      return scene(parts, ground, { depth: before.depth + 1, look: after, past, broken: found });
    },
    getPersistedSnapshot: (snapshot: Scene) => snapshot,
    config: undefined,
  };
}

/** Whether it matters what the time is. */
export function isDated({ app }: Pick<Parts, 'app'>): boolean {
  const { provingUntil, rejected } = app.context.facts;
  return provingUntil !== null || rejected.some(({ why }) => why === 'test failed');
}

/** The app's state by the words of the contract. */
export function stateOf({ app }: Pick<Scene, 'app'>): string {
  return contractState(app.value);
}

function look(parts: Parts, { alive }: Ground): Look {
  const { app } = parts;
  const { application, deployment } = app.context.config;
  const { lead, program, other, facts } = app.context;
  return {
    state: stateOf(parts),
    isBeside: app.matches('beside'),
    isEnding: program.state === 'stopping' || other.state === 'stopping',
    isSideBySide: deployment.strategy === 'side by side',
    lead,
    leading: program.revision,
    facts,
    program: program.state,
    alive: [alive.blue, alive.green].filter((revision) => revision !== null),
    isLeadAlive: alive[lead] !== null,
    hasProgram: application.start !== null,
    isServer: application.start !== null && application.restart === 'always',
  };
}
