import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { ready } from './common-folder.ts';
import { compare, indexOf, indexToDisk, treeToIndex } from './compare.ts';
import { clearTree, currentName, hasTree } from './convert.ts';
import { findInTheWay } from './in-the-way.ts';
import { keepCommits } from './move.ts';
import type { GitPlace } from './place.ts';
import { readHead } from './refs.ts';
import { lastUsed, listReleases, releaseRefs, type Release, worktreeOf } from './release-record.ts';
import { repositoryOf, type GitRepository } from './repository.ts';
import { save } from './saved.ts';
import { runScript } from './script.ts';
import { dropLent, readShared } from './shared.ts';
import { mendRelease, removeRelease } from './worktree.ts';

export interface Keeping {
  /**
   * How many releases that are ready stay, those in `spare` among them. 0: the app is no longer deployed side by side.
   */
  readonly keep: number;
  /**
   * The names of releases that must stay: a program runs in them, or is to be able to. The one in charge stays anyway.
   */
  readonly spare: readonly string[];
  /** No program runs in the local path itself any more: what git tracks there of an in-place tree may go. */
  readonly isTreeFree: boolean;
}

/**
 * Removes the releases that were in charge longest ago, and half-made ones, with all that was written into them, but
 * for what git tracks: what was changed of that is saved first. Answers their names. What was shared stays.
 */
export async function pruneReleases(
  place: GitPlace,
  { keep, spare, isTreeFree }: Keeping,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const store = repositoryOf(place, 'removing releases', signal);
  const shared = await readShared(store);
  const entries = await lstat(join(store.gitDir, 'worktrees')).catch(() => null);
  if (shared === null && entries === null) return [];
  await ready(store);
  const all = await listReleases(store);
  const current = await currentName(store);
  const going = await surplus(store, all, { keep, spare: [...spare, ...(current === null ? [] : [current])] });
  for (const release of going) {
    if (release.state === 'ready') await saveOwn(store, release, shared ?? []);
    await remove(store, release);
  }
  const left = all.filter((release) => !going.includes(release));
  for (const release of left) if (release.state === 'ready') await mendRelease(store, release);
  const lead = left.find(({ name, state }) => state === 'ready' && name === current);
  if (isTreeFree && lead !== undefined && (await hasTree(store))) await clearTree(store, lead);
  if (left.length === 0) {
    await runScript(store, 'rmdir -- "$1/releases" 2>/dev/null || :', [store.workTree]);
    await dropLent(store);
    // Last: as long as it is there, something may be left.
    await runScript(store, 'rmdir -- "$1/worktrees" 2>/dev/null || :', [store.gitDir]);
  }
  return going.map(({ name }) => name);
}

async function surplus(
  store: GitRepository,
  all: readonly Release[],
  { keep, spare }: Pick<Keeping, 'keep' | 'spare'>,
): Promise<Release[]> {
  const others = all.filter(({ name }) => !spare.includes(name));
  const times = await Promise.all(others.map((release) => lastUsed(store, release)));
  const ready = others
    .map((release, index) => ({ release, time: times[index] ?? 0 }))
    .filter(({ release }) => release.state === 'ready')
    .toSorted((one, other) => other.time - one.time)
    .map(({ release }) => release);
  const spared = all.length - others.length;
  return [...others.filter(({ state }) => state !== 'ready'), ...ready.slice(Math.max(0, keep - spared))];
}

/** What somebody has changed by hand in a release of what git tracks, and has committed there on no branch, is kept. */
async function saveOwn(store: GitRepository, release: Release, shared: readonly string[]): Promise<void> {
  const worktree = worktreeOf(store, release);
  await mendRelease(store, release);
  const head = await readHead(worktree);
  const revision = head?.revision ?? release.revision;
  if (head?.revision !== release.revision) await keepCommits(store, release.revision, null, { branch: null, revision });
  const [edited, staged] = await Promise.all([indexToDisk(worktree), treeToIndex(worktree, revision)]);
  if ([...edited.values(), ...staged.values()].every(({ status }) => status === 'D')) return;
  const target = await compare(worktree, await indexOf(worktree, revision, 'target'));
  const { files, ...rest } = await findInTheWay(worktree, { edited, staged, target, interrupted: null });
  const own = files.filter((path) => !shared.some((each) => path === each || path.startsWith(`${each}/`)));
  if (own.length + rest.staged.length === 0) return;
  const { ref } = await save(worktree, { ...rest, files: own });
  store.place.log(`in a release: git -C ${join(store.workTree, 'current')} checkout ${ref} -- .\n`);
}

/** The ref first: from then on it counts as half-made. */
export async function remove(store: GitRepository, release: Release): Promise<void> {
  await runGit(store, ['update-ref', '-d', `${releaseRefs}/${release.name}`]);
  faultPoint('release.unkept');
  await removeRelease(store, release);
  faultPoint('release.removed');
}
