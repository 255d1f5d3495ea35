import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { Failure } from '../../machines/failure.ts';
import type { Rescued } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { checkOut } from './check-out.ts';
import { runGit } from './client.ts';
import { ready, readRealConfig } from './common-folder.ts';
import { bytes } from './compare.ts';
import { findInTheWay } from './in-the-way.ts';
import { arrive, emptyTree, endOperations, keepCommits, look, replaceFiles } from './move.ts';
import type { GitPlace } from './place.ts';
import { readHead, readRef } from './refs.ts';
import { branchOf, type Release } from './release-record.ts';
import { pullingRef, repositoryOf, type GitRepository } from './repository.ts';
import { save, type Saved } from './saved.ts';
import { runScript } from './script.ts';
import { findLent, giveBack, isWithin, readShared, trackedIn, type SharedPath } from './shared.ts';
import { leaveSubmodules } from './submodules.ts';

/*
 * From in place to side by side, and back
 *
 * The tree of an app that was deployed in place stays as it is while its program runs in it: the first releases are
 * made beside it. When that program has ended for good, what git tracks of it goes, and the rest stays where it is.
 * Without a tree the repository is marked as bare: git by hand shows its history, and refuses what would take
 * `releases` for a stray folder.
 */

/** Whether the local path itself has a tree, or some of one: then it was deployed in place. */
export async function hasTree(store: GitRepository): Promise<boolean> {
  const index = await lstat(join(store.gitDir, 'index')).catch(() => null);
  return index !== null || (await readRef(store, pullingRef)) !== null;
}

/**
 * Fails with `path-occupied`, before anything is touched, where the in-place tree, or somebody, has what a release
 * needs to be called so.
 */
export async function mustHaveRoom(
  store: GitRepository,
  shared: readonly SharedPath[],
  isTree: boolean,
): Promise<void> {
  const { workTree } = store;
  const releases = await lstat(join(workTree, 'releases')).catch(() => null);
  if (releases !== null && !releases.isDirectory()) throw occupied(store, 'releases');
  if ((await lstat(join(workTree, 'current')).catch(() => null)) !== null && (await currentName(store)) === null)
    throw occupied(store, 'current');
  if (!isTree) return;
  const wanted = ['current', ...shared.map(({ path }) => `shared/${path}`)];
  const [tracked] = await trackedIn(store, wanted);
  if (tracked !== undefined) throw occupied(store, tracked);
}

function occupied({ doing, workTree }: GitRepository, name: string): Failure {
  return new Failure('path-occupied', {
    doing,
    subject: join(workTree, name),
    reason: 'it stands where side by side has something of its own',
    hint: 'Move it away, or set repository.local path to a folder that does not exist yet.',
  });
}

/** The name of the release that `current` leads to; null: there is no such link. */
export async function currentName({ workTree }: GitRepository): Promise<string | null> {
  const target = await readlink(join(workTree, 'current')).catch(() => '');
  return /(?:^|[/\\])releases[/\\]([0-9a-f]{7,64})[/\\]?$/.exec(target)?.[1] ?? null;
}

/** For what the in-place tree makes room. */
interface Successor {
  readonly revision: Revision;
  readonly branch: string;
  readonly shared: readonly SharedPath[];
}

/**
 * Saves what has been changed by hand in the in-place tree, and committed, while the tree stays as it is: whoever
 * switches to side by side hears of it at once. What is shared is not in the way.
 */
export async function saveTree(store: GitRepository, { revision, branch, shared }: Successor): Promise<Rescued> {
  const head = (await readHead(store)) ?? { branch, revision: null };
  const commits = await keepCommits(store, revision, branch, head);
  const { files, staged, ...rest } = await findInTheWay(store, await look(store, await emptyTree(store)));
  const own = files.filter((path) => !isWithin(path, shared));
  const ownStaged = staged.filter(({ path }) => !isWithin(path, shared));
  if (own.length + ownStaged.length === 0) return { saved: null, commits };
  const saved = await save(store, { ...rest, files: own, staged: ownStaged });
  store.place.log(`in a release: git -C ${join(store.workTree, 'current')} checkout ${saved.ref} -- .\n`);
  return { saved, commits };
}

/** Removes from the local path what git tracks of its tree, and lets HEAD follow the release in charge. */
export async function clearTree(store: GitRepository, current: Release): Promise<void> {
  const saved: Saved = { changes: [], commits: [] };
  faultPoint('convert.before');
  await endOperations(store);
  const lent = await findLent(store, (await readShared(store)) ?? []);
  const kept = await trackedIn(store, lent);
  if (kept.length > 0) await runGit(store, ['update-index', '--force-remove', '-z', '--stdin'], { input: bytes(kept) });
  await replaceFiles(store, await emptyTree(store), saved, (index) => leaveSubmodules(store, index, saved));
  faultPoint('convert.cleared');
  await follow(store, current);
  await runScript(store, 'rm -f -- "$1/index"', [store.gitDir]);
  faultPoint('convert.left');
  await markBare(store, true);
  store.place.log(
    `${store.workTree} is deployed side by side: what git tracked of it is in releases, the rest stays\n`,
  );
}

/** Lets HEAD, its branch and the refs that keep what was deployed follow the release in charge. */
export async function follow(store: GitRepository, current: Release): Promise<void> {
  const branch = (await branchOf(store, current)) || null;
  const head = (await readHead(store)) ?? { branch, revision: null };
  await keepCommits(store, current.revision, branch, head);
  await arrive(store, current.revision, branch, head);
}

/** Whether the repository says of itself that it has no work tree. Huddle itself goes by what it finds. */
export async function markBare(store: GitRepository, isBare: boolean): Promise<void> {
  const real = await readRealConfig(store);
  if (real === null || real.get('core.bare')?.at(-1) === String(isBare)) return;
  const argv = ['config', '--file', join(store.gitDir, 'config'), '--replace-all', 'core.bare', String(isBare)];
  await runGit(store, argv, { nowhere: true });
}

/**
 * What `checkOut` does, for a local path that may have been deployed side by side: what is shared goes back into the
 * tree. Only when no program runs in a release. The releases stay until `pruneReleases` with none to keep, so that
 * nothing that a program wrote is lost before the next one has been accepted.
 */
export async function leaveReleases(
  place: GitPlace,
  revision: Revision,
  branch: string,
  signal: AbortSignal,
): Promise<Rescued> {
  const store = repositoryOf(place, 'leaving the releases', signal);
  const shared = await readShared(store);
  if (shared !== null) {
    await ready(store);
    faultPoint('convert.return.before');
    await giveBack(store, shared);
    if ((await currentName(store)) !== null) await runScript(store, 'rm -f -- "$1/current"', [store.workTree]);
    faultPoint('convert.returned');
    await markBare(store, false);
  }
  return checkOut(place, { revision, branch }, signal);
}
