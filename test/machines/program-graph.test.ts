import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { getAdjacencyMap, getShortestPaths } from 'xstate/graph';
import type { AppConfig, Application } from '../../machines/config.ts';
import { appConfig } from './config.ts';
import { type Happening, happenings, model, type Scene, type Setting } from './program-model.ts';

// Every life of a program that is short enough, walked by `xstate/graph` and held against program-invariants.ts.

/** Short times, all different, so that a few events see them all. */
const times = { settle: 2, readyTimeout: 5, crashWindow: 7, retry: 9, stopTimeout: 3, crashLimit: 3 };
const watchdog = { period: 60, timeout: 5, failures: 3, probe: { kind: 'command', command: 'look' } } as const;
const program = (application: Partial<Application> = {}) => appConfig({ application: { ...times, ...application } });
const configs = {
  base: program(),
  watched: { ...program(), watchdog },
  job: program({ restart: 'on failure' }),
  once: program({ restart: 'never' }),
  brief: program({ crashLimit: 2 }),
  strict: { ...program({ crashLimit: 2 }), watchdog },
  final: program({ crashLimit: 1, retry: 0 }),
} satisfies Record<string, AppConfig>;

interface Case {
  readonly title: string;
  readonly config?: keyof typeof configs;
  readonly orders: string;
  readonly depth: number;
}

const cases: readonly Case[] = [
  { title: 'left to itself', orders: 'start a', depth: 9 },
  { title: 'ordered about', orders: 'start a, start b, stop, kill, restart', depth: 6 },
  { title: 'watched', config: 'watched', orders: 'start a, stop, restart', depth: 7 },
  { title: 'with a job to do', config: 'job', orders: 'start a, stop, restart', depth: 7 },
  { title: 'to be run once', config: 'once', orders: 'start a, restart', depth: 8 },
  { title: 'soon given up', config: 'brief', orders: 'start a, start b, restart, stop', depth: 7 },
  { title: 'soon given up, watched', config: 'strict', orders: 'start a', depth: 9 },
  { title: 'given up for good', config: 'final', orders: 'start a, start b, restart', depth: 8 },
  {
    title: 'edited',
    orders: 'start a, configure watched, configure base, configure job, replace watched, replace base, stop',
    depth: 5,
  },
  { title: 'let go', orders: 'start a, stop, abandon', depth: 7 },
];

const settingOf = ({ config = 'base', orders }: Case): Setting => ({
  configs: { ...configs, base: configs[config] },
  orders: orders.split(', '),
});

/** How `xstate/graph` is to walk a setting. */
function traversal(setting: Setting, depth: number) {
  return {
    events: happenings(setting),
    serializeState: ({ key }: Scene) => key,
    serializeEvent: ({ type }: Happening) => type,
    stopWhen: (scene: Scene) => scene.depth >= depth || scene.broken.length > 0,
  };
}

/** The scenes by their texts, and where each event leads. */
type Atlas = Record<string, { state: Scene; transitions: Record<string, { event: Happening; state: Scene }> }>;

const explore = (setting: Setting, depth: number, logic = model(setting)): Atlas =>
  getAdjacencyMap(logic as never, traversal(setting, depth) as never) as never;

/** The shortest way to a scene that is wanted, in words. */
function wayTo(setting: Setting, depth: number, isWanted: (scene: Scene) => boolean): string {
  const options = { ...traversal(setting, depth), toState: isWanted };
  const paths = getShortestPaths(model(setting) as never, options as never);
  const [shortest] = paths.sort((one, other) => one.steps.length - other.steps.length);
  const steps = (shortest?.steps ?? []) as unknown as readonly { event: Happening; state: Scene }[];
  return steps.map(({ event, state }) => `  ${event.type.padEnd(20)} ${stateOf(state)}`).join('\n');
}

const stateOf = ({ now, program: { value }, process, alive }: Scene) =>
  `${now / 1000} s: ${JSON.stringify(value)}, process ${JSON.stringify(process?.value ?? null)}, alive ${alive.length}`;

suite('every short life of a program', () => {
  for (const life of cases) {
    test(`keeps the invariants, and comes up or down when all goes well: ${life.title}`, (t) => {
      const setting = settingOf(life);
      const logic = model(setting);
      const map = explore(setting, life.depth, logic);
      const scenes = Object.values(map).map(({ state }) => state);
      t.diagnostic(`${scenes.length} scenes, up to ${life.depth} events`);
      assert.ok(scenes.length > 500, 'there is something to see');
      const worst = scenes.find(({ broken }) => broken.length > 0)?.broken[0];
      const way = () => wayTo(setting, life.depth, ({ broken }) => broken[0] === worst);
      assert.equal(worst, undefined, worst === undefined ? '' : `${worst}\n${way()}`);
      const next = happenings(setting);
      const stuck = scenes.find((scene) => !comesToRest(scene, next, logic.transition));
      assert.equal(
        stuck === undefined,
        true,
        stuck === undefined ? '' : `it never comes up or down: ${stateOf(stuck)}`,
      );
    });
  }

  test('every state of a program, and every way to begin and to end a process, is reached', () => {
    const setting = settingOf({ title: '', config: 'watched', orders: 'start a, stop, kill', depth: 0 });
    const map = Object.values(explore(setting, 8));
    const states = new Set(map.map(({ state }) => state.said));
    assert.deepEqual([...states].toSorted(), ['backing off', 'down', 'given up', 'starting', 'stopping', 'up']);
    const processes = new Set(map.map(({ state: { process } }) => JSON.stringify(process?.value ?? null)));
    assert.ok(processes.has('"stuck"') && processes.has('{"sweeping":"stuck"}'), [...processes].join(' '));
    const events = new Set(map.flatMap(({ transitions }) => Object.values(transitions).map(({ event }) => event.type)));
    for (const name of ['taken over', 'not spawned', 'unhealthy', 'timer settle', 'timer readyTimeout', 'timer retry'])
      assert.ok(events.has(name), name);
  });
});

/** What goes well, the likeliest first: processes come up and heed, watchdogs are content, time passes. */
const course = ['spawned', 'ended', 'healthy'];

function comesToRest(
  from: Scene,
  happeningsIn: (scene: Scene) => readonly Happening[],
  transition: (scene: Scene, happening: Happening) => Scene,
): boolean {
  let scene = from;
  for (let steps = 0; steps < 20; steps++) {
    if (scene.program.status !== 'active') return true;
    const isFinal = scene.said === 'given up' && scene.program.context.config.application.retry === 0;
    if (scene.said === 'up' || scene.said === 'down' || isFinal) return true;
    const next = happeningsIn(scene).filter(({ isOrder }) => !isOrder);
    const best = course.map((name) => next.find(({ type }) => type === name)).find((each) => each !== undefined);
    const timer = next.find(({ type }) => type.startsWith('timer'));
    const chosen = scene.past.isHealthy && best?.type === 'healthy' ? timer : (best ?? timer);
    if (chosen === undefined) return false;
    scene = transition(scene, chosen);
  }
  return false;
}
