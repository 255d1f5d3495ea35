import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Opened } from '../../machines/slots.ts';
import { isLimit } from '../ledger/paths.ts';
import { removeLeftCandidates } from './candidate.ts';
import { runGit } from './client.ts';
import { clone, clonedMark, cloneFolder } from './clone.ts';
import { enter, isEntered, readRealConfig, type RealConfig } from './common-folder.ts';
import { fetchBranch, findDefaultBranch } from './fetch.ts';
import { clearStaleLocks } from './locks.ts';
import { checkedName, isName } from './names.ts';
import type { GitPlace } from './place.ts';
import { readHead, rememberedDefault } from './refs.ts';
import { sameRemote, withoutCredentials } from './remote-url.ts';
import { isReplacementDue, mend, verify, withRepair } from './repair.ts';
import { ownFolder, repositoryOf, type GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/**
 * Gets the working copy: clones it where nothing is (its tree stays empty until `checkOut`), or opens the one that is
 * there. `place` needs no network for a working copy that is there; `tip` fetches the branch's newest revision too.
 * Fails with `path-occupied`, and touches nothing, where something else is.
 */
export async function openWorkingCopy(
  place: GitPlace,
  want: 'place' | 'tip',
  signal: AbortSignal,
): Promise<Omit<Opened, 'directory'>> {
  const repository = repositoryOf(place, 'opening', signal);
  const { branch, remote } = place.repository;
  checkedName(remote, 'remote');
  if (branch !== null) checkedName(branch, 'branch');
  if ((await whatIsThere(repository)) === 'nothing') {
    const cloned = await clone(repository, branch);
    await verify(repository, cloned.tip);
    return { head: null, ...cloned };
  }
  await tidy(repository);
  if (!(await isEntered(repository))) await adopt(repository);
  const head = await readHead(repository);
  if (head === null) await mend(repository, branch ?? 'main');
  const found = branch ?? (await defaultBranch(repository, want, head?.branch ?? null));
  if (want === 'place') return { head: head?.revision ?? null, branch: found, tip: null };
  const asking = { ...repository, doing: 'fetching' };
  const newest = await fetchNewest(asking, found);
  return { head: (await readHead(repository))?.revision ?? null, ...newest };
}

/** Fetches the branch and makes sure that it is whole; a default branch that has vanished is looked for again. */
async function fetchNewest(repository: GitRepository, branch: string): Promise<{ branch: string; tip: string }> {
  try {
    return await withRepair(repository, branch, async () => {
      const tip = await fetchBranch(repository, branch, { tags: true });
      await verify(repository, tip);
      return { branch, tip };
    });
  } catch (error) {
    const vanished = error instanceof Failure && error.code === 'branch-missing';
    if (!vanished || repository.place.repository.branch !== null) throw error;
    const other = await findDefaultBranch(repository);
    if (other === branch) throw error;
    return fetchNewest(repository, other);
  }
}

async function defaultBranch(
  repository: GitRepository,
  want: 'place' | 'tip',
  current: string | null,
): Promise<string> {
  const known = (await rememberedDefault(repository)) ?? (want === 'place' ? current : null);
  return known !== null && isName(known) ? known : checkedName(await findDefaultBranch(repository), 'branch');
}

/** Looks at the local path without changing anything, but for finishing a repair that was cut short. */
async function whatIsThere(repository: GitRepository): Promise<'nothing' | 'repository'> {
  const { workTree, gitDir } = repository;
  const entries = await readdir(workTree).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    if (isLimit(error.code ?? '')) throw error;
    const reason = error.code === 'ENOTDIR' ? 'it is a file' : `it cannot be read (${error.code})`;
    throw occupied(repository, reason, error);
  });
  if (entries.includes('.git')) {
    // A `.git` that is a file or a link leads to a repository that others share: a worktree, a submodule.
    if ((await lstat(gitDir)).isDirectory()) return 'repository';
    throw occupied(repository, 'it is part of another repository: its .git leads elsewhere');
  }
  if (entries.includes(cloneFolder) && (await isReplacementDue(workTree))) {
    await runScript(repository, `cd "$1"; mv -T ${cloneFolder} .git`, [workTree]);
    return 'repository';
  }
  if (entries.every((name) => name === cloneFolder)) return 'nothing';
  const isBare = ['HEAD', 'objects', 'refs'].every((name) => entries.includes(name));
  throw occupied(repository, isBare ? 'it is a bare repository' : 'it is not empty, and not a git working copy');
}

/** Removes what a Huddle that was cut short has left: half a clone, candidates, locks. */
async function tidy(repository: GitRepository): Promise<void> {
  const { gitDir, workTree } = repository;
  await clearStaleLocks(repository);
  await removeLeftCandidates(repository);
  const own = await readdir(ownFolder(gitDir)).catch(() => []);
  const left = own.filter((name) => name.startsWith('index-')).map((name) => join(ownFolder(gitDir), name));
  const half = (await readdir(workTree)).includes(cloneFolder) ? [join(workTree, cloneFolder)] : [];
  if (left.length + half.length > 0) await runScript(repository, 'rm -rf -- "$@"', [...left, ...half]);
}

/** Makes sure that the working copy is of this remote, then takes it into use. */
async function adopt(repository: GitRepository): Promise<void> {
  const { gitDir, remote } = repository;
  const real = await readRealConfig(repository);
  const ours = await readFile(join(gitDir, clonedMark), 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
  if (ours !== null) {
    await followConfig(repository, real, ours);
    return;
  }
  const urls = [...(real ?? [])].filter(([key]) => /^remote\..*\.url$/.test(key)).flatMap(([, values]) => values);
  if (real === null) throw occupied(repository, 'its .git/config cannot be read');
  if (!urls.some((url) => sameRemote(url, remote.address))) {
    const of = urls.length === 0 ? 'no remote' : withoutCredentials(urls.join(', '));
    throw occupied(repository, `it is a working copy of ${of}, not of ${remote.address}`);
  }
  await enter(repository, real);
}

/** Huddle's own clone: its config is brought in line with the app's, so that git by hand speaks to the same remote. */
async function followConfig(repository: GitRepository, real: RealConfig | null, from: string): Promise<void> {
  const { gitDir, remote, place } = repository;
  const name = place.repository.remote;
  const config = join(gitDir, 'config');
  if (real === null)
    await runScript(repository, 'cd "$1"; mkdir -p huddle/broken; mv config huddle/broken/config; : > config', [
      gitDir,
    ]);
  const wanted = [
    [`remote.${name}.url`, remote.address],
    [`remote.${name}.fetch`, `+refs/heads/*:refs/remotes/${name}/*`],
  ] as const;
  for (const [key, value] of wanted) {
    if (real?.get(key)?.at(-1) === value) continue;
    await runGit(repository, ['config', '--file', config, '--replace-all', key, value], { nowhere: true });
  }
  await enter(repository, (await readRealConfig(repository)) ?? new Map());
  if (sameRemote(from, remote.address)) return;
  place.log(`${repository.workTree} was a clone of ${withoutCredentials(from)} and follows ${remote.address} now\n`);
  await runGit(repository, ['symbolic-ref', '--delete', `refs/remotes/${name}/HEAD`], { answers: [1, 128] });
  await runScript(repository, `cd "$1"; cat > ${clonedMark}`, [gitDir], `${remote.address}\n`);
}

function occupied({ workTree }: GitRepository, reason: string, cause?: unknown): Failure {
  return new Failure('path-occupied', {
    doing: 'opening',
    subject: workTree,
    reason,
    hint: 'Set repository.local path to a folder that does not exist yet, or move this one away.',
    cause,
  });
}
