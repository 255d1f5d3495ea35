import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import type { Asked, Fetched } from '../../machines/slots.ts';
import { DamagedRepository } from './classify.ts';
import { runGit } from './client.ts';
import { ready } from './common-folder.ts';
import { fetch, fetchBranch, findDefaultBranch } from './fetch.ts';
import { checkedName, isCommitId, isName, printable } from './names.ts';
import type { GitPlace } from './place.ts';
import { resolveCommit } from './refs.ts';
import { verify, withRepair } from './repair.ts';
import { mustFit } from './room.ts';
import { repositoryOf, type GitRepository } from './repository.ts';
import { fetchSubmodules } from './submodules.ts';
import { askUnmoved } from './unmoved.ts';

/**
 * Asks the remote where the branch is; the commit is here afterwards. One git process and few bytes for a branch that
 * has not moved, however many refs the remote has. `branch` is another one than asked for where the config names none
 * and the remote's default has changed its name.
 */
export async function askRemote(
  place: GitPlace,
  branch: string,
  signal: AbortSignal,
): Promise<Asked & { readonly branch: string }> {
  const repository = repositoryOf(place, 'asking', signal);
  checkedName(branch, 'branch');
  await ready(repository);
  try {
    const unmoved = await askUnmoved(repository, branch);
    const tip = unmoved ?? (await withRepair(repository, branch, () => fetchBranch(repository, branch)));
    return { tip, branch };
  } catch (error) {
    const vanished = error instanceof Failure && error.code === 'branch-missing';
    if (!vanished || place.repository.branch !== null) throw error;
    const other = checkedName(await findDefaultBranch(repository), 'branch');
    if (other === branch) throw error;
    return { tip: await fetchBranch(repository, other), branch: other };
  }
}

export interface Wanted {
  readonly branch: string;
  /** A commit id, or a name that an operator typed. */
  readonly revision: string;
  readonly from: Revision | null;
}

/**
 * Makes a revision available with all that a checkout needs, submodules included, so that a checkout needs no network.
 * Fails with `branch-missing` when nobody knows it.
 */
export async function fetchRevision(place: GitPlace, wanted: Wanted, signal: AbortSignal): Promise<Fetched> {
  const repository = repositoryOf(place, 'fetching', signal);
  checkedName(wanted.branch, 'branch');
  await ready(repository);
  const revision = await withRepair(repository, wanted.branch, async () => {
    const found = await find(repository, wanted);
    await verify(repository, found);
    return found;
  });
  if (revision !== wanted.from) await fetchTags(repository, wanted.branch);
  if (place.repository.submodules) await fetchSubmodules(repository, revision);
  await mustFit(repository, revision);
  const described = await describe(repository, revision, wanted.from);
  await collectGarbage(repository);
  return { revision, ...described };
}

async function find(repository: GitRepository, { branch, revision }: Wanted): Promise<Revision> {
  const { remote } = repository.place.repository;
  const isId = /^[0-9a-f]{4,64}$/.test(revision);
  const here = isId ? await resolveCommit(repository, revision) : null;
  if (here !== null) return here;
  if (isCommitId(revision)) await attempt(() => fetch(repository, revision));
  else if (isId) await fetchBranch(repository, branch);
  else if (isName(revision)) {
    const ref = `refs/huddle/asked/${revision}`;
    const known =
      (await attempt(() => fetch(repository, `+refs/heads/${revision}:refs/remotes/${remote}/${revision}`))) ||
      (await attempt(() => fetch(repository, `+refs/tags/${revision}:${ref}`)));
    const names = [`refs/remotes/${remote}/${revision}`, ref, `refs/tags/${revision}`, `refs/heads/${revision}`];
    for (const name of known ? names : names.slice(2)) {
      const found = await resolveCommit(repository, name);
      if (found !== null) return found;
    }
  }
  const found = isId || /^[\w./-]+[~^][\d~^]*$/.test(revision) ? await safely(repository, revision) : null;
  if (found !== null) return found;
  throw new Failure('branch-missing', {
    doing: repository.doing,
    subject: printable(JSON.stringify(revision)),
    reason: `neither ${repository.remote.address} nor the working copy knows it`,
    hint: 'Give a commit id, or the name of a branch or tag of the remote.',
  });
}

/** A short id after a fetch, `main~2` and the like: the name before the sign must be one. */
async function safely(repository: GitRepository, revision: string): Promise<Revision | null> {
  if (!isName(revision.replace(/[~^].*$/, ''))) return null;
  const { remote } = repository.place.repository;
  for (const name of [`refs/remotes/${remote}/${revision}`, `refs/tags/${revision}`, revision]) {
    const found = await resolveCommit(repository, name);
    if (found !== null) return found;
  }
  return null;
}

/** Whether the remote has it; every other error is one. */
async function attempt(fetching: () => Promise<void>): Promise<boolean> {
  try {
    await fetching();
    return true;
  } catch (error) {
    const unknown = error instanceof Failure && (error.code === 'branch-missing' || isRefusedId(error));
    if (!unknown) throw error;
    return false;
  }
}

function isRefusedId(error: Failure): boolean {
  return (
    /not our ref|unadvertised object|no such remote ref/.test(error.reason) && !(error instanceof DamagedRepository)
  );
}

/** New tags that point into what has been fetched, for `git describe`. Failing that fails no deployment. */
async function fetchTags(repository: GitRepository, branch: string): Promise<void> {
  try {
    await fetchBranch(repository, branch, { tags: true });
  } catch (error) {
    repository.signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    repository.place.log(`tags could not be fetched: ${error.reason}\n`);
  }
}

const described = 200;

async function describe(
  repository: GitRepository,
  revision: Revision,
  from: Revision | null,
): Promise<Pick<Fetched, 'commits' | 'authors' | 'subject'>> {
  const forward = from !== null && (await isAncestor(repository, from, revision));
  const range = forward && from !== revision ? [`^${from}`] : [];
  const limit = forward ? described : 1;
  const format = ['--no-mailmap', '--encoding=UTF-8', '--format=%an%x00%s%x00'];
  const argv = ['log', `--max-count=${limit}`, ...format, '--end-of-options', revision, ...range];
  const { stdout } = await runGit(repository, argv);
  const fields = stdout
    .toString()
    .split('\0')
    .map((field) => printable(field.replace(/^\n/, '')));
  const names = fields.filter((_, index) => index % 2 === 0 && index + 1 < fields.length);
  const authors = [...new Set(names)].slice(0, 3);
  const commits = !forward ? null : from === revision ? 0 : await count(repository, revision, range);
  return { commits, authors, subject: fields[1] ?? '' };
}

async function count(repository: GitRepository, revision: Revision, range: readonly string[]): Promise<number> {
  const { stdout } = await runGit(repository, ['rev-list', '--count', '--end-of-options', revision, ...range]);
  return Number(stdout.toString());
}

async function isAncestor(repository: GitRepository, from: Revision, revision: Revision): Promise<boolean> {
  const argv = ['merge-base', '--is-ancestor', '--end-of-options', from, revision];
  return (await runGit(repository, argv, { answers: [1, 128] })).code === 0;
}

/**
 * Packs loose objects and drops old unreachable ones where git itself thinks it is time. Here, because the old program
 * runs meanwhile, nobody waits for the answer of a check, and only a remote that moves makes objects.
 */
async function collectGarbage(repository: GitRepository): Promise<void> {
  try {
    await runGit(repository, ['gc', '--auto', '--quiet'], { settings: ['-c', 'gc.auto=6700'] });
  } catch (error) {
    repository.signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    repository.place.log(`git gc: ${error.reason}\n`);
  }
}
