import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from './client.ts';
import { resolveCommit } from './refs.ts';
import { knownReleases, releaseRefs, sharedNote } from './release-record.ts';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/**
 * Brings what is known of releases and shared paths from a damaged store into the clone that is about to take its
 * place. A release whose revision the clone does not have counts as half-made from then on: it goes when it is no
 * longer spared.
 */
export async function rescueReleases(damaged: GitRepository, clone: GitRepository): Promise<void> {
  const releases = await knownReleases(damaged);
  const script = `
if [ -d "$1/worktrees" ]; then cp -a -- "$1/worktrees" "$2/"; fi
for file in "$3" info/exclude; do if [ -f "$1/$file" ]; then cp -a -- "$1/$file" "$2/$file"; fi; done
`;
  await runScript(damaged, script, [damaged.gitDir, clone.gitDir, sharedNote]);
  for (const { name, revision, state } of releases) {
    if (state !== 'ready' || (await resolveCommit(clone, revision)) === null) continue;
    await runGit(clone, ['update-ref', `${releaseRefs}/${name}`, revision]);
  }
}

/** Whether the repository is a store of releases alone, with no tree of its own at the local path. */
export async function isStoreOnly({ gitDir }: GitRepository): Promise<boolean> {
  const isThere = (name: string): Promise<boolean> =>
    lstat(join(gitDir, name)).then(
      () => true,
      () => false,
    );
  return (await isThere(sharedNote)) && !(await isThere('index'));
}
