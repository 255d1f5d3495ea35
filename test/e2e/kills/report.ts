import { availableParallelism } from 'node:os';
import { faultPoints } from '../../../src/fault.ts';
import { type Moment, momentsOf, type Outcome, play } from './play.ts';
import { stories, type StoryName } from './stories.ts';
import { tidily } from './tidily.ts';
import { templates } from './world.ts';

// The whole kill matrix, by hand: plays every story through, kills Huddle at every point in every state that was found on
// the way, and prints what came of it. `node test/e2e/kills/report.ts [STORY…]`; half an hour on two cores.

const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(stories);
const results: { readonly moment: Moment; readonly outcome: Outcome }[] = [];
await tidily(async (t) => {
  const bases = templates(t);
  const moments = (await inTurns(names, (name) => tidily((u) => momentsOf(u, bases, name as StoryName)))).flat();
  process.stderr.write(`${moments.length} moments in ${names.length} stories\n`);
  await inTurns(moments, async (moment) => {
    const outcome = await tidily((u) => play(u, bases, moment));
    // The disk catches up beside all else: what it had to do in this state it may have done in another this time.
    if (outcome.isReached) results.push({ moment, outcome });
    process.stderr.write(outcome.wrong.length === 0 ? '.' : `\n${told(moment)}: ${outcome.wrong.join('; ')}\n`);
    if (outcome.wrong.length > 0 && process.env['KILLS_LOG'] !== undefined) process.stderr.write(outcome.log);
  });
});
process.stdout.write(`\n${table()}\n`);
process.exitCode = results.some(({ outcome }) => outcome.wrong.length > 0) ? 1 : 0;

/** Points by states: how many kills left nothing wrong, of how many. */
function table(): string {
  const states = [...new Set(results.map(({ moment }) => moment.state))].toSorted();
  const rows = faultPoints.map((point) => {
    const cells = states.map((state) => {
      const here = results.filter(({ moment }) => moment.point === point && moment.state === state);
      const well = here.filter(({ outcome }) => outcome.wrong.length === 0).length;
      return here.length === 0 ? '' : `${well}/${here.length}`;
    });
    return `| ${[point, ...cells].join(' | ')} |`;
  });
  const head = ['point', ...states.map((state) => (state === '' ? 'before any' : state))];
  return [`| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`, ...rows].join('\n');
}

function told({ story, state, point, nth = 1 }: Moment): string {
  return `${story}, ${state}, ${point}:${nth}`;
}

async function inTurns<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  return results;
}
