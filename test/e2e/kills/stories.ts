import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Huddle } from '../command.ts';
import { eventually, type Scene } from '../harness.ts';
import { alive } from '../proc.ts';
import { type Death, type Expectation, inProcesses, judge, lookAtDeath } from './witnesses.ts';
import { newWorld, type World } from './world.ts';

/** A stretch of an app's life, in which Huddle is killed. */
export interface Story {
  /** What is there before: nothing, `v1` deployed and stopped, or `v1` running on after a Huddle that was killed. */
  readonly from: 'nothing' | 'deployed' | 'running';
  /** Before the Huddle starts that will be killed. */
  readonly before: (world: World) => Promise<unknown>;
  /** While it runs: leads it through the story, to its end if nothing kills it. */
  readonly live: (world: World, huddle: Huddle) => Promise<unknown>;
  /** When it has been killed, before the next one starts. */
  readonly after?: (world: World) => Promise<unknown>;
  readonly end: Expectation | 'nothing runs' | 'as it was told';
}

const nothing = () => Promise.resolve();
const until = (version: string) => async (world: World, huddle: Huddle) =>
  await huddle.live('shop', world.revision(version));

/** Every way through the states of an app. */
export const stories = {
  'first deployment': {
    from: 'nothing',
    before: (world) => world.push('v1'),
    live: until('v1'),
    end: { version: 'v1' },
  },
  'next deployment': {
    from: 'deployed',
    before: (world) => world.push('v2'),
    live: until('v2'),
    end: { version: 'v2' },
  },
  'deployment over local changes': {
    from: 'deployed',
    before: async (world) => {
      await appendFile(join(world.stage.copy('shop'), 'padding.txt'), 'mine\n');
      await world.push('v2');
    },
    live: until('v2'),
    end: { version: 'v2', saved: 1 },
  },
  'failing test': {
    from: 'deployed',
    before: (world) => world.push('v2-red'),
    live: (_world, huddle) => huddle.until('shop', ({ rejected }) => rejected.length > 0, 'rejected'),
    end: { version: 'v1', bad: ['v2-red'] },
  },
  'failing script': {
    from: 'deployed',
    before: (world) => world.push('v2-broken'),
    live: (_world, huddle) =>
      huddle.until('shop', ({ error, state }) => error !== null && state === 'running', 'failed'),
    end: { version: 'v1', bad: ['v2-broken'] },
  },
  'crashing program': {
    from: 'deployed',
    before: (world) => world.push('crash2'),
    live: (_world, huddle) =>
      huddle.until('shop', ({ rejected, state }) => rejected.length > 0 && state === 'running', 'rolled back'),
    end: { version: 'v1', bad: ['crash2'] },
  },
  'nothing fit to run': {
    from: 'nothing',
    before: (world) => world.push('v1-red'),
    live: (_world, huddle) => huddle.until('shop', ({ state }) => state === 'waiting', 'waiting'),
    after: (world) => world.push('v2'),
    end: { version: 'v2' },
  },
  'crash of the program': {
    from: 'deployed',
    before: nothing,
    live: async (world, huddle) => {
      const { program } = await huddle.live('shop', world.revision('v1'));
      await huddle.until('shop', ({ state, nextCheck }) => state === 'running' && nextCheck !== null, 'checked');
      process.kill(program?.pid ?? 0, 'SIGKILL');
      const isAgain = (pid: number | null | undefined) => typeof pid === 'number' && pid !== program?.pid;
      await huddle.until('shop', (app) => app.program?.state === 'up' && isAgain(app.program.pid), 'up again');
    },
    end: { version: 'v1' },
  },
  'program taken over': {
    from: 'running',
    before: nothing,
    live: until('v1'),
    end: { version: 'v1' },
  },
  'program taken over, then replaced': {
    from: 'running',
    before: (world) => world.push('v2'),
    live: until('v2'),
    end: { version: 'v2' },
  },
  'config changed meanwhile': {
    from: 'running',
    before: (world) => world.configure({ application: { environment: { ...world.environment, EDITED: 'yes' } } }),
    live: until('v1'),
    end: { version: 'v1', isChanged: true },
  },
  'config removed meanwhile': {
    from: 'running',
    before: (world) => rm(world.stage.file('shop.json')),
    live: (world) => eventually('its program ends', () => inProcesses(world, [0]).length === 1),
    end: 'nothing runs',
  },
  'stop and start': {
    from: 'deployed',
    before: nothing,
    live: async (world, huddle) => {
      await until('v1')(world, huddle);
      await world.stage.run('stop', '-c', world.stage.dir, 'shop');
      await huddle.until('shop', ({ state }) => state === 'stopped', 'stopped');
      await world.stage.run('start', '-c', world.stage.dir, 'shop');
      await until('v1')(world, huddle);
    },
    end: 'as it was told',
  },
} as const satisfies Record<string, Story>;

export type StoryName = keyof typeof stories;

/** No point at all: killed from outside, as soon as the state is told. */
export const outside = 'from outside';

/** Where a Huddle is killed: at a point, in a state of `shop`, the so-manieth time that both hold. */
export interface Moment {
  readonly story: StoryName;
  readonly state: string;
  readonly point: string;
  readonly nth?: number;
}

/** What came of a kill; `wrong` is empty when all is well. */
export interface Outcome {
  readonly isReached: boolean;
  readonly wrong: readonly string[];
  /** The log of both Huddles, to look into. */
  readonly log: string;
}

/** Plays a story up to a fault, starts the next Huddle, and judges what it makes of it. */
export async function play(t: Parameters<typeof newWorld>[0], base: Scene, moment: Moment): Promise<Outcome> {
  const { story, state, point, nth = 1 } = moment;
  const told: Story = stories[story];
  const world = await begin(t, base, told);
  if (point === 'command.spawn.after') await world.hang(state === 'testing' ? 'test' : 'pre-pull');
  await told.before(world);
  const fault = point === outside ? '' : `${point}:${nth}${state === '' ? '' : `@shop:${state}`}`;
  const killed = world.start(fault);
  if (point === outside) void killed.until('shop', (app) => app.state === state, state).then(() => killed.kill9());
  const isReached = await lead(world, killed, told);
  if (!isReached) return { isReached, wrong: ['the point is never reached'], log: killed.log };
  const isChanged = typeof told.end === 'object' && told.end.isChanged === true;
  const death = lookAtDeath(world, isChanged);
  await told.after?.(world);
  const next = world.start();
  const wrong = await end(world, next, told, death);
  return { isReached, wrong, log: `${killed.log}--- killed at ${point}\n${next.log}` };
}

/** Every moment of a story at which Huddle can be killed, as found by playing it through; each point once in each state. */
export async function momentsOf(t: Parameters<typeof newWorld>[0], base: Scene, story: StoryName): Promise<Moment[]> {
  const told: Story = stories[story];
  const world = await begin(t, base, told);
  await told.before(world);
  const trace = join(world.stage.root, 'trace');
  await lead(world, world.start(trace), told);
  const moments = (await readFile(trace, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [point = '', ...apps] = line.split(' ');
      const state = apps.find((each) => each.startsWith('shop:'))?.slice('shop:'.length) ?? '';
      return { story, state, point };
    });
  return [...new Map(moments.map((moment) => [JSON.stringify(moment), moment])).values()];
}

/** A world as the story finds it. */
export async function begin(t: Parameters<typeof newWorld>[0], base: Scene, { from }: Story): Promise<World> {
  const world = await newWorld(t, from === 'nothing' ? null : base);
  await world.configure();
  if (from !== 'running') return world;
  const first = world.start();
  await first.live('shop', world.revision('v1'));
  await first.kill9();
  return world;
}

/** Leads a Huddle through a story; whether it was killed on its way, or shortly after. */
async function lead(world: World, huddle: Huddle, { live }: Story): Promise<boolean> {
  const over = huddle.ended.then(({ signal }) => signal === 'SIGKILL');
  try {
    await live(world, huddle);
  } catch (error) {
    if (await Promise.race([over, sleep(100, false)])) return true;
    throw error;
  }
  // Some points come when all has been said: the disk has caught up.
  const reached = await Promise.race([over, sleep(3_000, false)]);
  if (!reached) await huddle.kill9();
  return reached;
}

async function end(world: World, huddle: Huddle, story: Story, death: Death): Promise<string[]> {
  try {
    if (story.end === 'as it was told' && death.isStopped)
      await huddle.until('shop', ({ state }) => state === 'stopped', 'stopped');
    if (story.end === 'nothing runs' || (story.end === 'as it was told' && death.isStopped)) {
      await eventually('nothing runs', () => inProcesses(world, [huddle.pid]).length === 0);
    } else {
      const expected = story.end === 'as it was told' ? { version: 'v1' } : story.end;
      const wrong = await judge(world, huddle, expected, death);
      if (wrong.length > 0) return wrong;
    }
    await huddle.stop();
    return inProcesses(world, []);
  } catch (error) {
    return [String(error)];
  } finally {
    if (alive(huddle.pid)) await huddle.kill9();
  }
}
