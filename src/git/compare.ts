import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { runGit, type GitOptions } from './client.ts';
import { ownFolder, type GitRepository } from './repository.ts';

/**
 * A path inside a work tree. File names are bytes: here each byte is one character (latin1), so that every name goes
 * through strings and back unharmed. `bytes` and `paths` convert.
 */
export type Path = string;

/** One line of a raw diff: what stands on its right side (for the index against the disk: what the disk has). */
export interface Change {
  /** Added, modified, deleted, of another type, unmerged; seen from the left side. */
  readonly status: 'A' | 'M' | 'D' | 'T' | 'U';
  /** Of the left side. */
  readonly oldMode: string;
  readonly mode: string;
  readonly oldOid: string;
  readonly oid: string;
}

export type Changes = ReadonlyMap<Path, Change>;

/** A tree compared with the index and with the files on disk. */
export interface Comparison {
  /** From the tree to the files: what is missing (`D`), or other than the tree has it. Submodules are left out. */
  readonly disk: Changes;
  /** From the tree to the index: `D` is in the tree alone, `A` in the index alone. */
  readonly index: Changes;
}

/** Paths as git reads them with `-z`. */
export function bytes(paths: Iterable<Path>): Buffer {
  return Buffer.from([...paths].map((path) => `${path}\0`).join(''), 'latin1');
}

/** The parts of an output with `-z`. */
export function paths(output: Buffer): Path[] {
  return output.toString('latin1').split('\0').slice(0, -1);
}

// Attributes may name programs of the user's config for diffs; nothing here is to be shown to anybody.
const raw = ['diff', '--raw', '-z', '--no-abbrev', '--no-renames', '--no-ext-diff', '--no-textconv', '--no-color'];

/** From the index to the files on disk. */
export async function indexToDisk(repository: GitRepository, indexFile?: string): Promise<Changes> {
  return changes(repository, [...raw, '--ignore-submodules=all'], indexFile === undefined ? {} : { indexFile });
}

/** From a commit or tree to the index. */
export async function treeToIndex(repository: GitRepository, tree: Revision): Promise<Changes> {
  return changes(repository, [...raw, '--cached', '--ignore-submodules=none', '--end-of-options', tree, '--'], {});
}

/** From one commit to another. */
export async function changesBetween(repository: GitRepository, one: Revision, other: Revision): Promise<Changes> {
  return changes(repository, [...raw, '--ignore-submodules=none', '--end-of-options', one, other, '--'], {});
}

/**
 * Makes the index of a commit or tree beside the repository's own, for `compare`. What the own index knows of unchanged
 * files is taken over, so that only what differs from it will be read. One at a time: git locks the own index for it.
 */
export async function indexOf(repository: GitRepository, tree: Revision, name: string): Promise<TreeIndex> {
  const file = join(ownFolder(repository.gitDir), `index-${name}`);
  await runGit(repository, ['read-tree', '--reset', `--index-output=${file}`, tree]);
  return { tree, file };
}

export interface TreeIndex {
  readonly tree: Revision;
  readonly file: string;
}

/** Compares a commit or tree with index and disk; neither is changed. */
export async function compare(repository: GitRepository, { tree, file }: TreeIndex): Promise<Comparison> {
  const [disk, index] = await Promise.all([indexToDisk(repository, file), treeToIndex(repository, tree)]);
  return { disk, index };
}

async function changes(repository: GitRepository, argv: readonly string[], options: GitOptions): Promise<Changes> {
  const fields = paths((await runGit(repository, argv, options)).stdout);
  const found = new Map<Path, Change>();
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [oldMode = '', mode = '', oldOid = '', oid = '', status = ''] = (fields[index] ?? '').slice(1).split(' ');
    const path = fields[index + 1] ?? '';
    // An unmerged path is listed twice: as unmerged, and as what stands on disk.
    if (found.get(path)?.status === 'U') continue;
    found.set(path, { status: status.charAt(0) as Change['status'], oldMode, mode, oldOid, oid });
  }
  return found;
}
