import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import { faultPoint } from '../fault.ts';
import { configEntry, enter, type RealConfig } from './common-folder.ts';
import { fetchBranch, findDefaultBranch } from './fetch.ts';
import { checkedName } from './names.ts';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/** Where a clone grows until it is whole: what is found there is Huddle's own, and was cut short. */
export const cloneFolder = '.git.huddle-clone';

/** Inside a git directory: says that Huddle cloned it, and from where. Written when the clone is whole. */
export const clonedMark = 'huddle/cloned';

export interface Cloned {
  readonly branch: string;
  readonly tip: Revision;
}

/** Clones into the (empty) local path without touching the work tree; `branch` null: the remote's default. */
export async function clone(into: GitRepository, branch: string | null): Promise<Cloned> {
  const cloned = await cloneBeside(into, branch);
  faultPoint('clone.place.before');
  await runScript(into, `cd "$1"; mv -T ${cloneFolder} .git; sync -f .`, [into.workTree]);
  faultPoint('clone.place.after');
  return cloned;
}

/** Clones into `.git.huddle-clone` and answers when it is whole and on disk; whoever calls makes it `.git`. */
export async function cloneBeside(into: GitRepository, branch: string | null): Promise<Cloned> {
  const repository = { ...into, doing: 'cloning', gitDir: join(into.workTree, cloneFolder) };
  try {
    return await cloneAs(repository, branch, 'sha1');
  } catch (error) {
    if (!(error instanceof Failure) || !/mismatched algorithms|object format/i.test(error.reason)) throw error;
    return cloneAs(repository, branch, 'sha256');
  }
}

async function cloneAs(repository: GitRepository, wanted: string | null, format: 'sha1' | 'sha256'): Promise<Cloned> {
  const { gitDir, workTree, remote, place } = repository;
  const { remote: name } = place.repository;
  const real: RealConfig = new Map(format === 'sha1' ? [] : [['extensions.objectformat', [format]]]);
  const tracking = (branch: string) =>
    [
      [`branch.${branch}.remote`, name],
      [`branch.${branch}.merge`, `refs/heads/${branch}`],
    ] as const;
  await makeLocalPath(repository);
  await layOutRepository(repository, format, [
    [`remote.${name}.url`, remote.address],
    [`remote.${name}.fetch`, `+refs/heads/*:refs/remotes/${name}/*`],
    ...(wanted === null ? [] : tracking(checkedName(wanted, 'branch'))),
  ]);
  await enter(repository, real);
  const branch = checkedName(wanted ?? (await findDefaultBranch(repository)), 'branch');
  const tip = await fetchBranch(repository, branch, { tags: true });
  if (wanted === null) {
    // Only a repository can ask for the branch. Its config has changed then, so it is entered again.
    await runScript(repository, 'cd "$1"; cat >> config', [gitDir], configText(tracking(branch)));
    await enter(repository, real);
  }
  const script = `cd "$1"; printf 'ref: refs/heads/%s\\n' "$3" > HEAD; cat > ${clonedMark}; sync -f "$2"`;
  await runScript(repository, script, [gitDir, workTree, branch], `${remote.address}\n`);
  return { branch, tip };
}

async function makeLocalPath(repository: GitRepository): Promise<void> {
  const { workTree, place } = repository;
  try {
    await runScript(repository, 'mkdir -p -- "$1"; test -w "$1"', [workTree]);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'internal') throw error;
    const owner = place.environment['USER'];
    throw new Failure('directory-missing', {
      doing: 'cloning into',
      subject: workTree,
      reason: `it cannot be ${/mkdir/.test(error.reason) ? `made (${error.reason})` : 'written to'}`,
      hint: `Make it for the user that git runs as: install -d ${owner === undefined ? '' : `-o ${owner} `}${workTree}`,
      cause: error,
    });
  }
}

/** Lays out an empty repository in `gitDir`, in the place of what may be there; its config gets these entries. */
export async function layOutRepository(
  repository: GitRepository,
  format: 'sha1' | 'sha256',
  entries: readonly (readonly [string, string])[],
): Promise<void> {
  const config: (readonly [string, string])[] = [
    ['core.repositoryformatversion', format === 'sha1' ? '0' : '1'],
    ['core.filemode', 'true'],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
    ...(format === 'sha1' ? [] : ([['extensions.objectformat', format]] as const)),
    ...entries,
  ];
  const script = `
rm -rf -- "$1"
mkdir -p -- "$1"
cd "$1"
mkdir -p huddle objects/info objects/pack refs/heads refs/tags info
cat > config
echo 'ref: refs/heads/main' > HEAD
`;
  await runScript(repository, script, [repository.gitDir], configText(config));
}

function configText(entries: readonly (readonly [string, string])[]): string {
  return entries.map(([key, value]) => configEntry(key, value)).join('');
}
