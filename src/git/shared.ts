import { lstat, readFile, readlink } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { bytes, paths, type Path } from './compare.ts';
import { sharedNote, worktreeOf, type Release } from './release-record.ts';
import { now } from './repair.ts';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/*
 * How paths are shared
 *
 * What is shared lies in `shared/PATH`, and each release has a link to it at PATH. The first release's content seeds
 * it. A working copy that was deployed in place has it in its tree, where the old program goes on using it: there it
 * stays, lent, and `shared/PATH` is a link to it; so nothing of it is ever away, not for an instant. Which paths have
 * been shared is noted in the store.
 */

/** One path of the `shared` list; those inside another one are left out. */
export interface SharedPath {
  /** Inside a release, without a slash at its end. */
  readonly path: string;
  /**
   * What is made of it where no release has anything there; else the link leads to nothing until somebody makes the
   * file.
   */
  readonly isFolder: boolean;
}

/** Reads a list as it is configured. A path counts as a folder when it ends with a slash or its name has no dot. */
export function sharedPaths(list: readonly string[]): SharedPath[] {
  const found = list.map((text) => {
    const path = posix.normalize(text).replace(/\/+$/, '');
    const parts = path.split('/');
    if (path === '.' || posix.isAbsolute(path) || parts.some(isForbidden) || /\p{Cc}/u.test(path))
      throw notShared(text);
    return { path, isFolder: text.endsWith('/') || !posix.basename(path).includes('.') };
  });
  return found.filter(
    ({ path }, index) =>
      !found.some((other) => path.startsWith(`${other.path}/`)) &&
      found.findIndex((other) => other.path === path) === index,
  );
}

function isForbidden(part: string): boolean {
  return part === '..' || part.toLowerCase() === '.git';
}

function notShared(path: string): Failure {
  return new Failure('config-invalid', {
    doing: 'reading',
    subject: 'deployment.shared',
    reason: `${JSON.stringify(path)} is not a path inside the working copy`,
    hint: 'Give paths that begin in the root of the repository: data, config/local.json.',
  });
}

/** Whether a path inside the work tree is one of these, or in one. */
export function isWithin(path: string, shared: readonly SharedPath[]): boolean {
  return shared.some((each) => path === each.path || path.startsWith(`${each.path}/`));
}

/** The paths that have been shared here so far; null: there never was a release. */
export async function readShared(store: GitRepository): Promise<string[] | null> {
  const file = noteOf(store);
  if ((await lstat(file).catch(() => null))?.isFile() !== true) return null;
  return (await readFile(file, 'utf8')).split('\n').filter(Boolean);
}

/** Notes paths in the place of those noted before; null: that there is nothing more to note. */
export async function noteShared(store: GitRepository, all: readonly string[] | null): Promise<void> {
  const lines = all?.map((path) => `/${path.replaceAll(/[\\*?[ ]/g, '\\$&')}\n`).join('') ?? '';
  await runScript(store, excludeScript, [store.gitDir], lines);
  // The note last: whoever finds it as it should be takes the rest for granted.
  const script = all === null ? 'rm -f -- "$1"' : 'cat > "$1.new"; mv -f -- "$1.new" "$1"';
  await runScript(store, script, [noteOf(store)], all?.map((path) => `${path}\n`).join('') ?? '');
}

// For git by hand, to which the links are neither new nor to be cleaned away. Huddle itself does not read it.
const excludeScript = `
cd "$1"; mkdir -p info; touch info/exclude
lines=$(cat)
{
  sed '/^# huddle: shared$/,/^# huddle: end$/d' info/exclude
  if [ -n "$lines" ]; then printf '# huddle: shared\\n%s\\n# huddle: end\\n' "$lines"; fi
} > info/exclude.new
mv -f info/exclude.new info/exclude
`;

function noteOf({ gitDir }: GitRepository): string {
  return join(gitDir, sharedNote);
}

/** Those of the paths that are lent: `shared/PATH` leads to where the in-place tree has them. */
export async function findLent(store: GitRepository, all: readonly string[]): Promise<string[]> {
  const leads = await Promise.all(
    all.map(
      async (path) => (await readlink(join(store.workTree, 'shared', path)).catch(() => null)) === lentLink(path),
    ),
  );
  return all.filter((_, index) => leads[index]);
}

/**
 * Puts the links into a release that is not ready yet: what it has at a shared path seeds that where nothing is there,
 * and goes elsewhere. `lends`: what the in-place tree has there comes first.
 */
export async function linkShared(
  store: GitRepository,
  release: Release,
  shared: readonly SharedPath[],
  lends: boolean,
): Promise<void> {
  if (shared.length === 0) return;
  for (const { path } of shared) await mustBeReal(release, path);
  const words = shared.flatMap(({ path, isFolder }) => [
    path,
    isFolder ? 'folder' : 'file',
    lentLink(path),
    relative(dirname(join(release.directory, path)), join(store.workTree, 'shared', path)),
  ]);
  faultPoint('shared.link.before');
  await runScript(store, linkScript, [store.workTree, `releases/${release.name}`, lends ? 'yes' : 'no', ...words]);
  faultPoint('shared.link.after');
  await hideShared(
    worktreeOf(store, release),
    shared.map(({ path }) => path),
  );
}

// A seed is on disk before it has its name: no power cut leaves half of one that no release would replace.
const linkScript = `
cd "$1"; release=$2; lends=$3; shift 3
is() { [ -e "$1" ] || [ -L "$1" ]; }
while [ $# -gt 0 ]; do
  path=$1; kind=$2; home=$3; link=$4; shift 4
  mkdir -p -- "$(dirname "shared/$path")" "$(dirname "$release/$path")"
  if ! is "shared/$path"; then
    if [ "$lends" = yes ] && is "./$path"; then ln -s -- "$home" "shared/$path"
    elif is "$release/$path"; then
      rm -rf -- "shared/$path.huddle-new"
      mv -T -- "$release/$path" "shared/$path.huddle-new"
      sync -f shared
      mv -T -- "shared/$path.huddle-new" "shared/$path"
    elif [ "$kind" = folder ]; then mkdir -- "shared/$path"
    fi
  fi
  rm -rf -- "$release/$path"
  ln -s -- "$link" "$release/$path"
done
`;

/** What the revision has at a shared path is not there, and git is not to see it as lost. */
export async function hideShared(worktree: GitRepository, shared: readonly string[]): Promise<void> {
  const tracked = await trackedIn(worktree, shared);
  if (tracked.length === 0) return;
  await runGit(worktree, ['update-index', '--skip-worktree', '-z', '--stdin'], { input: bytes(tracked) });
}

/** What the index has at these paths and below. */
export async function trackedIn(repository: GitRepository, at: readonly string[]): Promise<Path[]> {
  return at.length === 0 ? [] : paths((await runGit(repository, ['ls-files', '-z', '--', ...at])).stdout);
}

/** A link of the revision's in a shared path would have Huddle put things elsewhere. */
async function mustBeReal({ directory }: Release, path: string): Promise<void> {
  for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) {
    const found = await lstat(join(directory, parent)).catch(() => null);
    if (found === null || found.isDirectory()) continue;
    throw new Failure('path-occupied', {
      doing: 'sharing',
      subject: path,
      reason: `in the revision ${parent} is no folder`,
      hint: 'Name a path in deployment.shared whose parents are folders of the repository, or are not in it.',
    });
  }
}

/**
 * Brings what is shared back to where the in-place tree has it, and leaves links to there. What stands there is set
 * aside. Only when no program runs in a release.
 */
export async function giveBack(store: GitRepository, all: readonly string[]): Promise<void> {
  if (all.length === 0) return;
  const words = all.flatMap((path) => [path, lentLink(path), `${now()}-${path.replaceAll('/', '-')}`]);
  const said = await runScript(store, giveBackScript, [store.workTree, ...words]);
  for (const line of said.toString().split('\n').filter(Boolean)) store.place.log(`${line}\n`);
}

const giveBackScript = `
cd "$1"; shift
is() { [ -e "$1" ] || [ -L "$1" ]; }
while [ $# -gt 0 ]; do
  path=$1; home=$2; aside=.git/huddle/set-aside/$3; shift 3
  if ! is "shared/$path" || [ "$(readlink -- "shared/$path")" = "$home" ]; then continue; fi
  if is "./$path"; then
    mkdir -p .git/huddle/set-aside
    mv -T -- "./$path" "$aside"
    echo "what stood at $path was in the way of what had been shared, and has been moved to $PWD/$aside"
  fi
  mkdir -p -- "$(dirname "./$path")"
  mv -T -- "shared/$path" "./$path"
  ln -s -- "$home" "shared/$path"
done
`;

/**
 * Removes the links to what is lent, which no release needs any more. What else is in `shared` stays, and stays noted.
 */
export async function dropLent(store: GitRepository): Promise<void> {
  const all = await readShared(store);
  if (all === null) return;
  const lent = await findLent(store, all);
  const script = `
cd "$1"; shift
for path in "$@"; do
  rm -f -- "shared/$path"
  (cd shared && rmdir -p -- "$(dirname "$path")") 2>/dev/null || :
done
rmdir shared 2>/dev/null || :
`;
  await runScript(store, script, [store.workTree, ...lent]);
  const there = await Promise.all(all.map((path) => lstat(join(store.workTree, 'shared', path)).catch(() => null)));
  const kept = all.filter((_, index) => there[index] !== null);
  await noteShared(store, kept.length === 0 ? null : kept);
}

/** From `shared/PATH` to PATH. */
function lentLink(path: string): string {
  return relative(dirname(join('/shared', path)), join('/', path));
}
