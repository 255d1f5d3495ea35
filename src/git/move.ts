import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import type { SavedCommits } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { DamagedRepository } from './classify.ts';
import { runGit } from './client.ts';
import { bytes, compare, indexOf, indexToDisk, paths, treeToIndex } from './compare.ts';
import type { Changes, Path, TreeIndex } from './compare.ts';
import { findInTheWay, type InTheWay, type Sight } from './in-the-way.ts';
import { isCommitId } from './names.ts';
import { readHead, readRef, resolveCommit, type Head } from './refs.ts';
import { now, setAsideDamagedIndex } from './repair.ts';
import { takeBack } from './room.ts';
import { deployedRef, previousRef, pullingRef, type GitRepository } from './repository.ts';
import { save, saveCommits, type Saved } from './saved.ts';
import { runScript } from './script.ts';

/** What a repository with submodules does besides. */
export interface Steps {
  /** Before the files move: takes submodules away that the target does not have. Gets target to index. */
  readonly leave: (index: Changes) => Promise<void>;
  /** When the files have moved: brings submodules to where the target has them. */
  readonly enter: () => Promise<void>;
}

/**
 * Makes a work tree equal to a commit. `branch`: HEAD will be on it, and it on the commit; null leaves HEAD detached, as
 * submodules have it. What was saved is added to `saved`.
 */
export async function moveTo(
  repository: GitRepository,
  revision: Revision,
  branch: string | null,
  saved: Saved,
  steps: Steps | null,
): Promise<void> {
  const head = (await readHead(repository)) ?? { branch, revision: null };
  await endOperations(repository);
  saved.commits.push(...(await keepCommits(repository, revision, branch, head)));
  if (steps !== null || !(await moveUntouched(repository, revision, head.revision))) {
    await replaceFiles(repository, revision, saved, async (index) => {
      faultPoint('ref.pulling.before');
      await runGit(repository, ['update-ref', pullingRef, revision]);
      faultPoint('ref.pulling.after');
      await steps?.leave(index);
    });
    await steps?.enter();
  }
  await arrive(repository, revision, branch, head);
}

// What follows is synced all at once when everything is in place.
const unsynced = { settings: ['-c', 'core.fsync=none'] };

/**
 * The short way, for the usual case: nothing was changed by hand and nothing is in the way, which git itself makes sure
 * of before it touches a file. The program is stopped meanwhile, so each process counts. Answers whether it was gone.
 */
async function moveUntouched(repository: GitRepository, revision: Revision, head: Revision | null): Promise<boolean> {
  if (head === null || (await readRef(repository, pullingRef)) !== null) return false;
  faultPoint('ref.pulling.before');
  try {
    const [hidden, edited, staged] = await Promise.all([
      findHidden(repository),
      indexToDisk(repository),
      treeToIndex(repository, head),
      runGit(repository, ['update-ref', pullingRef, revision], unsynced),
    ]);
    faultPoint('ref.pulling.after');
    if (hidden.assumed.length + hidden.skipped.length + edited.size + staged.size > 0) return false;
  } catch (error) {
    if (error instanceof DamagedRepository) return false;
    throw error;
  }
  const argv = ['read-tree', '-m', '-u', head, revision];
  faultPoint('tree.before');
  const { code, stderr } = await runGit(repository, argv, { ...unsynced, answers: [1, 128] });
  faultPoint('tree.after');
  if (code !== 0) await takeBack(repository, { head, revision, stderr });
  return code === 0;
}

/** Makes the files (and the index) equal to a tree, refs untouched; what is in the way is saved first. */
export async function replaceFiles(
  repository: GitRepository,
  tree: Revision,
  saved: Saved,
  before: (index: Changes) => Promise<void>,
): Promise<void> {
  const sight = await look(repository, tree);
  const inTheWay = await findInTheWay(repository, sight);
  if (inTheWay.files.length + inTheWay.staged.length > 0) saved.changes.push(await save(repository, inTheWay));
  await before(sight.target.index);
  faultPoint('tree.before');
  await clear(repository, inTheWay, leftovers(sight));
  await runGit(repository, ['read-tree', '--reset', '-u', tree], unsynced);
  faultPoint('tree.after');
}

/** The tree without files, written where it is not there yet. */
export async function emptyTree(repository: GitRepository): Promise<Revision> {
  return (await runGit(repository, ['hash-object', '-t', 'tree', '-w', '/dev/null'])).stdout.toString().trim();
}

/** Compares everything with everything; what hides changes from git (`assume-unchanged`, sparse) is lifted. */
export async function look(repository: GitRepository, tree: Revision): Promise<Sight> {
  try {
    await unhide(repository);
  } catch (error) {
    if (!(error instanceof DamagedRepository) || !(await setAsideDamagedIndex(repository))) throw error;
  }
  const head = (await readHead(repository))?.revision ?? null;
  const files = await readdir(repository.gitDir);
  // Without an index all files would look like somebody's own.
  if (!files.includes('index') && head !== null) await runGit(repository, ['read-tree', '--reset', head]);
  const target = await indexOf(repository, tree, 'target');
  const interrupted = await indexOfInterrupted(repository);
  const committed = head ?? (await emptyTree(repository));
  const [staged, edited, ...comparisons] = await Promise.all([
    treeToIndex(repository, committed),
    indexToDisk(repository),
    compare(repository, target),
    interrupted === null ? null : compare(repository, interrupted),
  ]);
  return { staged, edited, target: comparisons[0], interrupted: comparisons[1] };
}

async function indexOfInterrupted(repository: GitRepository): Promise<TreeIndex | null> {
  const revision = await readRef(repository, pullingRef);
  if (revision === null || (await resolveCommit(repository, revision)) === null) return null;
  return indexOf(repository, revision, 'interrupted');
}

/** What git is told not to look at. */
async function findHidden(repository: GitRepository): Promise<{ assumed: Path[]; skipped: Path[] }> {
  const { stdout } = await runGit(repository, ['ls-files', '-v', '-z']);
  const entries = paths(stdout).map((line) => ({ tag: line.charAt(0), path: line.slice(2) }));
  return {
    assumed: entries.filter(({ tag }) => tag !== tag.toUpperCase()).map(({ path }) => path),
    skipped: entries.filter(({ tag }) => tag.toUpperCase() === 'S').map(({ path }) => path),
  };
}

async function unhide(repository: GitRepository): Promise<void> {
  const { assumed, skipped } = await findHidden(repository);
  for (const [option, hidden] of [
    ['--no-assume-unchanged', assumed],
    ['--no-skip-worktree', skipped],
  ] as const) {
    if (hidden.length === 0) continue;
    await runGit(repository, ['update-index', option, '-z', '--stdin'], { input: bytes(hidden) });
  }
}

/** Files that a checkout which was cut short has put there already, and that do not belong to the target. */
function leftovers({ target, interrupted }: Sight): Path[] {
  if (interrupted === null) return [];
  return [...interrupted.index]
    .filter(([path, { status }]) => status === 'D' && !interrupted.disk.has(path) && !target.index.has(path))
    .map(([path]) => path);
}

/** Commits that only this working copy has, on the branch that is about to move or under a HEAD without a branch. */
export async function keepCommits(
  repository: GitRepository,
  revision: Revision,
  branch: string | null,
  head: Head,
): Promise<readonly SavedCommits[]> {
  const saved: SavedCommits[] = [];
  const deployed = await readRef(repository, deployedRef);
  const merging = (await readFile(join(repository.gitDir, 'MERGE_HEAD'), 'utf8').catch(() => '')).split('\n');
  const ends = new Set([
    ...(branch === null ? [] : [await readRef(repository, `refs/heads/${branch}`)]),
    ...(head.branch === null ? [head.revision] : []),
    ...merging.filter(isCommitId),
  ]);
  for (const end of ends) {
    if (end === null || end === revision || end === deployed) continue;
    const known = ['--not', revision, '--remotes', '--tags', `--glob=refs/huddle`];
    const argv = ['rev-list', '--max-count=1', end, ...known];
    const { stdout } = await runGit(repository, argv);
    if (stdout.length > 0) saved.push(await saveCommits(repository, end));
  }
  return saved;
}

/** Ends a rebase, merge or cherry-pick that somebody is in the middle of; what they had done is saved like all else. */
export async function endOperations(repository: GitRepository): Promise<void> {
  const files = await readdir(repository.gitDir);
  if (files.includes('rebase-merge') || files.includes('rebase-apply')) {
    const argv = files.includes('rebase-apply') ? ['am', '--quit'] : ['rebase', '--quit'];
    await runGit(repository, argv, { answers: [1, 128] });
  }
}

const operationFiles = [
  'MERGE_HEAD',
  'MERGE_MODE',
  'MERGE_MSG',
  'AUTO_MERGE',
  'SQUASH_MSG',
  'CHERRY_PICK_HEAD',
  'REVERT_HEAD',
  'REBASE_HEAD',
  'sequencer',
  'rebase-merge',
  'rebase-apply',
];

/** Removes what has been saved and what nobody owns; whole repositories are moved into Huddle's folder. */
async function clear(repository: GitRepository, inTheWay: InTheWay, left: readonly Path[]): Promise<void> {
  const { workTree, gitDir, place } = repository;
  const gone = [...inTheWay.untracked, ...left];
  if (gone.length > 0) await runScript(repository, 'cd "$1"; xargs -0 rm -f --', [workTree], bytes(gone));
  for (const path of inTheWay.repositories) {
    const name = Buffer.from(path, 'latin1').toString();
    const aside = join('huddle/set-aside', `${now()}-${name.replaceAll('/', '-')}`);
    await runScript(repository, 'mkdir -p "$2/huddle/set-aside"; mv -T -- "$1" "$2/$3"', [
      join(workTree, name),
      gitDir,
      aside,
    ]);
    place.log(`the repository ${name} was in the way and has been moved to ${join(gitDir, aside)}\n`);
  }
}

/** Refs last: until they say so, nothing has arrived. */
export async function arrive(
  repository: GitRepository,
  revision: Revision,
  branch: string | null,
  head: Head,
): Promise<void> {
  const deployed = await readRef(repository, deployedRef);
  const lines = [`update ${deployedRef} ${revision}`, `delete ${pullingRef}`];
  if (deployed !== null && deployed !== revision) lines.push(`update ${previousRef} ${deployed}`);
  const detached = ['option no-deref', `update HEAD ${revision}`];
  if (branch === null) await updateRefs(repository, [...lines, ...detached]);
  else {
    try {
      await updateRefs(repository, [...lines, `update refs/heads/${branch} ${revision}`]);
      if (head.branch !== branch) await runGit(repository, ['symbolic-ref', 'HEAD', `refs/heads/${branch}`]);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'path-occupied') throw error;
      // Somebody's branch `a` leaves no room for `a/b`. It is theirs, and HEAD can do without.
      repository.place.log(`HEAD is on no branch: there is no room for ${branch} (${error.reason})\n`);
      await updateRefs(repository, [...lines, ...detached]);
    }
  }
  const files = await readdir(repository.gitDir);
  const over = operationFiles.filter((name) => files.includes(name));
  if (over.length > 0) await runScript(repository, 'cd "$1"; shift; rm -rf -- "$@"', [repository.gitDir, ...over]);
}

async function updateRefs(repository: GitRepository, lines: readonly string[]): Promise<void> {
  const input = Buffer.from(`${lines.join('\n')}\n`);
  faultPoint('ref.deployed.before');
  await runGit(repository, ['update-ref', '--stdin'], { ...unsynced, input });
  faultPoint('ref.deployed.after');
}
