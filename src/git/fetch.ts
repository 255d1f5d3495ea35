import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { relinkShallow } from './common-folder.ts';
import { readRef } from './refs.ts';
import { trackingRef, type GitRepository } from './repository.ts';
import { rememberDepth } from './unmoved.ts';

export interface FetchOptions {
  /** Tags that point at fetched commits come along. They cost bytes for every ref of the remote. */
  readonly tags?: boolean;
  /** Everything is fetched again, as if nothing were here. */
  readonly again?: boolean;
}

/** Fetches one branch, forced, and answers where it is. One process, and few bytes when it has not moved. */
export async function fetchBranch(
  repository: GitRepository,
  branch: string,
  options: FetchOptions = {},
): Promise<Revision> {
  const ref = trackingRef(repository.place, branch);
  const refspec = `+refs/heads/${branch}:${ref}`;
  try {
    await fetch(repository, refspec, options);
  } catch (error) {
    if (
      error instanceof Failure &&
      /cannot lock ref .*(?:exists|non-empty)/.test(error.reason) &&
      options.again !== true
    ) {
      await dropConflicting(repository, ref);
      return fetchBranch(repository, branch, { ...options, again: true });
    }
    if (error instanceof Failure && error.code === 'branch-missing') throw await missing(repository, branch, error);
    throw error;
  }
  const tip = await readRef(repository, ref);
  if (tip === null)
    throw new Failure('internal', { doing: repository.doing, subject: ref, reason: 'it is not there after the fetch' });
  await rememberDepth(repository, branch, tip);
  return tip;
}

/** `release` must go before `release/2` can come, and the other way round: what was fetched of a branch of old. */
async function dropConflicting(repository: GitRepository, ref: string): Promise<void> {
  const { stdout } = await runGit(repository, ['for-each-ref', '--format=%(refname)', 'refs/remotes/']);
  const old = stdout
    .toString()
    .split('\n')
    .filter((name) => name.startsWith(`${ref}/`) || (name !== '' && ref.startsWith(`${name}/`)));
  for (const name of old) await runGit(repository, ['update-ref', '--no-deref', '-d', name]);
}

/** Fetches what a refspec (or a bare commit id) names, to the configured depth. */
export async function fetch(repository: GitRepository, refspec: string, options: FetchOptions = {}): Promise<void> {
  const { place, gitDir } = repository;
  const { depth, remote } = place.repository;
  const whole = depth === null && (await isShallow(gitDir));
  const argv = ['fetch', '--quiet', '--no-write-fetch-head', '--no-recurse-submodules', '--update-shallow'];
  if (options.tags !== true) argv.push('--no-tags');
  if (options.again === true) argv.push('--refetch');
  if (depth !== null) argv.push(`--depth=${depth}`);
  else if (whole) argv.push('--unshallow');
  faultPoint('ref.fetch.before');
  await runGit(repository, [...argv, '--end-of-options', remote, refspec], { network: true });
  faultPoint('ref.fetch.after');
  if (whole) await relinkShallow(repository);
}

async function isShallow(gitDir: string): Promise<boolean> {
  const file = await stat(join(gitDir, 'shallow')).catch(() => null);
  return file !== null && file.size > 0;
}

/** The branch that the remote's HEAD names. Fails with `remote-empty`, or `branch-missing` where HEAD names none. */
export async function findDefaultBranch(repository: GitRepository): Promise<string> {
  const { remote } = repository.place.repository;
  const argv = ['ls-remote', '--symref', '--end-of-options', remote, 'HEAD'];
  const { stdout } = await runGit(repository, argv, { network: true });
  const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(stdout.toString())?.[1];
  if (branch === undefined) throw await missing(repository, null);
  const remembered = `refs/remotes/${remote}/HEAD`;
  await runGit(repository, ['symbolic-ref', remembered, trackingRef(repository.place, branch)]);
  return branch;
}

/** Why a branch cannot be had: the remote is empty, or has others. */
async function missing(repository: GitRepository, branch: string | null, cause?: unknown): Promise<Failure> {
  const { doing, remote, place } = repository;
  const argv = ['ls-remote', '--heads', '--end-of-options', place.repository.remote];
  const { stdout } = await runGit(repository, argv, { network: true });
  const names = [...stdout.toString().matchAll(/\trefs\/heads\/(.+)$/gm)].map(([, name = '']) => name);
  if (names.length === 0)
    return new Failure('remote-empty', {
      doing,
      subject: remote.address,
      reason: 'the remote has no commit yet',
      hint: 'Push a first commit; Huddle deploys it at the next check.',
      cause,
    });
  const near = branch === null ? names : names.toSorted((a, b) => distance(a, branch) - distance(b, branch));
  return new Failure('branch-missing', {
    doing,
    subject: remote.address,
    reason: branch === null ? 'its HEAD names no branch' : `it has no branch ${branch}`,
    hint: `Set repository.branch to one that the remote has: ${near.slice(0, 3).join(', ')}${near.length > 3 ? ', …' : ''}.`,
    cause,
  });
}

/** How many characters must be put in, left out or changed to make one of the other. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [i, char] of one.split('').entries()) {
    const next = [i + 1];
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (char === other[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
