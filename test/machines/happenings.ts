import type { AnyActorRef } from 'xstate';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import type { Side } from '../../machines/protocol.ts';
import { type Happening, isDated, isSide, type Play, processOf, type Scene, type Setting, slotOf } from './model.ts';
import { inputs } from './texts.ts';

// What may happen to the app of model.ts: orders, answers of its slots, births and deaths of its processes, timers.

const trouble = new Failure('internal', { doing: 'playing', subject: 'a part', reason: 'it failed' });

/** What happens to green says so. */
const named = (type: string, side: Side) => (side === 'blue' ? type : `${type} (green)`);

/** Everything that can happen in a scene. */
export function happenings(setting: Setting): (scene: Scene) => Happening[] {
  const orders = setting.orders.map((text) => order(setting, text));
  const exits = exitCodes(setting);
  return (scene) => {
    if (scene.app.status !== 'active') return [];
    const ends = (['blue', 'green'] as const).flatMap((side) => deaths({ ...setting, exits }, scene, side));
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
        stage.send('app', { type: `xstate.done.actor.${id}`, output, actorId: id });
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
      play: (stage) => stage.send('app', { type: `xstate.error.actor.${id}`, error: trouble, actorId: id }),
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
      case 'handOver':
        return [done(slot, undefined, (stage) => stage.deeds.push(`told ${revision}`)), ...failures];
      default:
        return [done(slot, undefined), ...failures];
    }
  });
}

/** What may become of a process, and of its watchdog. */
function deaths({ isFallible, exits }: Setting & { exits: readonly number[] }, scene: Scene, side: Side): Happening[] {
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
  const done = (stage: Play) => stage.send(part, { type: `xstate.done.actor.${slot}`, actorId: slot });
  if (process.matches('starting')) {
    list.push(
      happening('spawned', (stage) => {
        stage.ground = { ...stage.ground, alive: { ...stage.ground.alive, [side]: revision } };
        stage.deeds.push(`spawn ${revision}`);
        stage.send(part, { type: 'process.spawned', pid: 1, at: 0 });
      }),
    );
    const failed = { type: 'process.failed', failure: trouble, at: 0 };
    if (isFallible) list.push(happening('not spawned', (stage) => stage.send(part, failed)));
  }
  if (alive !== null && isFallible) {
    for (const code of exits) list.push(happening(`exits ${code}`, (stage) => stage.end(side, { code, signal: null })));
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
  const report = (type: string) => happening(type, (stage) => stage.send(side, { type, failure: trouble }));
  return [...list, report('watchdog.healthy'), ...(isFallible ? [report('watchdog.unhealthy')] : [])];
}

/** How a process may exit: that it did well matters only where it is not to be up for ever. */
function exitCodes({ configs, orders }: Setting): readonly number[] {
  const used = ['base', ...orders.map((text) => text.replace('config ', ''))];
  const isServer = used.every((name) => (configs[name]?.application.restart ?? 'always') === 'always');
  return isServer ? [1] : [0, 1];
}

/** The timers that run, each of which may fire next. */
function timers(scene: Scene): Happening[] {
  const later: Happening = {
    type: 'a day passes',
    isOrder: false,
    play: (stage) => (stage.ground = { ...stage.ground, isLater: true }),
  };
  const list: Happening[] = isDated(scene) && !scene.isLater ? [later] : [];
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
