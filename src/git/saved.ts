import { join } from 'node:path';
import type { SavedChanges, SavedCommits } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { bytes } from './compare.ts';
import type { InTheWay } from './in-the-way.ts';
import { now } from './repair.ts';
import { ownFolder, savedRefs, type GitRepository } from './repository.ts';

const kept = 20;

/** All that a move has saved, in the order in which it was. */
export interface Saved {
  readonly changes: SavedChanges[];
  readonly commits: SavedCommits[];
}

/**
 * Saves what is in the way in a commit of its own below `refs/huddle/saved/`: it holds just these files, byte for byte,
 * so that checking it out brings them back and touches nothing else. What only the index had is in its parent.
 */
export async function save(repository: GitRepository, { files, staged }: InTheWay): Promise<SavedChanges> {
  const stagedTree = await treeOf(repository, async (indexFile) => {
    const lines = staged.map(({ mode, oid, path }) => `${mode} ${oid}\t${path}\0`).join('');
    const input = Buffer.from(lines, 'latin1');
    if (staged.length > 0) await runGit(repository, ['update-index', '-z', '--index-info'], { indexFile, input });
  });
  const tree = await treeOf(repository, async (indexFile) => {
    const argv = ['update-index', '--add', '--remove', '-z', '--stdin'];
    if (files.length > 0) await runGit(repository, argv, { indexFile, input: bytes(files), raw: true });
  });
  const key = staged.length === 0 ? tree.slice(0, 12) : `${tree.slice(0, 12)}-${stagedTree.slice(0, 12)}`;
  const parent =
    staged.length === 0 ? [] : ['-p', await commit(repository, stagedTree, [], 'Staged changes that were in the way')];
  const message = `Changes that were in the way of a deployment\n\nTo get them back: git checkout REF -- .`;
  const ref = await keep(repository, key, () => commit(repository, tree, parent, message));
  const count = new Set([...files, ...staged.map(({ path }) => path)]).size;
  repository.place.log(
    `${count} changed ${count === 1 ? 'file was' : 'files were'} in the way and ${count === 1 ? 'is' : 'are'} saved; to get back: git -C ${repository.workTree} checkout ${ref} -- .\n` +
      (staged.length === 0 ? '' : `(what was staged and changed again since: git checkout ${ref}^ -- .)\n`),
  );
  return { ref, files: count };
}

/** Keeps commits that somebody has made here and that the remote does not have. */
export async function saveCommits(repository: GitRepository, revision: string): Promise<SavedCommits> {
  const ref = await keep(repository, revision.slice(0, 12), async () => revision);
  repository.place.log(
    `commits that the remote does not have are saved; to get back: git -C ${repository.workTree} branch NAME ${ref}\n`,
  );
  return { folder: repository.workTree, ref };
}

async function treeOf(repository: GitRepository, fill: (indexFile: string) => Promise<void>): Promise<string> {
  const indexFile = join(ownFolder(repository.gitDir), 'index-saved');
  await runGit(repository, ['read-tree', '--empty'], { indexFile });
  await fill(indexFile);
  return (await runGit(repository, ['write-tree'], { indexFile })).stdout.toString().trim();
}

async function commit(
  repository: GitRepository,
  tree: string,
  parents: readonly string[],
  message: string,
): Promise<string> {
  const argv = ['commit-tree', '--no-gpg-sign', ...parents, '-m', message, tree];
  return (await runGit(repository, argv)).stdout.toString().trim();
}

/** A ref for a content that is told by `key`: the one that there is, or a new one, at the cost of the oldest. */
async function keep(repository: GitRepository, key: string, make: () => Promise<string>): Promise<string> {
  const argv = ['for-each-ref', '--sort=refname', '--format=%(refname)', `${savedRefs}/`];
  const refs = (await runGit(repository, argv)).stdout.toString().split('\n').filter(Boolean);
  const known = refs.find((ref) => ref.endsWith(`Z-${key}`));
  if (known !== undefined) return known;
  const ref = `${savedRefs}/${now()}-${key}`;
  const surplus = refs.slice(0, Math.max(0, refs.length + 1 - kept));
  const input = [`create ${ref} ${await make()}`, ...surplus.map((old) => `delete ${old}`), ''].join('\n');
  faultPoint('ref.saved.before');
  await runGit(repository, ['update-ref', '--stdin'], { input: Buffer.from(input) });
  faultPoint('ref.saved.after');
  return ref;
}
