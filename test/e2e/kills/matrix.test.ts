import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { faultPoints } from '../../../src/fault.ts';
import { type Moment, outside, play } from './play.ts';
import type { StoryName } from './stories.ts';
import { templates, type Templates } from './world.ts';

// Huddle is killed at each of its fault points, and in each state from outside: a twenty-fourth of them in each run of the suite,
// another one every day; HUDDLE_KILLS=all takes them all, in four minutes. `report.ts` kills it at every point in every
// state of every story, which takes half an hour.

type Kill = readonly [state: string, point: string, nth?: number];

const kills: Readonly<Record<StoryName, readonly Kill[]>> = {
  'first deployment': [
    ['', 'lock.before'],
    ['cloning', 'clone.place.before'],
    ['cloning', 'clone.place.after'],
    ['cloning', 'shell.spawn.before'],
    ['cloning', 'git.spawn.after'],
    ['pulling', 'ledger.file.fresh'],
    ['restarting', 'program.spawn.after'],
    ['running', 'ledger.history.before'],
    ['cloning', outside],
  ],
  'next deployment': [
    ['checking', 'ref.fetch.before'],
    ['checking', 'ref.fetch.after'],
    ['checking', 'git.end.after'],
    ['testing', 'candidate.before'],
    ['testing', 'candidate.after'],
    ['testing', 'command.spawn.after'],
    ['testing', 'candidate.removed'],
    ['stopping', 'program.stop.before'],
    ['stopping', 'program.stop.after'],
    ['pulling', 'ledger.state.before'],
    ['pulling', 'ledger.file.kept'],
    ['pulling', 'ledger.state.durable'],
    ['pulling', 'command.spawn.before'],
    ['pulling', 'command.spawn.after'],
    ['pulling', 'ref.pulling.before'],
    ['pulling', 'ref.pulling.after'],
    ['pulling', 'git.spawn.before'],
    ['pulling', 'tree.before'],
    ['pulling', 'tree.after'],
    ['pulling', 'ref.deployed.before'],
    ['pulling', 'ref.deployed.after'],
    ['restarting', 'ledger.program.before', 2],
    ['restarting', 'ledger.program.fresh', 2],
    ['restarting', 'ledger.program.after', 2],
    ['running', 'ledger.state.after'],
    ['checking', outside],
    ['testing', outside],
    ['pulling', outside],
    ['restarting', outside],
    ['running', outside],
  ],
  'deployment over local changes': [
    ['pulling', 'ref.saved.before'],
    ['pulling', 'ref.saved.after'],
    ['pulling', 'shell.spawn.after'],
  ],
  'failing test': [['testing', 'shell.end.after']],
  'failing script': [['pulling', 'command.end.after', 2]],
  'crashing program': [
    ['restarting', 'program.spawn.before', 2],
    ['pulling', 'tree.after', 2],
  ],
  'nothing fit to run': [
    ['waiting', 'ledger.history.after'],
    ['waiting', outside],
  ],
  'crash of the program': [['running', 'program.spawn.after']],
  'program taken over': [['restarting', 'program.adopt.after']],
  'program taken over, then replaced': [['stopping', outside]],
  'config changed meanwhile': [['cloning', 'program.stop.after']],
  'config removed meanwhile': [['', 'lock.after']],
  'stop and start': [['stopped', outside]],
  'stop and start, with sockets': [
    ['stopped', 'keeper.end.before'],
    ['stopped', 'keeper.end.after'],
  ],
  'stop and start, with a proxy': [
    ['stopped', 'proxy.end.before'],
    ['stopped', 'proxy.end.after'],
  ],
  'side by side': [
    ['pulling', 'release.begin.before'],
    ['pulling', 'release.begin.after'],
    ['pulling', 'shared.link.before'],
    ['pulling', 'release.ready.before'],
    ['pulling', 'release.ready.after'],
    ['restarting', 'sockets.open.before'],
    ['restarting', 'sockets.open.after'],
    ['restarting', 'keeper.spawn.before'],
    ['restarting', 'keeper.spawn.after'],
    ['restarting', 'keeper.record.fresh'],
    ['restarting', 'keeper.record.after'],
    ['restarting', 'program.spawn.after', 2],
    ['restarting', 'ledger.program.fresh', 2],
    ['restarting', 'current.before', 2],
    ['stopping', 'ledger.state.before'],
  ],
  'side by side, behind the proxy': [
    ['restarting', 'proxy.record.before'],
    ['restarting', 'proxy.record.fresh'],
    ['restarting', 'proxy.record.after'],
    ['restarting', 'proxy.point.before', 2],
    ['stopping', outside],
  ],
  'side by side, withdrawn': [
    ['restarting', 'current.after', 2],
    ['restarting', 'proxy.point.after', 2],
  ],
  'side by side, refused': [['restarting', 'ledger.program.after', 3]],
  'side by side, edited': [['stopping', 'program.stop.before']],
  'to side by side': [
    ['pulling', 'shared.link.after'],
    ['restarting', 'convert.before'],
    ['restarting', 'convert.cleared'],
    ['restarting', 'convert.left'],
  ],
  'back to in place': [
    ['pulling', 'convert.return.before'],
    ['pulling', 'convert.returned'],
    ['restarting', 'ledger.program.after', 2],
    ['stopping', 'program.stop.before'],
    ['checking', 'release.unkept'],
    ['checking', 'release.removed'],
  ],
};

const moments: readonly Moment[] = Object.entries(kills).flatMap(([story, each]) =>
  each.map(([state, point, nth = 1]) => ({ story: story as StoryName, state, point, nth })),
);

const today = Math.floor(Date.now() / 86_400_000);
const chosen =
  process.env['HUDDLE_KILLS'] === 'all' ? moments : moments.filter((_moment, index) => (index + today) % 24 === 0);

suite('A Huddle that is killed', { concurrency: 4 }, () => {
  const cleanings: (() => unknown)[] = [];
  const bases: Templates = templates({ after: (clean) => void cleanings.push(clean as () => unknown) });
  after(async () => {
    for (const clean of cleanings) await clean();
  });

  for (const moment of chosen) {
    const { story, state, point, nth } = moment;
    const when = `${state === '' ? '' : `while ${state}, `}${nth === 1 ? '' : `time ${nth}, `}${story}`;
    test(`${point === outside ? '' : 'at '}${point} (${when}) leaves nothing wrong to the next`, async (t) => {
      const { wrong, log } = await play(t, bases, moment);
      assert.deepEqual(wrong, [], log);
    });
  }

  test('was killed at every point that there is, and in every state', () => {
    const points = new Set(moments.map(({ point }) => point));
    assert.deepEqual(
      faultPoints.filter((point) => !points.has(point)),
      [],
    );
    const states = new Set(moments.filter(({ point }) => point === outside).map(({ state }) => state));
    const all = [
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
      all.filter((state) => !states.has(state)),
      [],
    );
  });
});
