import type { GitPlace } from '../../src/git/place.ts';
import { finishRelease, leaveReleases, prepareRelease, pruneReleases, takeCurrent } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';

// What a Huddle does, from its start on. Run as a program of its own it can be killed; run again it is the next Huddle.

const patience = new AbortController().signal;
const shared = ['data', 'local.json', 'logs'];

/** Deploys revisions side by side, one after the other, and keeps the last one only. */
async function sideBySide(place: GitPlace, revisions: readonly string[]): Promise<void> {
  await openWorkingCopy(place, 'tip', patience);
  let last = '';
  for (const revision of revisions) {
    const { name } = await prepareRelease(place, { revision, branch: 'main', shared }, patience);
    await finishRelease(place, revision);
    await takeCurrent(place, name);
    last = name;
  }
  await pruneReleases(place, { keep: 1, spare: [last], isTreeFree: true }, patience);
}

/** Deploys a revision in place, where releases were. */
async function inPlace(place: GitPlace, revisions: readonly string[]): Promise<void> {
  await openWorkingCopy(place, 'tip', patience);
  await leaveReleases(place, revisions.at(-1) ?? '', 'main', patience);
  await pruneReleases(place, { keep: 0, spare: [], isTreeFree: true }, patience);
}

/** What may be killed. */
export const ways = { 'side by side': sideBySide, 'in place': inPlace };

if (process.argv[1] === import.meta.filename) {
  const [, , way = '', place = '{}', ...revisions] = process.argv;
  const hooks = { endMarked: () => Promise.resolve(), log: () => undefined };
  await ways[way as keyof typeof ways]({ ...(JSON.parse(place) as GitPlace), ...hooks }, revisions);
}
