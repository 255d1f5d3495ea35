import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import { DamagedRepository } from './classify.ts';
import { runGit } from './client.ts';
import { cloneBeside, cloneFolder } from './clone.ts';
import { enter, readRealConfig } from './common-folder.ts';
import { fetchBranch } from './fetch.ts';
import { readHead, resolveCommit } from './refs.ts';
import type { GitRepository } from './repository.ts';
import { isStoreOnly, rescueReleases } from './rescue.ts';
import { runScript } from './script.ts';

// Laid down by a checkout that failed on a damaged object: gentle means have had their turn.
const damagedMark = 'huddle/damaged';

/**
 * Runs an operation that may use the network and repairs the repository when it turns out to be damaged: first in
 * place (empty objects, refs and index, as a power cut leaves them; then everything is fetched again), at last by a
 * new clone. What is replaced is set aside, never deleted.
 */
export async function withRepair<T>(
  repository: GitRepository,
  branch: string,
  operation: () => Promise<T>,
): Promise<T> {
  const attempts = [
    async () => undefined,
    async () => {
      await mend(repository, branch);
      await fetchBranch(repository, branch, { again: true });
    },
    () => replace(repository, branch),
  ];
  for (const [index, prepare] of attempts.entries()) {
    try {
      await prepare();
      return await operation();
    } catch (error) {
      if (!isCurable(error, index) || index === attempts.length - 1) throw error;
      repository.place.log(`${repository.gitDir} is damaged (${error.reason}); repairing it from the remote\n`);
    }
  }
  throw new Error('unreachable');
}

// An old git that cannot fetch again gets a new clone.
function isCurable(error: unknown, attempt: number): error is Failure {
  return (
    error instanceof DamagedRepository || (attempt > 0 && error instanceof Failure && error.code === 'not-supported')
  );
}

/** Fails with `DamagedRepository` when a commit, or a file or folder of it, is missing or empty. */
export async function verify(repository: GitRepository, revision: Revision): Promise<void> {
  const { gitDir, doing, workTree } = repository;
  const empty = await runScript(
    repository,
    `cd "$1"; if [ -e ${damagedMark} ]; then echo "a damaged object"; fi
     find objects -mindepth 2 -maxdepth 2 -type f -size 0 ! -name 'tmp_*' -path 'objects/[0-9a-f][0-9a-f]/*'`,
    [gitDir],
  );
  if (empty.length > 0)
    throw new DamagedRepository('internal', {
      doing,
      subject: workTree,
      reason: empty.toString().trim().split('\n')[0] ?? '',
    });
  await runGit(repository, ['rev-list', '--objects', '--no-walk', '--quiet', '--end-of-options', revision]);
}

/** Remembers that gentle repair is not enough: the next one clones anew. */
export async function markDamaged(repository: GitRepository): Promise<void> {
  await runScript(repository, `cd "$1"; : > ${damagedMark}`, [repository.gitDir]);
}

/** Repairs what needs no network. Empty files hold nothing and go, everything else is kept in `huddle/broken`. */
export async function mend(repository: GitRepository, branch: string): Promise<void> {
  await runScript(repository, mendScript, [repository.gitDir, branch, now()]);
  await enter(repository, (await readRealConfig(repository)) ?? new Map());
  await setAsideDamagedIndex(repository);
}

const mendScript = `
cd "$1"
mkdir -p huddle/broken objects refs
find objects -mindepth 2 -maxdepth 2 -type f -size 0 -path 'objects/[0-9a-f][0-9a-f]/*' -exec rm -f {} +
find objects/pack -type f -size 0 ! -name '*.keep' ! -name '*.promisor' -exec rm -f {} + 2>/dev/null || :
aside() { mv -- "$1" "huddle/broken/$(echo "$1" | tr / -)-$3"; }
isref() { head -c 200 "$1" | head -n 1 | grep -Eqx 'ref: refs/.+|[0-9a-f]{40}|[0-9a-f]{64}'; }
find refs -type f ! -name '*.lock' | while IFS= read -r file; do
  if ! isref "$file"; then aside "$file" x "$3"; fi
done
if [ -e HEAD ] && ! isref HEAD; then aside HEAD x "$3"; fi
if [ ! -e HEAD ]; then printf 'ref: refs/heads/%s\\n' "$2" > HEAD; fi
`;

/** Moves an index that git cannot read out of the way; answers whether it did. */
export async function setAsideDamagedIndex(repository: GitRepository): Promise<boolean> {
  try {
    await runGit(repository, ['ls-files', '--unmerged', '-z']);
    return false;
  } catch (error) {
    if (!(error instanceof DamagedRepository)) throw error;
    await runScript(repository, 'cd "$1"; mv -- index "huddle/broken/index-$2"', [repository.gitDir, now()]);
    repository.place.log(`the index of ${repository.workTree} was damaged and is made anew\n`);
    return true;
  }
}

/** The last resort: a new clone takes the place of `.git`, which is kept beside it as `.git.broken-DATE`. */
async function replace(repository: GitRepository, branch: string): Promise<void> {
  const { workTree, place } = repository;
  const head = (await readHead(repository))?.revision ?? null;
  const aside = `.git.broken-${now()}`;
  const isStore = await isStoreOnly(repository);
  await cloneBeside(repository, branch);
  await rescueReleases(repository, { ...repository, gitDir: join(workTree, cloneFolder) });
  await runScript(repository, `cd "$1"; mv -T .git "$2"; mv -T ${cloneFolder} .git; sync -f .`, [workTree, aside]);
  place.log(`${workTree}/.git was beyond repair and has been cloned anew; the old one is kept as ${aside}\n`);
  // The work tree is as the old HEAD had it: said so, its files are not taken for somebody's own.
  if (head === null || (await resolveCommit(repository, head)) === null) return;
  await runGit(repository, ['update-ref', `refs/heads/${branch}`, head]);
  if (isStore) return;
  await runGit(repository, ['read-tree', '--reset', head]);
}

/** Whether a whole new clone waits to become `.git`: a power cut came between the two moves of `replace`. */
export async function isReplacementDue(workTree: string): Promise<boolean> {
  return access(join(workTree, cloneFolder, 'huddle/cloned')).then(
    () => true,
    () => false,
  );
}

/** Now, as part of a file's name. */
export function now(): string {
  return new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
}
