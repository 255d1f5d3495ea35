import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { getAdjacencyMap, getShortestPaths, getSimplePaths, TestModel } from 'xstate/graph';
import type { AppConfig } from '../../machines/config.ts';
import type { Facts } from '../../machines/facts.ts';
import { appConfig } from './config.ts';
import { happenings } from './happenings.ts';
import { type Happening, model, type Scene, type Setting, stateOf } from './model.ts';

// Every life of an app that is short enough, walked by `xstate/graph` and held against invariants.ts. Each setting is
// explored breadth first, up to so many events; scenes that look the same are one.

const application = { crashLimit: 3 };
const watchdog = { period: 60, timeout: 5, failures: 3, probe: { kind: 'command', command: 'look' } } as const;
const deployment = { strategy: 'side by side' } as const;
const configs = {
  base: appConfig({ application }),
  details: appConfig({ application, timing: { minimum: 5, maximum: null } }),
  program: appConfig({ application: { ...application, environment: { COLOUR: 'blue' } } }),
  files: appConfig({ application: { ...application, start: null } }),
  repository: appConfig({ application, repository: { depth: 1 } }),
  tested: appConfig({ application, test: { kind: 'command', commands: ['check'], timeout: 9 } }),
  scripts: appConfig({ application, scripts: { prePull: ['before'], postPull: ['after'] } }),
  watched: appConfig({ application, watchdog }),
  staying: appConfig({ application, deployment: { rollback: false } }),
  job: appConfig({ application: { ...application, restart: 'never' } }),
  impatient: appConfig({ application: { crashLimit: 1 } }),
  beside: appConfig({ application, deployment }),
  besideColoured: appConfig({ application: { ...application, environment: { COLOUR: 'blue' } }, deployment }),
  besideTested: appConfig({ application, deployment, test: { kind: 'command', commands: ['check'], timeout: 9 } }),
  besideScripts: appConfig({ application, deployment, scripts: { prePull: ['before'], postPull: ['after'] } }),
  besideImpatient: appConfig({ application: { crashLimit: 1 }, deployment }),
  besideWatched: appConfig({ application, deployment, watchdog }),
  besideProxied: appConfig({ application: { ...application, proxy: { host: '::', port: 80 } }, deployment }),
} satisfies Record<string, AppConfig>;

const good: Partial<Facts> = { good: 'a', current: 'a', branch: 'main' };
const proving: Partial<Facts> = { ...good, previous: 'z', provingUntil: 1000 };

interface Case extends Partial<Omit<Setting, 'orders'>> {
  readonly title: string;
  readonly config?: keyof typeof configs;
  readonly orders?: string;
  readonly depth: number;
}

const cases: readonly Case[] = [
  { title: 'left to itself', depth: 12 },
  { title: 'ordered about', orders: 'stop, start, restart, shutdown, detach, deploy *, deploy b, rollback', depth: 7 },
  { title: 'from nothing, tested', config: 'tested', facts: {}, head: null, orders: 'stop, start, deploy b', depth: 9 },
  { title: 'with scripts', config: 'scripts', orders: 'stop, start', depth: 10 },
  { title: 'being proved', facts: proving, orders: 'rollback, stop', depth: 10 },
  { title: 'given up at its first exit', config: 'impatient', facts: proving, orders: 'rollback', depth: 10 },
  {
    title: 'cut short in a pull',
    config: 'scripts',
    facts: { ...good, pulling: 'b' },
    head: 'b',
    orders: 'shutdown, kill, detach, retire, stop',
    depth: 8,
  },
  {
    title: 'paused and resumed',
    config: 'tested',
    isFallible: false,
    orders: 'pause, resume, check, deploy b, rollback',
    depth: 11,
  },
  { title: 'without rollback', config: 'staying', orders: 'stop, start', depth: 10 },
  { title: 'a job to be done once', config: 'job', orders: 'restart, stop, start', depth: 9 },
  { title: 'watched', config: 'watched', orders: 'config base, config watched', depth: 10 },
  {
    title: 'edited',
    isFallible: false,
    orders: 'config base, config details, config program, config files, config repository, restart, stop, start',
    depth: 7,
  },
  { title: 'side by side, left to itself', config: 'beside', depth: 11 },
  {
    title: 'side by side, ordered about',
    config: 'beside',
    orders: 'stop, start, restart, shutdown, detach, deploy *, deploy b, rollback',
    depth: 7,
  },
  { title: 'side by side, all well', config: 'beside', isFallible: false, orders: 'stop, start, retire', depth: 12 },
  { title: 'side by side, there and back', config: 'beside', isFallible: false, depth: 19 },
  { title: 'side by side, from nothing', config: 'besideTested', facts: {}, head: null, depth: 11 },
  { title: 'side by side, with scripts', config: 'besideScripts', orders: 'stop', depth: 10 },
  { title: 'side by side, being proved', config: 'beside', facts: proving, orders: 'rollback, stop', depth: 9 },
  {
    title: 'side by side, given up at its first exit',
    config: 'besideImpatient',
    facts: proving,
    orders: 'rollback',
    depth: 8,
  },
  { title: 'side by side, watched', config: 'besideWatched', tips: ['b'], depth: 10 },
  { title: 'side by side, behind the proxy', config: 'besideProxied', tips: ['b'], depth: 11 },
  {
    title: 'side by side, edited and converted',
    config: 'beside',
    isFallible: false,
    orders: 'config base, config program, config beside, config besideColoured, config repository, config files, stop',
    depth: 7,
  },
];

const settingOf = ({ config = 'base', orders = '', ...given }: Case): Setting => ({
  facts: good,
  head: 'a',
  tips: ['a', 'b'],
  isFallible: true,
  ...given,
  configs: { ...configs, base: configs[config] },
  orders: orders.split(', ').filter((order) => order !== ''),
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

/** Every scene that can be reached in so many events. */
function explore(setting: Setting, depth: number): Atlas {
  return getAdjacencyMap(model(setting) as never, traversal(setting, depth) as never) as never;
}

/** The shortest way to a scene that is wanted, in words. */
function wayTo(setting: Setting, depth: number, isWanted: (scene: Scene) => boolean): string {
  const options = { ...traversal(setting, depth), toState: isWanted };
  const paths = getShortestPaths(model(setting) as never, options as never);
  const [shortest] = paths.sort((one, other) => one.steps.length - other.steps.length);
  const steps = (shortest?.steps ?? []) as unknown as readonly { event: Happening; state: Scene }[];
  const line = ({ event, state }: { event: Happening; state: Scene }) =>
    `  ${event.type.padEnd(24)} ${stateOf(state)}, program ${JSON.stringify(state.blue.value)}, alive ${JSON.stringify(state.alive)}`;
  return steps.map(line).join('\n');
}

const isAtRest = (scene: Scene) =>
  scene.app.status !== 'active' || ['running', 'waiting', 'stopped'].includes(stateOf(scene));

/** What happens when all goes well, without anybody's word. */
const isCalm = ({ type, isOrder }: Happening) =>
  !isOrder && !/failed|^not |^exits|unhealthy|readyTimeout|crashWindow|a day/.test(type);

/** The scenes from which the app does not come to rest though all goes well, as far as was walked. */
function stuckScenes(map: Atlas, depth: number): Scene[] {
  const before = new Map<string, string[]>();
  const fine: string[] = [];
  for (const [key, { state, transitions }] of Object.entries(map)) {
    if (isAtRest(state) || state.depth >= depth) fine.push(key);
    for (const { event, state: next } of Object.values(transitions)) {
      if (!isCalm(event)) continue;
      const known = before.get(next.key);
      if (known === undefined) before.set(next.key, [key]);
      else known.push(key);
    }
  }
  const reached = new Set(fine);
  for (const key of reached) for (const earlier of before.get(key) ?? []) reached.add(earlier);
  return Object.entries(map).flatMap(([key, { state }]) => (reached.has(key) ? [] : [state]));
}

suite('every short life of an app', () => {
  for (const life of cases) {
    test(`keeps the invariants and always comes to rest: ${life.title}`, (t) => {
      const setting = settingOf(life);
      const map = explore(setting, life.depth);
      const scenes = Object.values(map);
      const edges = scenes.reduce((sum, { transitions }) => sum + Object.keys(transitions).length, 0);
      t.diagnostic(`${scenes.length} scenes, ${edges} transitions, up to ${life.depth} events`);
      assert.ok(scenes.length > 500, 'there is something to see');
      const [worst] = scenes.filter(({ state }) => state.broken.length > 0).map(({ state }) => state.broken[0]);
      const way = () => wayTo(setting, life.depth, ({ broken }) => broken[0] === worst);
      assert.equal(worst, undefined, worst === undefined ? '' : `${worst}\n${way()}`);
      const [stuck] = stuckScenes(map, life.depth);
      // A model of the same setting counts its scenes in the same way.
      const wayThere = () => wayTo(setting, life.depth, ({ key }) => key === stuck?.key);
      // Not the scene itself: a report would write out all of the machine.
      assert.equal(stuck === undefined, true, stuck === undefined ? '' : `it never comes to rest\n${wayThere()}`);
    });
  }

  test('every state of the contract is reached, and from each one of them running is', () => {
    const setting = settingOf({ title: '', config: 'tested', orders: 'stop, start', depth: 0 });
    const walk = new TestModel(model(setting) as never, traversal(setting, 9) as never);
    const paths = walk.getShortestPaths({ allowDuplicatePaths: true }) as unknown as {
      state: Scene;
      steps: { state: Scene }[];
    }[];
    const states = new Set(paths.flatMap(({ steps }) => steps.map(({ state }) => stateOf(state))));
    const wanted = [
      'cloning',
      'testing',
      'running',
      'checking',
      'stopping',
      'pulling',
      'restarting',
      'waiting',
      'stopped',
    ];
    assert.deepEqual(
      wanted.filter((state) => !states.has(state)),
      [],
    );
    const scenes = Object.values(explore(setting, 6)).map(({ state }) => state);
    for (const name of wanted) {
      const from = scenes.find((scene) => stateOf(scene) === name);
      assert.ok(from !== undefined, name);
      const calm = { ...setting, isFallible: false, orders: ['start'] };
      const toState = (scene: Scene) => stateOf(scene) === 'running';
      const limits = { stopWhen: (scene: Scene) => toState(scene) || scene.depth > from.depth + 8 };
      const filterEvents = (_scene: Scene, event: Happening) => isCalm(event) || event.isOrder;
      const options = { ...traversal(calm, 0), ...limits, toState, filterEvents, fromState: from };
      assert.ok(getShortestPaths(model(calm) as never, options as never).length > 0, `${name} leads to running`);
    }
  });

  for (const [config, order] of [
    ['base', 'stopping pulling restarting'],
    ['beside', 'pulling restarting stopping'],
  ] as const)
    test(`each way of a deployment from check to live passes ${order}, in this order (${config})`, () => {
      const setting = { ...settingOf({ title: '', config, depth: 0 }), isFallible: false, tips: ['b'] };
      const toState = (scene: Scene) => scene.app.context.facts.good === 'b' && stateOf(scene) === 'running';
      const course = /^(answer|spawned|ended|timer settle|timer nextCheck)/;
      const options = {
        ...traversal(setting, 12),
        toState,
        stopWhen: (scene: Scene) => toState(scene) || scene.depth > 11,
        filterEvents: (_scene: Scene, { type }: Happening) => course.test(type),
      };
      const paths = getSimplePaths(model(setting) as never, options as never) as unknown as {
        steps: { state: Scene }[];
      }[];
      assert.ok(paths.length > 0);
      for (const { steps } of paths) {
        const states = steps.map(({ state }) => stateOf(state)).filter((state, index, all) => state !== all[index - 1]);
        assert.match(states.join(' '), new RegExp(`checking (running checking )*${order} running$`));
      }
    });
});
