import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { asFailure, Failure } from '../../machines/failure.ts';
import type { Rescued } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { DamagedRepository } from './classify.ts';
import { runGit } from './client.ts';
import { ready } from './common-folder.ts';
import { currentName, follow, hasTree, markBare, mustHaveRoom, saveTree } from './convert.ts';
import { checkedName } from './names.ts';
import type { GitPlace } from './place.ts';
import { remove } from './prune.ts';
import { readHead, readRef } from './refs.ts';
import { branchOf, findRelease, freeName, readRelease, releaseRefs, type Release } from './release-record.ts';
import { markDamaged } from './repair.ts';
import { pullingRef, repositoryOf, type GitRepository } from './repository.ts';
import { mustFitBeside } from './room.ts';
import { runScript } from './script.ts';
import { isWithin, linkShared, noteShared, readShared, sharedPaths, type SharedPath } from './shared.ts';
import { beginRelease, fillRelease, mendRelease } from './worktree.ts';

export { leaveReleases } from './convert.ts';
export { pruneReleases } from './prune.ts';

export interface WantedRelease {
  /** A commit that has been fetched. */
  readonly revision: Revision;
  readonly branch: string;
  /** Paths inside the release that all releases have in common. */
  readonly shared: readonly string[];
}

export interface Prepared extends Rescued {
  /** Absolute: where its scripts and its program run. */
  readonly directory: string;
  /** Of its folder. */
  readonly name: string;
  /** False: it was on disk and ready, and nothing has been done. */
  readonly isFresh: boolean;
}

/**
 * Makes a release of a revision, beside all others and beside the tree of an app that was deployed in place, which
 * stays as it is. Needs no network. Until `finishRelease` it counts as half-made, and is begun anew when it is wanted
 * again. One that is ready is answered at once, and never touched.
 */
export async function prepareRelease(place: GitPlace, wanted: WantedRelease, signal: AbortSignal): Promise<Prepared> {
  const { revision } = wanted;
  const store = repositoryOf(place, 'preparing a release', signal);
  const branch = checkedName(wanted.branch, 'branch');
  const shared = sharedPaths(wanted.shared);
  await ready(store);
  const found = await findRelease(store, revision);
  if (found?.state === 'ready') return reuse(store, found, branch);
  const isTree = await hasTree(store);
  await mustHaveRoom(store, shared, isTree);
  await mustFitBeside(store, revision);
  const noted = await readShared(store);
  const all = [...new Set([...(noted ?? []), ...shared.map(({ path }) => path)])];
  if (all.length !== noted?.length) await noteShared(store, all);
  const { saved, commits } = isTree ? await saveTree(store, { revision, branch, shared }) : nothingSaved;
  if (!isTree) await markBare(store, true);
  const { directory, name } = await make(store, { found, revision, branch, shared, isTree });
  return { directory, name, isFresh: true, saved, commits };
}

const nothingSaved: Rescued = { saved: null, commits: [] };

async function reuse(store: GitRepository, release: Release, branch: string): Promise<Prepared> {
  const { name, directory } = release;
  await mendRelease(store, release);
  if ((await branchOf(store, release)) !== branch) await beginRelease(store, release, branch);
  return { directory, name, isFresh: false, ...nothingSaved };
}

interface Making extends Omit<WantedRelease, 'shared'> {
  /** What there is of it, half-made. */
  readonly found: Release | null;
  readonly shared: readonly SharedPath[];
  readonly isTree: boolean;
}

async function make(store: GitRepository, { found, revision, branch, shared, isTree }: Making): Promise<Release> {
  if (found?.state === 'half-made') await remove(store, found);
  const name = await freeName(store, revision);
  const release = { name, revision, directory: join(store.workTree, 'releases', name), state: 'half-made' } as const;
  try {
    await beginRelease(store, release, branch);
    await fillRelease(store, release, (path) => !isWithin(path, shared));
    await linkShared(store, release, shared, isTree);
  } catch (error) {
    if (error instanceof DamagedRepository) await markDamaged(store);
    // Cleaning up is not stopped by what stopped the work. What is left all the same goes at the next try.
    await remove({ ...store, signal: new AbortController().signal }, release).catch((thrown: unknown) =>
      store.place.log(`${release.directory} is left half-made: ${asFailure(thrown).reason}\n`),
    );
    throw error;
  }
  return release;
}

/** A release that was prepared is ready from now on: its scripts have run. */
export async function finishRelease(place: GitPlace, revision: Revision, signal?: AbortSignal): Promise<void> {
  const store = repositoryOf(place, 'finishing a release', signal ?? new AbortController().signal);
  const release = await findRelease(store, revision);
  if (release === null || release.state === 'in doubt') throw unknown(store, revision);
  if (release.state === 'ready') return;
  const script = 'printf "%s\\n" "$2" > "$1/boot"; touch "$1/revision"';
  await runScript(store, script, [join(store.gitDir, 'worktrees', release.name, 'huddle'), here.bootId()]);
  faultPoint('release.ready.before');
  await runGit(store, ['update-ref', `${releaseRefs}/${release.name}`, revision]);
  faultPoint('release.ready.after');
}

/** Lets `current` lead to a release that is ready, by one rename, and HEAD to its revision. */
export async function takeCurrent(place: GitPlace, name: string, signal?: AbortSignal): Promise<void> {
  const store = repositoryOf(place, 'switching to a release', signal ?? new AbortController().signal);
  await ready(store);
  const release = await readRelease(store, name);
  if (release?.state !== 'ready') throw unknown(store, name);
  faultPoint('current.before');
  here.pointLink?.(join(store.workTree, 'current'), release.directory);
  const script = `
cd "$1"
if [ "$3" = link ]; then
  ln -sfn -- "releases/$2" .current.huddle-new
  mv -fT -- .current.huddle-new current
fi
touch ".git/worktrees/$2/huddle/revision"
`;
  await runScript(store, script, [store.workTree, name, here.pointLink === null ? 'link' : 'done']);
  faultPoint('current.after');
  // Until the tree has been cleared, HEAD says what it is at.
  if (!(await hasTree(store))) await follow(store, release);
}

/**
 * The folder in which a revision stands whole: its release, or the local path where that still has the tree of an app
 * that was deployed in place. null: nowhere. Starts no process.
 */
export async function findDirectory(place: GitPlace, revision: Revision): Promise<string | null> {
  const store = repositoryOf(place, 'looking for a release', new AbortController().signal);
  const release = await findRelease(store, revision);
  if (release?.state === 'ready') return release.directory;
  const isHere = (await hasTree(store)) && (await readRef(store, pullingRef)) === null;
  return isHere && (await readHead(store))?.revision === revision ? store.workTree : null;
}

/** Whether `current` leads to a release that is there, or there is none yet. Starts no process. */
export async function hasLead(place: GitPlace, signal: AbortSignal): Promise<boolean> {
  const store = repositoryOf(place, 'looking for a release', signal);
  const name = await currentName(store);
  return name === null ? hasTree(store) : (await readRelease(store, name))?.state === 'ready';
}

function unknown({ doing, workTree }: GitRepository, subject: string): Failure {
  return new Failure('directory-missing', {
    doing,
    subject: `${workTree}/releases`,
    reason: `there is no release ${subject}`,
    hint: 'Somebody has removed it: Huddle makes it again at the next deployment.',
  });
}
