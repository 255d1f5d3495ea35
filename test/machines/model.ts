import assert from 'node:assert/strict';
import type { AnyActorRef, SnapshotFrom } from 'xstate';
import { appMachine } from '../../machines/app.ts';
import type { AppConfig } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { processMachine } from '../../machines/process.ts';
import { isSame } from '../../machines/policy.ts';
import { programMachine } from '../../machines/program.ts';
import type { Side } from '../../machines/protocol.ts';
import { type Facts, noFacts, type Revision } from '../../machines/facts.ts';
import { beginning, broken, type Chronicle, chronicle, contractState, type Look } from './invariants.ts';
import { inert, type Outcome, player } from './player.ts';

// An app, its program and its process, put together without any actor that runs: one pure logic for `xstate/graph`.
// Timers fire in any order, slots answer in any way, processes die whenever they like.

const slots = Object.fromEntries(
  ['open', 'ask', 'fetch', 'test', 'pull', 'script', 'handOver', 'drain', 'shut', 'close'].map((slot) => [slot, inert]),
);
const machines = {
  app: appMachine.provide({ actors: { program: inert, ...slots } as never }),
  program: programMachine.provide({ actors: { process: inert, watchdog: inert } as never }),
  process: processMachine.provide({ actors: { run: inert, endGently: inert, endByForce: inert } as never }),
};

/** What each of the two programs is played by; green only once it has been needed. */
interface Parts {
  readonly app: SnapshotFrom<typeof appMachine>;
  readonly blue: SnapshotFrom<typeof programMachine>;
  readonly green: SnapshotFrom<typeof programMachine> | null;
  readonly blueProcess: SnapshotFrom<typeof processMachine> | null;
  readonly greenProcess: SnapshotFrom<typeof processMachine> | null;
}
type Part = keyof Parts;
type Process = 'blueProcess' | 'greenProcess';

/** Where the played world is. */
interface Ground {
  /** What HEAD of the working copy is at; null while there is none. */
  readonly head: Revision | null;
  /** The revisions that the processes run, while they are alive. */
  readonly alive: Readonly<Record<Side, Revision | null>>;
  /** The releases that are on disk. */
  readonly ready: readonly Revision[];
  readonly isLater: boolean;
}

/** One state of the model. */
export interface Scene extends Parts, Ground {
  readonly status: 'active';
  readonly depth: number;
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

const trouble = new Failure('internal', { doing: 'playing', subject: 'a part', reason: 'it failed' });
const day = 24 * 3600 * 1000;
let now = 0;

const players = {
  app: player<Parts['app']>('app', machines.app),
  blue: player<Parts['blue']>('blue', machines.program),
  green: player<NonNullable<Parts['green']>>('green', machines.program),
  blueProcess: player<NonNullable<Parts[Process]>>('process', machines.process),
  greenProcess: player<NonNullable<Parts[Process]>>('process', machines.process),
};

/** The inputs of the slots that are at work, by their actors. */
const inputs = new WeakMap<AnyActorRef, Record<string, unknown>>();

/** One event of the model being played: messages go to and fro until all is quiet. */
class Play {
  parts: { -readonly [K in keyof Parts]: Parts[K] };
  ground: Ground;
  readonly deeds: string[] = [];
  private readonly post: { to: Part; event: { type: string } }[] = [];

  constructor(parts: Parts, ground: Ground) {
    const { app, blue, green, blueProcess, greenProcess } = parts;
    const { head, alive, ready, isLater } = ground;
    this.parts = { app, blue, green, blueProcess, greenProcess };
    this.ground = { head, alive, ready, isLater };
  }

  /** Delivers an event, and whatever is sent because of it. */
  send(to: Part, event: { type: string }): void {
    this.post.push({ to, event });
    this.deliver();
  }

  begin(part: Part, input: unknown): void {
    this.take(part, players[part].begin(input));
  }

  deliver(): void {
    for (let letter = this.post.shift(); letter !== undefined; letter = this.post.shift()) {
      this.receive(letter.to, letter.event);
    }
  }

  private receive(part: Part, event: { type: string }): void {
    const snapshot = this.parts[part];
    if (snapshot === null || snapshot.status !== 'active') return;
    now = this.ground.isLater ? day : 0;
    this.take(part, players[part].receive(snapshot as never, event));
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
    const given = input as { revision?: string; hook?: string };
    inputs.set(actor, given);
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
    this.send(processOf(side), { type: 'process.exited', exit, at: now } as never);
  }
}

const owners: Readonly<Record<Part, Part | 'nobody'>> = {
  app: 'nobody',
  blue: 'app',
  green: 'app',
  blueProcess: 'blue',
  greenProcess: 'green',
};

const isSide = (id: string): id is Side => id === 'blue' || id === 'green';
const processOf = (side: Side): Process => `${side}Process`;
/** What happens to green says so. */
const named = (type: string, side: Side) => (side === 'blue' ? type : `${type} (green)`);

const slotOf = (actor: AnyActorRef) => (actor as unknown as { src: string }).src;

/** The model of one setting, as `xstate/graph` takes it. */
export function model(setting: Setting) {
  const config = setting.configs['base'];
  assert.ok(config !== undefined);
  const facts: Facts = { ...noFacts, ...setting.facts };
  const first = () => {
    const nobody = { blue: null, green: null };
    const ground: Ground = { head: setting.head, alive: nobody, ready: [], isLater: false };
    const play = new Play({ green: null, blueProcess: null, greenProcess: null } as Parts, ground);
    play.begin('app', { name: 'shop', config, facts, now: () => now, random: () => 0.5 });
    play.deliver();
    return scene(play, { depth: 0, past: beginning(facts), broken: [] });
  };
  return {
    getInitialSnapshot: first,
    transition: (before: Scene, { type, play }: Happening): Scene => {
      const stage = new Play(before, before);
      const faults: string[] = [];
      try {
        play(stage);
      } catch (thrown) {
        faults.push(`no event makes a machine throw: ${String(thrown)}`);
      }
      const moment = {
        before: look(before),
        event: type,
        deeds: stage.deeds,
        after: look({ ...stage.parts, ...stage.ground }),
      };
      const past = chronicle(before.past, moment);
      return scene(stage, { depth: before.depth + 1, past, broken: [...faults, ...broken(moment, past)] });
    },
    getPersistedSnapshot: (snapshot: Scene) => snapshot,
    config: undefined,
  };
}

function scene({ parts, ground }: Play, rest: { depth: number; past: Chronicle; broken: readonly string[] }): Scene {
  return { status: 'active', ...parts, ...ground, ...rest };
}

/** The app's state by the words of the contract. */
export function stateOf({ app }: Pick<Scene, 'app'>): string {
  return contractState(app.value);
}

function look(parts: Parts & Ground): Look {
  const { app, alive } = parts;
  const { application, deployment } = app.context.config;
  return {
    state: stateOf(parts),
    isBeside: app.matches('beside'),
    isEnding: [app.context.program, app.context.other].some(({ state }) => state === 'stopping'),
    isSideBySide: deployment.strategy === 'side by side',
    lead: app.context.lead,
    leading: app.context.program.revision,
    facts: app.context.facts,
    program: app.context.program.state,
    alive: [alive.blue, alive.green].filter((revision) => revision !== null),
    hasProgram: application.start !== null,
    isServer: application.start !== null && application.restart === 'always',
  };
}

/** Everything that can happen in a scene. */
export function happenings(setting: Setting): (scene: Scene) => Happening[] {
  const orders = setting.orders.map((text) => order(setting, text));
  return (scene) => {
    if (scene.app.status !== 'active') return [];
    const ends = (['blue', 'green'] as const).flatMap((side) => deaths(setting, scene, side));
    return [...orders, ...answers(setting, scene), ...ends, ...timers(scene)];
  };
}

function order({ configs }: Setting, text: string): Happening {
  const [type = '', object = null] = text.split(' ');
  const event =
    type === 'config'
      ? { type, config: configs[object ?? ''] }
      : type === 'deploy'
        ? { type, revision: object === '*' ? null : object }
        : { type };
  return { type: text, isOrder: true, play: (stage) => stage.send('app', event) };
}

/** What the slots of the app that are at work may answer. */
function answers({ tips, isFallible }: Setting, { app, head, ready }: Scene): Happening[] {
  return Object.entries(app.children).flatMap(([id, actor]) => {
    if (actor === undefined || isSide(id)) return [];
    const slot = slotOf(actor);
    const input = inputs.get(actor) ?? {};
    const revision = String(input['revision']);
    const done = (label: string, output: unknown, effect?: (stage: Play) => void): Happening => ({
      type: `answer ${label}`,
      isOrder: false,
      play: (stage) => {
        effect?.(stage);
        stage.send('app', { type: `xstate.done.actor.${id}`, output, actorId: id } as never);
      },
    });
    const place = (stage: Play) => {
      const known = stage.ground.ready;
      const ready = isReleased && !known.includes(revision) ? [...known, revision].toSorted() : known;
      stage.ground = { ...stage.ground, head: revision, ready };
    };
    const isReleased = app.context.config.deployment.strategy === 'side by side';
    const directory = isReleased ? `/srv/shop/releases/${revision}` : '/srv/shop';
    const failed: Happening = {
      type: `answer ${slot} failed`,
      isOrder: false,
      play: (stage) => stage.send('app', { type: `xstate.error.actor.${id}`, error: trouble, actorId: id } as never),
    };
    const failures = isFallible ? [failed] : [];
    switch (slot) {
      case 'open': {
        // A release that runs is not what was last prepared.
        const found = (isReleased ? (input['running'] as Revision | null) : null) ?? head;
        return [
          ...(input['want'] === 'place'
            ? [done('open', { head: found, directory, branch: 'main', tip: null })]
            : tips.map((tip) => done(`open ${tip}`, { head: found, directory, branch: 'main', tip }))),
          ...failures,
        ];
      }
      case 'ask':
        return [...tips.map((tip) => done(`ask ${tip}`, { tip })), ...failures];
      case 'fetch':
        return [done('fetch', { revision, commits: 1, authors: [], subject: '' }), ...failures];
      case 'test': {
        const passed = done('test passed', { kind: 'passed' }, (stage) => stage.deeds.push(`passed ${revision}`));
        const verdicts = ['failed', 'pending'].map((kind) => done(`test ${kind}`, { kind, failure: trouble }));
        return isFallible ? [passed, ...verdicts, failed] : [passed];
      }
      case 'pull':
        return [
          done('pull', { saved: null, commits: [], directory, isFresh: !ready.includes(revision) }, place),
          ...failures,
        ];
      default:
        return [done(slot, undefined), ...failures];
    }
  });
}

/** What may become of a process, and of its watchdog. */
function deaths({ isFallible }: Setting, scene: Scene, side: Side): Happening[] {
  const { [processOf(side)]: process, [side]: program } = scene;
  const alive = scene.alive[side];
  if (process === null || program === null) return [];
  const part = processOf(side);
  const happening = (type: string, play: Happening['play']): Happening => ({
    type: named(type, side),
    isOrder: false,
    play,
  });
  const list: Happening[] = [];
  const { revision } = process.context;
  const at = (id: string) => process.children[id];
  const slot = Object.keys(process.children).find((id) => slotOf(at(id) as AnyActorRef) !== 'run');
  const done = (stage: Play) => stage.send(part, { type: `xstate.done.actor.${slot}`, actorId: slot } as never);
  if (process.matches('starting')) {
    list.push(
      happening('spawned', (stage) => {
        stage.ground = { ...stage.ground, alive: { ...stage.ground.alive, [side]: revision } };
        stage.deeds.push(`spawn ${revision}`);
        stage.send(part, { type: 'process.spawned', pid: 1, at: now } as never);
      }),
    );
    const failed = { type: 'process.failed', failure: trouble, at: now };
    if (isFallible) list.push(happening('not spawned', (stage) => stage.send(part, failed)));
  }
  if (alive !== null && isFallible) {
    list.push(happening('exits 0', (stage) => stage.end(side, { code: 0, signal: null })));
    list.push(happening('exits 1', (stage) => stage.end(side, { code: 1, signal: null })));
  }
  if (slot !== undefined) {
    list.push(
      happening('ended', (stage) => {
        stage.end(side, { code: null, signal: 'SIGTERM' });
        done(stage);
      }),
    );
    const failed = { type: `xstate.error.actor.${slot}`, error: trouble, actorId: slot };
    const isKilling = slotOf(at(slot) as AnyActorRef) === 'endByForce';
    const fail = happening('not ended', (stage) => {
      if (isKilling && alive !== null) stage.deeds.push(`stuck ${alive}`);
      stage.send(part, failed);
    });
    if (isFallible) list.push(fail);
  }
  if (program.children['watchdog'] === undefined) return list;
  const report = (type: string) => happening(type, (stage) => stage.send(side, { type, failure: trouble } as never));
  return [...list, report('watchdog.healthy'), ...(isFallible ? [report('watchdog.unhealthy')] : [])];
}

/** The timers that run, each of which may fire next. */
function timers(scene: Scene): Happening[] {
  const later: Happening = {
    type: 'a day passes',
    isOrder: false,
    play: (stage) => (stage.ground = { ...stage.ground, isLater: true }),
  };
  const list: Happening[] = scene.isLater ? [] : [later];
  for (const part of ['app', 'blue', 'green', 'blueProcess', 'greenProcess'] as const) {
    const snapshot = scene[part];
    const side: Side = part.startsWith('green') ? 'green' : 'blue';
    if (snapshot === null) continue;
    const { _nodes: nodes } = snapshot as unknown as { _nodes: { after: { eventType: string; delay: unknown }[] }[] };
    const pending = new Map(nodes.flatMap(({ after }) => after.map(({ eventType, delay }) => [eventType, delay])));
    for (const [type, delay] of pending) {
      list.push({
        type: named(`timer ${String(delay)}`, side),
        isOrder: false,
        play: (stage) => {
          const alive = stage.ground.alive[side];
          if (delay === 'settle' && alive !== null) stage.deeds.push(`proved ${alive}`);
          if (delay === 'stuckTimeout' && alive !== null) stage.deeds.push(`stuck ${alive}`);
          stage.send(part, { type });
        },
      });
    }
  }
  return list;
}

/** A scene by what matters of it: two scenes of the same text have the same future. */
export function textOf(setting: Setting): (scene: Scene) => string {
  const names = new Map(Object.entries(setting.configs).map(([name, config]) => [config, name]));
  /** By what they say: where they run is a config's own. */
  const nameOf = (config: AppConfig | null): string => {
    if (config === null) return '';
    const known = names.get(config);
    if (known !== undefined) return known;
    const placed = { ...config, repository: { ...config.repository, localPath: '/srv/shop' } };
    const [, found = ''] = [...names].find(([each]) => isSame(each, placed)) ?? [];
    names.set(config, found);
    return found;
  };
  const ofProgram = (program: Parts['green']) =>
    program && [
      [program.value, program.context.revision, nameOf(program.context.config), program.context.verdict],
      [program.context.ending, Math.min(program.context.exits, 4), program.context.health],
    ];
  return (scene) => {
    const { app, head, ready, alive, isLater, past, broken } = scene;
    const { facts, opened, asked, target, attempt, wish, leave, tested, checkAgain, condemned, held } = app.context;
    const { rejected, provingUntil, ...durable } = facts;
    return JSON.stringify([
      app.value,
      nameOf(app.context.config),
      nameOf(held),
      durable,
      rejected.map(({ revision, why }) => [revision, why]),
      provingUntil !== null,
      app.matches('cloning') ? opened : null,
      app.matches('checking') ? asked : null,
      [target, attempt?.revision, attempt?.byHand, wish, leave, checkAgain, condemned !== null],
      [tested, app.context.scriptTries, app.context.nextCheck !== null, app.context.program.state],
      [app.context.lead, app.context.other.state, ready],
      ofProgram(scene.blue),
      ofProgram(scene.green),
      [scene.blueProcess?.value, scene.greenProcess?.value, alive, head, isLater],
      past,
      broken,
    ]);
  };
}
