import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runGit } from './client.ts';
import { paths, type Changes, type Comparison, type Path } from './compare.ts';
import type { GitRepository } from './repository.ts';

/** What a checkout would destroy. */
export interface InTheWay {
  /** Files to save as they stand on disk. */
  readonly files: readonly Path[];
  /** Contents that only the index has. */
  readonly staged: readonly { readonly path: Path; readonly mode: string; readonly oid: string }[];
  /** Untracked repositories: they cannot be saved in a commit and are set aside whole. */
  readonly repositories: readonly Path[];
  /** Untracked files among `files`, which go before the checkout. */
  readonly untracked: readonly Path[];
}

export interface Sight {
  /** From the commit of HEAD to the index. */
  readonly staged: Changes;
  /** From the index to the disk. */
  readonly edited: Changes;
  readonly target: Comparison;
  /** What a checkout was cut short on its way to: what stands on disk as it has it is nobody's own. */
  readonly interrupted: Comparison | null;
}

/** Finds what differs from what git knows and from what the target will put there. Changes nothing. */
export async function findInTheWay(repository: GitRepository, sight: Sight): Promise<InTheWay> {
  const { staged, edited, target, interrupted } = sight;
  const inIndex = (path: Path): boolean => edited.has(path) || (staged.has(path) && staged.get(path)?.status !== 'D');
  const isAs = (tree: Comparison | null, path: Path): boolean =>
    tree !== null && !tree.disk.has(path) && contains(tree, path, inIndex(path)) && !isGitlink(tree, path);
  const isKnown = (path: Path): boolean => isAs(target, path) || isAs(interrupted, path);

  const tracked = [
    ...[...edited].filter(([, change]) => change.status !== 'D'),
    ...[...staged].filter(([path, change]) => change.status !== 'D' && !edited.has(path)),
  ]
    .filter(([path, change]) => change.mode !== gitlink && change.oldMode !== gitlink && !isKnown(path))
    .map(([path]) => path);
  const onlyStaged = [...staged]
    .filter(([path, { status }]) => 'AMT'.includes(status) && edited.has(path))
    .filter(([path, { mode }]) => mode !== gitlink && target.index.has(path))
    .map(([path, { mode, oid }]) => ({ path, mode, oid }));
  const overwritten = [...target.disk]
    .filter(([path, { status }]) => status !== 'D' && target.index.get(path)?.status === 'D')
    .map(([path]) => path);
  const replaced = await findReplaced(repository, target);
  const untracked = [...overwritten, ...replaced.files].filter((path) => !isAs(interrupted, path));
  return {
    files: [...new Set([...tracked, ...untracked])],
    staged: onlyStaged,
    repositories: replaced.repositories,
    untracked: [...overwritten, ...replaced.files],
  };
}

export const gitlink = '160000';

function contains(tree: Comparison, path: Path, inIndex: boolean): boolean {
  const status = tree.index.get(path)?.status;
  return inIndex ? status !== 'A' : status === 'D';
}

// The disk is not compared with what a tree has as a submodule.
function isGitlink(tree: Comparison, path: Path): boolean {
  return tree.index.get(path)?.oldMode === gitlink;
}

/** Untracked files inside folders that stand where the target has a file, or that stand where it needs a folder. */
async function findReplaced(
  repository: GitRepository,
  target: Comparison,
): Promise<{ files: Path[]; repositories: Path[] }> {
  const wanted = [
    ...[...target.disk].filter(([, { status }]) => status === 'D').map(([path]) => path),
    ...[...target.index.keys()].filter((path) => isGitlink(target, path)),
  ];
  const seen = new Map<Path, Promise<Kind>>();
  const look = (path: Path): Promise<Kind> => {
    const known = seen.get(path) ?? kindOf(repository, path);
    seen.set(path, known);
    return known;
  };
  const roots = new Set<Path>();
  for (const path of wanted) {
    const blocking = await firstBlocking(path, isGitlink(target, path), look);
    if (blocking !== null) roots.add(blocking);
  }
  if (roots.size === 0) return { files: [], repositories: [] };
  const found = new Set<Path>();
  // A command line holds only so much.
  const all = [...roots];
  for (let start = 0; start < all.length; start += 200) {
    const some = all.slice(start, start + 200).map((path) => Buffer.from(path, 'latin1').toString());
    const { stdout } = await runGit(repository, ['ls-files', '--others', '-z', '--', ...some]);
    for (const path of paths(stdout)) found.add(path);
  }
  const others = [...found];
  return {
    files: others.filter((path) => !path.endsWith('/')),
    repositories: others.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1)),
  };
}

type Kind = 'nothing' | 'folder' | 'other';

async function kindOf({ workTree }: GitRepository, path: Path): Promise<Kind> {
  const full = Buffer.concat([Buffer.from(`${workTree}/`), Buffer.from(path, 'latin1')]);
  const found = await lstat(full).catch(() => null);
  if (found === null) return 'nothing';
  return found.isDirectory() ? 'folder' : 'other';
}

/** What stands where `path` is to be: itself a folder (for a submodule: a file), or a parent that is no folder. */
async function firstBlocking(path: Path, isFolder: boolean, look: (path: Path) => Promise<Kind>): Promise<Path | null> {
  const parents: Path[] = [];
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) parents.unshift(parent);
  for (const parent of parents) {
    const kind = await look(parent);
    if (kind === 'nothing') return null;
    if (kind === 'other') return parent;
  }
  return (await look(path)) === (isFolder ? 'other' : 'folder') ? path : null;
}
