import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { runGit } from './client.ts';
import { readRef } from './refs.ts';
import { trackingRef, type GitRepository } from './repository.ts';

/*
 * How a branch with a `depth` is asked for
 *
 * `git fetch --depth` negotiates even when nothing has moved: it sends a line for each commit at which history here ends
 * (one more after each update) and for what it has above, and gets an answer to each. That is one more request over
 * http, and bytes that grow with the depth and with every deployment. Without `--depth`, a branch that was rewritten
 * would bring its whole history. So git only lists first, and fetches when the list says that something has moved.
 */

/** What was fetched to a depth, by working copy and branch. Forgotten, it costs one longer check. */
const fetched = new Map<string, string>();

/** Remembers that a branch is here as deep as its config wants it. */
export async function rememberDepth(repository: GitRepository, branch: string, tip: Revision): Promise<void> {
  if (repository.place.repository.depth !== null)
    fetched.set(keyOf(repository, branch), await stateOf(repository, tip));
}

/**
 * Where a branch with a `depth` is, in one process, when the remote has it where it was and its history here is as deep
 * as it should be. Null: that is not so, or cannot be told, and a fetch is due.
 */
export async function askUnmoved(repository: GitRepository, branch: string): Promise<Revision | null> {
  if (repository.place.repository.depth === null) return null;
  const known = await readRef(repository, trackingRef(repository.place, branch));
  if (known === null || fetched.get(keyOf(repository, branch)) !== (await stateOf(repository, known))) return null;
  return (await list(repository, branch)) === known ? known : null;
}

// No remote has it: git asks for it by name, finds it missing in the list, and ends before it fetches anything.
const missing = 'refs/-';

/**
 * Where the remote has a branch; null: not told. `ls-remote` would have the whole list sent and look for itself; only a
 * fetch asks by name. What it was told stands in its trace of packets.
 */
async function list(repository: GitRepository, branch: string): Promise<Revision | null> {
  const { remote } = repository.place.repository;
  const name = `refs/heads/${branch}`;
  const argv = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
  const asking = [...argv, '--end-of-options', remote, name, missing];
  const { stderr } = await runGit(repository, asking, { network: true, tracePackets: true, answers: [128] });
  const refs = stderr.split('\n').map((line) => /< ([0-9a-f]{40,64}) (\S+)/.exec(line));
  return refs.find((ref) => ref?.[2] === name)?.[1] ?? null;
}

// Not by git directory: a clone grows under another name.
function keyOf({ workTree }: GitRepository, branch: string): string {
  return `${workTree}\n${branch}`;
}

/** Another one as soon as the config wants another depth, or history here has been cut or deepened by hand. */
async function stateOf({ place, gitDir }: GitRepository, tip: Revision): Promise<string> {
  const ends = await stat(join(gitDir, 'shallow'), { bigint: true }).catch(() => null);
  return `${place.repository.depth} ${tip} ${ends?.ino} ${ends?.mtimeNs} ${ends?.size}`;
}
