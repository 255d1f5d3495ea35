import assert from 'node:assert/strict';
import type { AnyActorRef, AnyEventObject } from 'xstate';
import type { AppConfig } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { processMachine } from '../../machines/process.ts';
import { programMachine } from '../../machines/program.ts';
import type { ProgramTold, ProgramState } from '../../machines/protocol.ts';
import { EventTexts, Memory } from './memory.ts';
import { inert, type Outcome, player } from './player.ts';
import { beginning, broken, type Deed, heed, type Life, type Past, remember, type Word } from './program-invariants.ts';
import { namesOf, type ProcessSnapshot, type ProgramSnapshot, textOfProcess, textOfProgram } from './texts.ts';

// A program and its process without any actor that runs, as one pure logic for `xstate/graph`. Time is a number: it
// passes by the second, or leaps to the next timer.

const players = {
  program: player<ProgramSnapshot>(
    'program',
    programMachine.provide({ actors: { process: inert, watchdog: inert } as never }),
  ),
  process: player<ProcessSnapshot>(
    'process',
    processMachine.provide({ actors: { run: inert, endGently: inert, endByForce: inert } as never }),
  ),
};
type Part = keyof typeof players;

interface Timer {
  readonly part: Part;
  readonly id: string;
  readonly event: AnyEventObject;
  /** Milliseconds since the beginning. */
  readonly due: number;
}

/** One state of the model. */
export interface Scene {
  readonly status: 'active';
  readonly depth: number;
  /** Two scenes of one model that have the same key are one. */
  readonly key: string;
  readonly program: ProgramSnapshot;
  readonly process: ProcessSnapshot | null;
  readonly now: number;
  readonly timers: readonly Timer[];
  readonly alive: readonly Life[];
  /** As the program last said. */
  readonly said: ProgramState;
  readonly past: Past;
  /** What the way here has broken. */
  readonly broken: readonly string[];
}

/** An event of the model: a command, what becomes of a process, or time. */
export interface Happening {
  readonly type: string;
  readonly isOrder: boolean;
  readonly play: (stage: Play) => void;
}

/** Which lives are explored. */
export interface Setting {
  readonly configs: Readonly<Record<string, AppConfig>>;
  /** What the program may be told: `start a`, `stop`, `replace watched` … */
  readonly orders: readonly string[];
}

const trouble = new Failure('internal', { doing: 'playing', subject: 'a part', reason: 'it failed' });

/** What has been played of both machines by the configs of a setting; neither of them knows what the time is. */
class Memories {
  readonly program: Memory<ProgramSnapshot>;
  readonly process = new Memory<ProcessSnapshot>(textOfProcess);
  readonly nameOf: (config: AppConfig | null) => string;
  private readonly events: EventTexts;

  constructor({ configs }: Setting) {
    this.nameOf = namesOf(configs);
    this.program = new Memory(textOfProgram(this.nameOf));
    this.events = new EventTexts(this.nameOf);
  }

  begin(part: Part, input: unknown): Outcome<never> {
    return this.of(part).keep(players[part].begin(input) as Outcome<never>);
  }

  receive(part: Part, before: Scene[Part], event: AnyEventObject): Outcome<never> {
    const play = () => players[part].receive(before as never, event) as Outcome<never>;
    return this.of(part).recall(before as never, this.events.of(event), play);
  }

  private of(part: Part): Memory<never> {
    return this[part] as unknown as Memory<never>;
  }
}

type Draft = { -readonly [Key in keyof Scene]: Scene[Key] };

/** One event being played: messages go to and fro until all is quiet; every deed is held against the invariants. */
class Play {
  readonly scene: Draft;
  private readonly memories: Memories;
  private readonly post: { to: Part; event: AnyEventObject }[] = [];

  constructor(scene: Scene, memories: Memories) {
    this.scene = { ...scene, depth: scene.depth + 1 };
    this.memories = memories;
  }

  /** A word is heard before what it leads to. */
  hear(type: string, more: Omit<Word, 'type' | 'at'> = {}): void {
    const { scene } = this;
    scene.past = heed(scene.past, { type, at: scene.now, ...more }, this.deed('hear'));
  }

  send(to: Part, event: AnyEventObject): void {
    this.post.push({ to, event });
    for (let letter = this.post.shift(); letter !== undefined; letter = this.post.shift()) this.receive(letter);
  }

  did(what: string): void {
    const { scene } = this;
    const deed = this.deed(what);
    scene.broken = [...scene.broken, ...broken(deed, scene.past)];
    scene.past = remember(scene.past, deed);
  }

  /** The process ends, by itself or by force. */
  end(exit: { code: number | null; signal: string | null }): void {
    const [life] = this.scene.alive;
    if (life === undefined) return;
    this.scene.alive = [];
    this.did(`gone ${life.revision}`);
    this.send('process', { type: 'process.exited', exit, at: this.scene.now });
  }

  private deed(what: string): Deed {
    const { now, alive, process, said, program } = this.scene;
    const isWatching = program.children['watchdog'] !== undefined;
    return { what, at: now, alive, isBusy: process !== null, state: said, isWatching };
  }

  private receive({ to, event }: { to: Part; event: AnyEventObject }): void {
    const snapshot = this.scene[to];
    if (snapshot === null || snapshot.status !== 'active') return;
    this.take(to, this.memories.receive(to, snapshot, event));
  }

  private take(part: Part, { snapshot, sent, begun, timers }: Outcome<never>): void {
    const { scene } = this;
    Object.assign(scene, { [part]: snapshot });
    for (const { id, event, delay } of timers) {
      const others = scene.timers.filter((timer) => timer.part !== part || timer.id !== id);
      scene.timers = event === null ? others : [...others, { part, id, event, due: scene.now + delay }];
    }
    for (const { id, input } of begun) if (part === 'program' && id === 'process') this.begin(input);
    for (const { to, event } of sent) this.pass(part, to, event);
    if (scene.process?.status === 'done') this.close(scene.process.output);
  }

  private begin(input: unknown): void {
    const { revision } = input as { revision: string };
    const isSecond = this.scene.process !== null || this.scene.alive.length > 0;
    this.did(isSecond ? `second ${revision}` : `begin ${revision}`);
    this.take('process', this.memories.begin('process', input));
  }

  private pass(from: Part, to: string, event: AnyEventObject): void {
    if (from === 'process') return void this.post.push({ to: 'program', event });
    if (to === 'process') return void this.post.push({ to: 'process', event });
    if (to !== 'parent') return;
    const { report } = event as unknown as ProgramTold;
    if (report.type === 'program.changed') this.scene.said = report.status.state;
    this.did(report.type);
  }

  private close(output: unknown): void {
    this.scene.process = null;
    this.scene.timers = this.scene.timers.filter(({ part }) => part !== 'process');
    this.did('over');
    this.post.push({ to: 'program', event: { type: 'xstate.done.actor.process', output, actorId: 'process' } });
  }
}

/** The model of one setting, as `xstate/graph` takes it. */
export function model(setting: Setting) {
  const config = setting.configs['base'];
  assert.ok(config !== undefined);
  const memories = new Memories(setting);
  const textOf = text(memories);
  const scenes = new Map<string, Scene>();
  const same = (draft: Draft): Scene => {
    const said = textOf(draft);
    const known = scenes.get(said);
    if (known !== undefined) return known;
    draft.key = String(scenes.size);
    scenes.set(said, draft);
    return draft;
  };
  return {
    getInitialSnapshot: (): Scene =>
      same({
        status: 'active',
        depth: 0,
        key: '',
        program: memories.begin('program', { name: 'shop', side: 'blue', config }).snapshot,
        process: null,
        now: 0,
        timers: [],
        alive: [],
        said: 'down',
        past: beginning(config),
        broken: [],
      }),
    transition: (before: Scene, { play }: Happening): Scene => {
      const stage = new Play(before, memories);
      try {
        play(stage);
        stage.did('rest');
      } catch (thrown) {
        stage.scene.broken = [...stage.scene.broken, `no event makes a machine throw: ${String(thrown)}`];
      }
      return same(stage.scene);
    },
    getPersistedSnapshot: (snapshot: Scene) => snapshot,
    config: undefined,
  };
}

/** Everything that can happen in a scene. */
export function happenings(setting: Setting): (scene: Scene) => Happening[] {
  const orders = setting.orders.map((text) => order(setting, text));
  return (scene) =>
    scene.program.status === 'active'
      ? [...orders, ...births(scene), ...deaths(scene), ...looks(scene), ...time(scene)]
      : [];
}

function order({ configs }: Setting, text: string): Happening {
  const [type = '', object = ''] = text.split(' ');
  const config = type === 'start' ? configs['base'] : configs[object];
  const event = {
    type,
    ...(config === undefined ? {} : { config }),
    ...(type === 'start' ? { revision: object } : {}),
  };
  return {
    type: text,
    isOrder: true,
    play: (stage) => {
      stage.hear(type, event);
      stage.send('program', event);
    },
  };
}

const fate = (type: string, play: Happening['play']): Happening => ({ type, isOrder: false, play });

/** How a process may begin. */
function births({ process, now }: Scene): Happening[] {
  if (process === null || !process.matches('starting')) return [];
  const { revision } = process.context;
  const spawn = (isAdopted: boolean) => (stage: Play) => {
    stage.scene.alive = [...stage.scene.alive, { revision, since: now, isAdopted }];
    stage.did(`spawn ${revision}`);
    stage.send('process', { type: 'process.spawned', pid: 1, at: now, adopted: isAdopted });
  };
  return [
    fate('spawned', spawn(false)),
    fate('taken over', spawn(true)),
    fate('not spawned', (stage) => {
      stage.did(`failed ${revision}`);
      stage.send('process', { type: 'process.failed', failure: trouble, at: now });
    }),
  ];
}

/** How a process may end. */
function deaths({ process, alive }: Scene): Happening[] {
  if (process === null) return [];
  const exits = [0, 1].map((code) =>
    fate(`exits ${code}`, (stage) => {
      stage.hear('exit', { code });
      stage.end({ code, signal: null });
    }),
  );
  const list = alive.length > 0 ? exits : [];
  const slot = Object.keys(process.children).find((id) => slotOf(process.children[id] as AnyActorRef) !== 'run');
  if (slot === undefined) return list;
  const ended = fate('ended', (stage) => {
    stage.end({ code: null, signal: 'SIGTERM' });
    stage.send('process', { type: `xstate.done.actor.${slot}`, actorId: slot });
  });
  const failed = { type: `xstate.error.actor.${slot}`, error: trouble, actorId: slot };
  return [...list, ended, fate('not ended', (stage) => stage.send('process', failed))];
}

const slotOf = (actor: AnyActorRef) => (actor as unknown as { src: string }).src;

/** What a watchdog that looks may find. */
function looks({ program }: Scene): Happening[] {
  if (program.children['watchdog'] === undefined) return [];
  return ['healthy', 'missed', 'unhealthy'].map((type) =>
    fate(type, (stage) => {
      stage.hear(type);
      stage.send('program', { type: `watchdog.${type}`, failure: trouble });
    }),
  );
}

const second = 1000;

/** The timers that are due next, and a second in which none is. */
function time({ timers, now }: Scene): Happening[] {
  const next = Math.min(...timers.map(({ due }) => due));
  const due = timers.filter((timer) => timer.due === next);
  const leaps = due.map((timer) =>
    fate(`timer ${timerOf(timer)}`, (stage) => {
      stage.scene.now = next;
      stage.scene.timers = stage.scene.timers.filter((other) => other !== timer);
      stage.hear(`timer ${timerOf(timer)}`);
      stage.send(timer.part, timer.event);
    }),
  );
  const passes = fate('a second passes', (stage) => (stage.scene.now += second));
  return next > now + second && next < now + 10 * second ? [...leaps, passes] : leaps;
}

/** `xstate.after.settle.program.instance…` is the timer `settle`. */
const timerOf = ({ event }: Timer) => event.type.split('.')[2] ?? '';

/** A scene by what matters of it: two scenes of the same text have the same future. */
function text({ program: programs, process: processes, nameOf }: Memories): (scene: Scene) => string {
  return ({ program, process, now, timers, alive, said, past, broken: faults }) => {
    const { begunAt, endedAt, config, ...told } = past;
    // What is longer ago than any time that is asked about is as good as any other.
    const ago = (at: number) => Math.min(now - at, 10 * second);
    const lives = alive.map(({ since, revision, isAdopted }) => [revision, isAdopted, ago(since)].join());
    const pending = timers.map((timer) => `${timerOf(timer)} ${timer.due - now}`).toSorted();
    return [
      [programs.number(program), processes.number(process), said].join(),
      [pending.join(), lives.join('+')].join('|'),
      [...Object.values(told), nameOf(config), ago(begunAt), ago(endedAt)].join(),
      ...faults,
    ].join(';');
  };
}
