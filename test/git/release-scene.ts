import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchRevision } from '../../src/git/ask.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { finishRelease, prepareRelease, takeCurrent, type Prepared } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience } from './support.ts';

/** A release of a revision that the remote has, made ready but not put in charge. */
export async function makeRelease(
  place: GitPlace,
  revision: string,
  shared: readonly string[] = [],
): Promise<Prepared> {
  await openWorkingCopy(place, 'place', patience);
  await fetchRevision(place, { branch: 'main', revision, from: null }, patience);
  const prepared = await prepareRelease(place, { revision, branch: 'main', shared }, patience);
  await finishRelease(place, revision);
  return prepared;
}

/** What a deployment side by side does. */
export async function release(place: GitPlace, revision: string, shared: readonly string[] = []): Promise<Prepared> {
  const prepared = await makeRelease(place, revision, shared);
  await takeCurrent(place, prepared.name);
  return prepared;
}

/** Every trace of a release in the store, and what there is of releases on disk. */
export async function traces(local: string): Promise<{ releases: string[]; entries: string[]; refs: string[] }> {
  const names = async (folder: string): Promise<string[]> =>
    (await readdir(folder).catch((): string[] => [])).toSorted();
  const modules = await readdir(join(local, '.git/modules'), { recursive: true }).catch(() => []);
  const inner = modules
    .filter((path) => !path.includes('/huddle/') && /(?:^|\/)worktrees\/[^/]+$/.test(path))
    .toSorted();
  const refs = git(local, 'for-each-ref', '--format=%(refname)', 'refs/huddle/releases').split('\n').filter(Boolean);
  return {
    releases: await names(join(local, 'releases')),
    entries: [...(await names(join(local, '.git/worktrees'))), ...inner],
    refs: refs.map((ref) => ref.slice('refs/huddle/releases/'.length)),
  };
}
