import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Huddle } from '../command.ts';
import { eventually } from '../harness.ts';
import { alive } from '../proc.ts';
import { stories, type Story, type StoryName } from './stories.ts';
import { visit, type Visits } from './visitor.ts';
import { type Death, inProcesses, judge, lookAtDeath } from './witnesses.ts';
import { newWorld, type Templates, type World } from './world.ts';

type Clean = Pick<TestContext, 'after'>;

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
export async function play(t: Clean, bases: Templates, moment: Moment): Promise<Outcome> {
  const { story, state, point, nth = 1 } = moment;
  const told: Story = stories[story];
  const world = await begin(t, bases, told);
  const command = ({ testing: 'test', restarting: 'switch' } as const)[state] ?? 'pre-pull';
  if (point === 'command.spawn.after') await world.hang(command);
  await told.before(world);
  const visits = world.kind === 'in place' || told.end === 'as it was told' ? null : visit(world.port);
  const fault = point === outside ? '' : `${point}:${nth}${state === '' ? '' : `@shop:${state}`}`;
  const killed = world.start(fault);
  if (point === outside) void killed.until('shop', (app) => app.state === state, state).then(() => killed.kill9());
  const isReached = await lead(world, killed, told);
  if (!isReached) await visits?.end();
  if (!isReached) return { isReached, wrong: ['the point is never reached'], log: killed.log };
  const isChanged = typeof told.end === 'object' && told.end.isChanged === true;
  const death = lookAtDeath(world, isChanged);
  await told.after?.(world);
  const next = world.start();
  const wrong = await end(world, next, { story: told, death, visits });
  return { isReached, wrong, log: `${killed.log}--- killed at ${point}\n${next.log}` };
}

/**
 * Every moment of a story at which Huddle can be killed, as found by playing it through; each point the first and the last
 * time in each state: what is done at the start is done again by a deployment side by side, in a state of the same name.
 */
export async function momentsOf(t: Clean, bases: Templates, story: StoryName): Promise<Moment[]> {
  const told: Story = stories[story];
  const world = await begin(t, bases, told);
  await told.before(world);
  const trace = join(world.stage.root, 'trace');
  await lead(world, world.start(trace), told);
  const times = new Map<string, number>();
  for (const line of (await readFile(trace, 'utf8')).split('\n').filter(Boolean)) {
    const [point = '', ...apps] = line.split(' ');
    const state = apps.find((each) => each.startsWith('shop:'))?.slice('shop:'.length) ?? '';
    const moment = `${point}@${state}`;
    times.set(moment, (times.get(moment) ?? 0) + 1);
  }
  return [...times].flatMap(([moment, last]) => {
    const [point = '', state = ''] = moment.split('@');
    return [...new Set([1, last])].map((nth) => ({ story, state, point, nth }));
  });
}

/** A world as the story finds it. */
async function begin(t: Clean, bases: Templates, { from, kind = 'in place' }: Story): Promise<World> {
  const world = await newWorld(t, from === 'nothing' ? null : await bases(kind), { kind });
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

interface Ending {
  readonly story: Story;
  readonly death: Death;
  /** Of one who must never be turned away. */
  readonly visits: Visits | null;
}

async function end(world: World, huddle: Huddle, { story, death, visits }: Ending): Promise<string[]> {
  try {
    await story.onward?.(world, huddle);
    if (story.end === 'as it was told' && death.isStopped)
      await huddle.until('shop', ({ state }) => state === 'stopped', 'stopped');
    if (story.end === 'nothing runs' || (story.end === 'as it was told' && death.isStopped)) {
      await eventually('nothing runs', () => inProcesses(world, [huddle.pid]).length === 0);
    } else {
      const expected = story.end === 'as it was told' ? { version: 'v1' } : story.end;
      const wrong = await judge(world, huddle, expected, death);
      const failed = (await visits?.end()) ?? [];
      if (wrong.length + failed.length > 0) return [...wrong, ...failed.map((each) => `a visitor: ${each}`)];
    }
    await huddle.stop();
    return inProcesses(world, []);
  } catch (error) {
    return [String(error)];
  } finally {
    await visits?.end();
    if (alive(huddle.pid)) await huddle.kill9();
  }
}
