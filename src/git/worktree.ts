import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { readSmall } from './refs.ts';
import { worktreeOf, type Release } from './release-record.ts';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';
import { hideShared, readShared } from './shared.ts';
import { childOf, listSubmodules } from './submodules.ts';

/*
 * `git worktree add` reads the working copy's config and runs its hooks; so what it would write is written here. The
 * entry is locked: git takes one whose folder it cannot find for left over, and that is so after every move of the
 * local path. A submodule in a release is a worktree too, of the submodule's own repository, so that nothing is there
 * twice.
 */

/** Notes which release is about to be made: whatever a kill leaves of it is known from now on. */
export async function beginRelease(store: GitRepository, release: Release, branch: string): Promise<void> {
  const script = `
cd "$1"
mkdir -p "worktrees/$2/huddle" "$5/releases"
printf '%s\\n' "$4" > "worktrees/$2/huddle/branch"
printf '%s\\n' "$3" > "worktrees/$2/huddle/revision"
`;
  faultPoint('release.begin.before');
  await runScript(store, script, [store.gitDir, release.name, release.revision, branch, store.workTree]);
  faultPoint('release.begin.after');
}

/** Checks a release out that has been begun, with its submodules but for those that `isWanted` is against. */
export async function fillRelease(
  store: GitRepository,
  release: Release,
  isWanted: (path: string) => boolean,
): Promise<void> {
  await addWorktree(store, release);
  if (!store.place.repository.submodules) return;
  await addSubmodules(store, release, { top: join(store.gitDir, 'worktrees', release.name), inside: '', isWanted });
}

/** Where submodules are noted for the day on which the release goes, and which of them are to come. */
interface Adding {
  readonly top: string;
  /** The path, inside the release, of what the submodules are in. */
  readonly inside: string;
  readonly isWanted: (path: string) => boolean;
}

async function addSubmodules(owner: GitRepository, at: Release, { top, inside, isWanted }: Adding): Promise<void> {
  for (const submodule of await listSubmodules(owner, at.revision)) {
    const path = join(inside, submodule.path);
    if (!isWanted(path)) continue;
    const store = await childOf(owner, submodule);
    const note = 'printf "%s\\t%s\\n" "$2" "$3" >> "$1/huddle/submodules"';
    await runScript(owner, note, [top, relative(top, store.gitDir), /\p{Cc}/u.test(path) ? '' : path]);
    const child = { ...at, revision: submodule.revision, directory: join(at.directory, submodule.path) };
    await addWorktree(store, child);
    await addSubmodules(store, child, { top, inside: path, isWanted });
  }
}

async function addWorktree(store: GitRepository, at: Pick<Release, 'name' | 'directory' | 'revision'>): Promise<void> {
  const worktree = worktreeOf(store, at);
  await layOut(worktree, at.revision);
  await runGit(worktree, ['read-tree', '--reset', '-u', at.revision], unsynced);
}

/** A power cut makes a release that was not synced begin anew. */
const unsynced = { settings: ['-c', 'core.fsync=none'] };

// Its own config is for git by hand, where the store has `extensions.worktreeConfig` and says that it is bare.
async function layOut(worktree: GitRepository, revision: Revision): Promise<void> {
  const { gitDir, workTree } = worktree;
  const script = `
mkdir -p "$1" "$2"
printf 'gitdir: %s\\n' "$3" > "$2/.git"
cd "$1"
echo 'A release that Huddle keeps' > locked
echo ../.. > commondir
printf '[core]\\n\\tbare = false\\n' > config.worktree
printf '%s/.git\\n' "$2" > gitdir
printf '%s\\n' "$4" > HEAD
`;
  await runScript(worktree, script, [gitDir, workTree, relative(workTree, gitDir), revision]);
}

/**
 * Puts right what git knows of a release whose local path has moved, or whose entry somebody has removed. Most often
 * nothing is to do.
 */
export async function mendRelease(store: GitRepository, release: Release): Promise<void> {
  const worktree = worktreeOf(store, release);
  const { gitDir } = worktree;
  const files = [join(release.directory, '.git'), ...['HEAD', 'commondir', 'locked'].map((name) => join(gitDir, name))];
  const isWhole = (await Promise.all(files.map(isThere))).every(Boolean);
  const hasIndex = await isThere(join(gitDir, 'index'));
  const isHere = (await readSmall(join(gitDir, 'gitdir'))) === `${release.directory}/.git`;
  if (isWhole && hasIndex && isHere) return;
  await layOut(worktree, release.revision);
  await runScript(store, mendSubmodules, [gitDir, release.directory, release.name]);
  if (hasIndex) return;
  await runGit(worktree, ['read-tree', '--reset', release.revision]);
  await hideShared(worktree, (await readShared(store)) ?? []);
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

const mendSubmodules = `
cd "$1"
if [ ! -e huddle/submodules ]; then exit 0; fi
while IFS='	' read -r store path; do
  if [ -n "$path" ] && [ -d "$store/worktrees/$3" ]; then printf '%s/.git\\n' "$2/$path" > "$store/worktrees/$3/gitdir"; fi
done < huddle/submodules
`;

/**
 * Takes away a release's files, then all that git knows of it; its entry goes by one rename, as long as it says whose
 * it is.
 */
export async function removeRelease(store: GitRepository, { name }: Pick<Release, 'name'>): Promise<void> {
  const script = `
cd "$1"
rm -rf -- "releases/$2" 2>/dev/null || { chmod -R u+rwX -- "releases/$2"; rm -rf -- "releases/$2"; }
if ! cd ".git/worktrees/$2" 2>/dev/null; then exit 0; fi
if [ -e huddle/submodules ]; then
  while IFS='	' read -r store path; do
    rm -rf -- "$store/worktrees/$2"
    rmdir -- "$store/worktrees" 2>/dev/null || :
  done < huddle/submodules
fi
cd "$1/.git"
rm -rf -- huddle/gone-*
mv -T -- "worktrees/$2" "huddle/gone-$2"
rm -rf -- "huddle/gone-$2"
`;
  await runScript(store, script, [store.workTree, name]);
}
