import { existsSync } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Huddle } from '../command.ts';
import { eventually } from '../harness.ts';
import { alive } from '../proc.ts';
import { type Expectation, inProcesses } from './witnesses.ts';
import type { Kind, World } from './world.ts';

/** A stretch of an app's life, in which Huddle is killed. */
export interface Story {
  /** What is there before: nothing, `v1` deployed and stopped, or `v1` running on after a Huddle that was killed. */
  readonly from: 'nothing' | 'deployed' | 'running';
  /** How `shop` is deployed then; not given: in place. */
  readonly kind?: Kind;
  /** Before the Huddle starts that will be killed. */
  readonly before: (world: World) => Promise<unknown>;
  /** While it runs: leads it through the story, to its end if nothing kills it. */
  readonly live: (world: World, huddle: Huddle) => Promise<unknown>;
  /** When it has been killed, before the next one starts. */
  readonly after?: (world: World) => Promise<unknown>;
  /** Leads the next one on, where it does not come to the end by itself. */
  readonly onward?: (world: World, huddle: Huddle) => Promise<unknown>;
  readonly end: Expectation | 'nothing runs' | 'as it was told';
}

const nothing = () => Promise.resolve();
/** From now on. */
const convert = async (world: World, kind: Kind) => {
  world.kind = kind;
  await world.configure();
};
/** Edits the program's section; what is started by it says so. */
const edit = (world: World) =>
  world.configure({ application: { environment: { ...world.environment, EDITION: '+edited' } } });
const until = (version: string) => async (world: World, huddle: Huddle) =>
  await huddle.live('shop', world.revision(version));

async function stopAndStart(world: World, huddle: Huddle): Promise<void> {
  await until('v1')(world, huddle);
  await world.stage.run('stop', '-c', world.stage.dir, 'shop');
  await huddle.until('shop', ({ state }) => state === 'stopped', 'stopped');
  await world.stage.run('start', '-c', world.stage.dir, 'shop');
  await until('v1')(world, huddle);
}

/** When the first release makes room for the next, nothing runs in the old tree any more. */
async function twoReleases(world: World, huddle: Huddle): Promise<void> {
  if (!world.revisions.has('v3')) {
    await until('v2')(world, huddle);
    await world.push('v3');
    huddle.check();
  }
  await until('v3')(world, huddle);
}

/** They go with the check after the deployment. */
async function noReleases(world: World, huddle: Huddle): Promise<void> {
  await until('v2')(world, huddle);
  huddle.check();
  const releases = join(world.stage.copy('shop'), 'releases');
  await eventually('the releases go, or Huddle', () => !existsSync(releases) || !alive(huddle.pid));
}

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
    live: stopAndStart,
    end: 'as it was told',
  },
  'stop and start, with sockets': {
    from: 'deployed',
    kind: 'listen',
    before: nothing,
    live: stopAndStart,
    end: 'as it was told',
  },
  'stop and start, with a proxy': {
    from: 'deployed',
    kind: 'proxy',
    before: nothing,
    live: stopAndStart,
    end: 'as it was told',
  },
  'side by side': {
    from: 'deployed',
    kind: 'listen',
    before: (world) => world.push('v2'),
    live: until('v2'),
    end: { version: 'v2' },
  },
  'side by side, behind the proxy': {
    from: 'deployed',
    kind: 'proxy',
    before: (world) => world.push('v2'),
    live: until('v2'),
    end: { version: 'v2' },
  },
  // What was cut short is not taken up again: all that led to it has to lead back.
  'side by side, withdrawn': {
    from: 'deployed',
    kind: 'proxy',
    before: (world) => world.push('v2'),
    live: until('v2'),
    after: (world) => world.withdraw(),
    end: { version: 'v1', isAgain: true },
  },
  'side by side, refused': {
    from: 'deployed',
    kind: 'listen',
    before: async (world) => {
      await world.configure({ application: { settle: 1 } });
      await world.push('crash2');
    },
    live: (_world, huddle) =>
      huddle.until('shop', ({ rejected, state }) => rejected.length > 0 && state === 'running', 'refused'),
    end: { version: 'v1', bad: ['crash2'] },
  },
  'side by side, edited': {
    from: 'deployed',
    kind: 'listen',
    before: nothing,
    live: async (world, huddle) => {
      const { program } = await huddle.live('shop', world.revision('v1'));
      await edit(world);
      const isOther = (pid: number | null | undefined) => typeof pid === 'number' && pid !== program?.pid;
      await huddle.until('shop', (app) => app.state === 'running' && isOther(app.program?.pid), 'the other one');
    },
    after: edit,
    end: { version: 'v1+edited', isChanged: true },
  },
  'to side by side': {
    from: 'deployed',
    before: async (world) => {
      await world.write('data/mine');
      await appendFile(join(world.stage.copy('shop'), 'padding.txt'), 'mine\n');
      await convert(world, 'listen');
      await world.push('v2');
    },
    live: twoReleases,
    onward: twoReleases,
    end: { version: 'v3', saved: 1 },
  },
  'back to in place': {
    from: 'deployed',
    kind: 'listen',
    before: async (world) => {
      await convert(world, 'in place');
      await world.push('v2');
    },
    live: noReleases,
    onward: noReleases,
    end: { version: 'v2', hasMine: true },
  },
} as const satisfies Record<string, Story>;

export type StoryName = keyof typeof stories;
