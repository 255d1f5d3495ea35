import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { here } from '../platform/here.ts';
import { runGit } from './client.ts';
import { isCommitId } from './names.ts';
import { readRef, readSmall } from './refs.ts';
import { ownFolder, type GitRepository } from './repository.ts';

/*
 * How releases lie on disk
 *
 * A release is a git worktree of the working copy's repository, the store: its files are in `releases/NAME`, what git
 * knows of them is in the entry `.git/worktrees/NAME`. Its name is a short id of its revision, longer where that one is
 * taken. Before anything else of it is made, its revision is noted in the entry; a folder without that note is not
 * Huddle's, and is left alone. From `finishRelease` on a ref of its name keeps the revision from `gc`, and the release
 * counts as ready. It is taken away the other way round: ref, files, entry. So whatever a kill leaves is either whole
 * or known to be half-made.
 */

/** Below it: the releases that are ready, each by its name. */
export const releaseRefs = 'refs/huddle/releases';

/** Inside the git directory: the paths that have been shared so far. Where it is there have been releases. */
export const sharedNote = 'huddle/shared-paths';

export interface Release {
  /** Of its folder: a short commit id. */
  readonly name: string;
  readonly revision: Revision;
  /** Absolute. */
  readonly directory: string;
  readonly state: ReleaseState;
}

/**
 * `in doubt`: made ready in another boot, and not on disk for certain then. A program may have been started in it
 * since, so it is neither used nor touched until it is pruned.
 */
export type ReleaseState = 'ready' | 'half-made' | 'in doubt';

/** A release as a repository to run git in. */
export function worktreeOf(
  store: GitRepository,
  { name, directory }: Pick<Release, 'name' | 'directory'>,
): GitRepository {
  return { ...store, gitDir: join(store.gitDir, 'worktrees', name), workTree: directory, shares: store.gitDir };
}

/** The release of a revision, a ready one first, one in doubt last; null: there is none. Starts no process. */
export async function findRelease(store: GitRepository, revision: Revision): Promise<Release | null> {
  const names = (await namesOf(store)).filter((name) => revision.startsWith(name));
  const found = (await readAll(store, names)).filter((release) => release.revision === revision);
  const best = (['ready', 'half-made', 'in doubt'] as const).map((state) => found.find((each) => each.state === state));
  return best.find((release) => release !== undefined) ?? null;
}

/** All releases that have left more than a ref. Starts no process. */
export async function knownReleases(store: GitRepository): Promise<Release[]> {
  return readAll(store, await namesOf(store));
}

/** All releases, half-made ones too. */
export async function listReleases(store: GitRepository): Promise<Release[]> {
  const refs = await runGit(store, ['for-each-ref', '--format=%(refname)', `${releaseRefs}/`]);
  const kept = refs.stdout.toString().split('\n').filter(Boolean);
  const names = new Set([...(await namesOf(store)), ...kept.map((ref) => ref.slice(releaseRefs.length + 1))]);
  return readAll(store, [...names]);
}

/** A name for a release of this revision that no other one has, nor anything else in the folder of releases. */
export async function freeName(store: GitRepository, revision: Revision): Promise<string> {
  const taken = await namesOf(store);
  let length = shortest;
  while (taken.includes(revision.slice(0, length)) && length < revision.length) length += 1;
  return revision.slice(0, length);
}

/** As git shortens ids. */
const shortest = 7;

/** When a release was last made ready or put in charge; milliseconds. */
export async function lastUsed(store: GitRepository, { name }: Release): Promise<number> {
  return (await lstat(noteOf(store, name)).catch(() => null))?.mtimeMs ?? 0;
}

/** The branch that a release was made for. */
export async function branchOf(store: GitRepository, { name }: Pick<Release, 'name'>): Promise<string> {
  return readSmall(join(ownFolder(entryOf(store, name)), 'branch'));
}

function entryOf(store: GitRepository, name: string): string {
  return join(store.gitDir, 'worktrees', name);
}

function noteOf(store: GitRepository, name: string): string {
  return join(ownFolder(entryOf(store, name)), 'revision');
}

/** Everything that is called as a release could be. */
async function namesOf({ gitDir, workTree }: GitRepository): Promise<string[]> {
  const folders = [join(workTree, 'releases'), join(gitDir, 'worktrees')];
  const found = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return [...new Set(found.flat())].filter((name) => /^[0-9a-f]{7,64}$/.test(name));
}

async function readAll(store: GitRepository, names: readonly string[]): Promise<Release[]> {
  const found = await Promise.all(names.map((name) => readRelease(store, name)));
  return found.filter((release) => release !== null);
}

/** What there is by a name; null: nothing of Huddle's. Starts no process. */
export async function readRelease(store: GitRepository, name: string): Promise<Release | null> {
  const kept = await readRef(store, `${releaseRefs}/${name}`);
  const noted = await readSmall(noteOf(store, name));
  const revision = kept ?? (isCommitId(noted) ? noted : null);
  if (revision === null) return null;
  const directory = join(store.workTree, 'releases', name);
  const isFolder = (await lstat(directory).catch(() => null))?.isDirectory() === true;
  if (kept === null || !isFolder) return { name, revision, directory, state: 'half-made' };
  return { name, revision, directory, state: (await isCertain(store, name)) ? 'ready' : 'in doubt' };
}

/**
 * Until the disk has been synced, only the boot in which a release was made vouches for its files: a power cut leaves
 * the ref, and empty files.
 */
async function isCertain(store: GitRepository, name: string): Promise<boolean> {
  const madeIn = await readSmall(join(ownFolder(entryOf(store, name)), 'boot'));
  return madeIn === '' || madeIn === here.bootId();
}
