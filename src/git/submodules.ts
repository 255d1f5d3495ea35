import { lstat, readFile, realpath } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import { DamagedRepository } from './classify.ts';
import { runGit } from './client.ts';
import { layOutRepository } from './clone.ts';
import { ready } from './common-folder.ts';
import { paths, type Changes } from './compare.ts';
import { fetch } from './fetch.ts';
import { gitlink } from './in-the-way.ts';
import { emptyTree, moveTo, replaceFiles } from './move.ts';
import { readHead, resolveCommit } from './refs.ts';
import { parseRemote, type RemoteUrl } from './remote-url.ts';
import { now, verify } from './repair.ts';
import { ownFolder, storeOf, type GitRepository } from './repository.ts';
import type { Saved } from './saved.ts';
import { runScript } from './script.ts';

/*
 * `git submodule` is not used: it reads the working copy's config, runs `update = !command` and hands names and URLs of
 * a commit to shell scripts. A submodule here is one more repository that is fetched and moved like the app's own; of
 * `.gitmodules` only names, paths and URLs are taken. It lies where git would put it, so that git by hand finds it.
 */

/** A submodule as a revision of its parent has it. */
export interface Submodule {
  readonly name: string;
  /** Inside the parent's work tree. */
  readonly path: string;
  readonly url: string;
  readonly revision: Revision;
}

/** The submodules of a revision. One that `.gitmodules` does not know is passed by, as a folder that stays empty. */
export async function listSubmodules(owner: GitRepository, revision: Revision): Promise<Submodule[]> {
  const repository = storeOf(owner);
  const blob = ['config', `--blob=${revision}:.gitmodules`, '--null', '--list'];
  const { code, stdout } = await runGit(repository, blob, { answers: [1, 128] });
  if (code !== 0) return [];
  const known = new Map<string, Map<string, string>>();
  for (const entry of stdout.toString().split('\0')) {
    const [, name, key, value] = /^submodule\.([^]*)\.([^.\n]+)\n([^]*)$/.exec(entry) ?? [];
    if (name === undefined || key === undefined) continue;
    known.set(name, (known.get(name) ?? new Map<string, string>()).set(key, value ?? ''));
  }
  const tree = await runGit(repository, ['ls-tree', '-r', '-z', '--full-tree', '--end-of-options', revision]);
  return paths(tree.stdout)
    .filter((line) => line.startsWith(gitlink))
    .flatMap((line) => {
      const path = Buffer.from(line.slice(line.indexOf('\t') + 1), 'latin1').toString();
      const found = [...known].find(([, values]) => values.get('path') === path);
      if (found === undefined) {
        repository.place.log(`${path} is a submodule that .gitmodules does not name: left empty\n`);
        return [];
      }
      const [name, values] = found;
      checkName(repository, name, [...known.keys()]);
      return [{ name, path, url: values.get('url') ?? '', revision: line.split(/[ \t]/)[2] ?? '' }];
    });
}

// A name becomes a folder below `.git/modules`: it must neither leave it nor lie in another submodule's repository.
function checkName(repository: GitRepository, name: string, all: readonly string[]): void {
  const isClean =
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\p{Cc}\\]/u.test(name);
  const isNested = all.some((other) => other !== name && name.startsWith(`${other}/`));
  if (!isClean || isNested || name.startsWith('-')) throw refused(repository, name, 'its name is not allowed');
}

function refused({ doing }: GitRepository, subject: string, reason: string, cause?: unknown): Failure {
  return new Failure('not-supported', {
    doing,
    subject: `submodule ${JSON.stringify(subject)}`,
    reason,
    hint: 'Correct .gitmodules in the repository, or set repository.submodules to false.',
    cause,
  });
}

/** How deep submodules may lie in each other. */
const deepest = 10;

/** Fetches what a revision's submodules need, recursively. */
export async function fetchSubmodules(parent: GitRepository, revision: Revision, depth = 0): Promise<void> {
  for (const submodule of await listSubmodules(parent, revision)) {
    if (depth === deepest) throw refused(parent, submodule.path, `more than ${deepest} submodules in each other`);
    const child = await childOf(parent, submodule);
    if (!(await isWhole(storeOf(child), submodule.revision))) await fill(parent, child, submodule);
    await fetchSubmodules(child, submodule.revision, depth + 1);
  }
}

/** Fetches a submodule's commit; a repository that stays damaged is kept in `huddle/broken` and fetched anew. */
async function fill(parent: GitRepository, child: GitRepository, submodule: Submodule): Promise<void> {
  const attempt = async (store: GitRepository): Promise<void> => {
    await fetchCommit(store, submodule.revision);
    await verify(store, submodule.revision);
  };
  try {
    await attempt(storeOf(child));
  } catch (error) {
    if (!(error instanceof DamagedRepository)) throw error;
    const aside = join(ownFolder(parent.gitDir), 'broken', `${submodule.name.replaceAll('/', '-')}-${now()}`);
    await runScript(parent, 'mv -T -- "$1" "$2"', [child.gitDir, aside]);
    parent.place.log(`the repository of submodule ${submodule.path} was damaged and is kept as ${aside}\n`);
    await attempt(storeOf(await childOf(parent, submodule)));
  }
}

async function isWhole(child: GitRepository, revision: Revision): Promise<boolean> {
  if ((await resolveCommit(child, revision)) === null) return false;
  try {
    await verify(child, revision);
    return true;
  } catch (error) {
    child.signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    return false;
  }
}

/** By its id; where the server gives out only what its branches hold, all branches. */
async function fetchCommit(child: GitRepository, revision: Revision): Promise<void> {
  try {
    await fetch(child, revision);
  } catch (error) {
    if (!(error instanceof Failure) || !/not our ref|unadvertised object/.test(error.reason)) throw error;
    await fetch(child, `+refs/heads/*:refs/remotes/${child.place.repository.remote}/*`, { tags: true });
  }
}

/** Makes a work tree equal to a commit, its submodules included. Needs no network. */
export async function moveWithSubmodules(
  repository: GitRepository,
  revision: Revision,
  branch: string | null,
  saved: Saved,
): Promise<void> {
  await moveTo(repository, revision, branch, saved, {
    leave: (index) => leaveSubmodules(repository, index, saved),
    enter: async () => {
      for (const submodule of await listSubmodules(repository, revision)) {
        const child = await childOf(repository, submodule);
        await attach(repository, child, submodule);
        await moveWithSubmodules(child, submodule.revision, null, saved);
      }
    },
  });
}

/** Empties the submodules that the index has and the target has not. Their repositories stay in `.git/modules`. */
export async function leaveSubmodules(parent: GitRepository, index: Changes, saved: Saved): Promise<void> {
  const gone = [...index].filter(([, { mode, oldMode }]) => mode === gitlink && oldMode !== gitlink);
  for (const [name] of gone) {
    const path = Buffer.from(name, 'latin1').toString();
    const child = await attached(parent, path);
    if (child === null) continue;
    await ready(child);
    await replaceFiles(child, await emptyTree(child), saved, (inside) => leaveSubmodules(child, inside, saved));
    const script =
      'cd "$1"; rm -f .git; find . -depth -type d -empty -exec rmdir {} \\; 2>/dev/null || :; rmdir "$1" 2>/dev/null || :';
    await runScript(child, script, [child.workTree]);
  }
}

/** The repository that a submodule's folder leads to; null where it is not one of the parent's own. */
async function attached(parent: GitRepository, path: string): Promise<GitRepository | null> {
  const workTree = join(parent.workTree, path);
  const text = await readFile(join(workTree, '.git'), 'utf8').catch(() => '');
  const target = /^gitdir: (.+)\n?$/.exec(text)?.[1];
  if (target === undefined) return null;
  const gitDir = resolve(workTree, target);
  const isOwn = gitDir.startsWith(join(parent.gitDir, 'modules/')) && (await readHead({ ...parent, gitDir })) !== null;
  return isOwn ? { ...parent, gitDir, workTree } : null;
}

/** A submodule's repository, laid out where there is none yet. Its work tree need not be there. */
export async function childOf(parent: GitRepository, submodule: Submodule): Promise<GitRepository> {
  const workTree = join(parent.workTree, submodule.path);
  const embedded = (await lstat(join(workTree, '.git')).catch(() => null))?.isDirectory() === true;
  const gitDir = embedded ? join(workTree, '.git') : join(parent.gitDir, 'modules', submodule.name);
  const child = { ...parent, remote: remoteOf(parent, submodule), gitDir, workTree };
  if ((await readHead(child)) === null)
    await layOutRepository(child, submodule.revision.length === 40 ? 'sha1' : 'sha256', [
      ['core.worktree', relative(gitDir, workTree)],
      [`remote.${parent.place.repository.remote}.url`, child.remote.address],
      [
        `remote.${parent.place.repository.remote}.fetch`,
        `+refs/heads/*:refs/remotes/${parent.place.repository.remote}/*`,
      ],
    ]);
  await ready(child);
  return child;
}

function remoteOf(parent: GitRepository, { url, path }: Submodule): RemoteUrl {
  let remote: RemoteUrl;
  try {
    remote = parseRemote(/^\.\.?\//.test(url) ? relativeUrl(parent.remote.address, url) : url);
  } catch (error) {
    throw refused(parent, path, 'its URL is not one that Huddle fetches from', error);
  }
  if (remote.transport === 'file' && parseRemote(parent.place.repository.remotePath).transport !== 'file')
    throw refused(parent, path, 'its URL is a path on this machine');
  return remote;
}

/** As git resolves `./x` and `../x`: from the parent's own URL, which is taken for a folder. */
function relativeUrl(base: string, url: string): string {
  let from = base.replace(/\/+$/, '');
  let rest = url;
  while (/^\.\.?\//.test(rest)) {
    if (rest.startsWith('../')) from = from.replace(/[/:][^/:]*$/, '');
    rest = rest.replace(/^\.\.?\//, '');
  }
  return `${from}/${rest}`;
}

/** Makes a submodule's folder lead to its repository; it must be a folder inside the parent's, no link elsewhere. */
async function attach(parent: GitRepository, child: GitRepository, { name, path }: Submodule): Promise<void> {
  await runScript(child, 'mkdir -p -- "$1"', [child.workTree]);
  if ((await realpath(child.workTree)) !== join(await realpath(parent.workTree), path))
    throw refused(parent, path, 'its folder leads out of the working copy');
  if ((await lstat(join(child.workTree, '.git')).catch(() => null)) !== null) return;
  const line = `gitdir: ${relative(child.workTree, child.gitDir)}\n`;
  await runScript(child, 'cat > "$1/.git"', [child.workTree], line);
  // For git by hand; Huddle itself does not read it.
  const config = ['config', '--file', join(parent.gitDir, 'config')];
  await runGit(parent, [...config, `submodule.${name}.url`, child.remote.address], { nowhere: true });
  await runGit(parent, [...config, `submodule.${name}.active`, 'true'], { nowhere: true });
}
