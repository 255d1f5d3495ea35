import type { Revision } from '../../machines/facts.ts';
import type { Rescued } from '../../machines/slots.ts';
import { DamagedRepository } from './classify.ts';
import { ready } from './common-folder.ts';
import { moveTo } from './move.ts';
import { checkedName } from './names.ts';
import type { GitPlace } from './place.ts';
import { markDamaged } from './repair.ts';
import { repositoryOf } from './repository.ts';
import type { Saved } from './saved.ts';
import { runScript } from './script.ts';
import { moveWithSubmodules } from './submodules.ts';

export interface Destination {
  /** A commit that has been fetched. */
  readonly revision: Revision;
  readonly branch: string;
}

/**
 * Makes the working copy equal to a revision, with HEAD on the branch. Needs no network. A power cut may still undo any part of
 * it until `syncWorkingCopy`. What is in the way is saved first; other untracked files stay. Cut short at any point, it can be begun
 * again for this or another revision, and takes nothing of its own half-done work for somebody's changes.
 */
export async function checkOut(place: GitPlace, to: Destination, signal: AbortSignal): Promise<Rescued> {
  const repository = repositoryOf(place, 'checking out', signal);
  checkedName(to.branch, 'branch');
  await ready(repository);
  const saved: Saved = { changes: [], commits: [] };
  try {
    if (place.repository.submodules) await moveWithSubmodules(repository, to.revision, to.branch, saved);
    else await moveTo(repository, to.revision, to.branch, saved, null);
  } catch (error) {
    if (error instanceof DamagedRepository) await markDamaged(repository);
    throw error;
  }
  const { changes, commits } = saved;
  const [first] = changes;
  return {
    saved: first === undefined ? null : { ref: first.ref, files: changes.reduce((sum, { files }) => sum + files, 0) },
    commits,
  };
}

/**
 * Resolves when all of the working copy is on disk, releases and all. It flushes the whole file system, which can take
 * many seconds beside other writers: not while a program is down.
 */
export async function syncWorkingCopy(place: GitPlace, signal: AbortSignal): Promise<void> {
  const repository = repositoryOf(place, 'syncing', signal);
  // Of a release that was made ready before, its own boot need not vouch any more.
  const script = `
cd "$1"
made=$(ls -d .git/worktrees/*/huddle/boot 2>/dev/null || :)
sync -f .
if [ -n "$made" ]; then rm -f -- $made; fi
`;
  await runScript(repository, script, [repository.workTree]);
}
