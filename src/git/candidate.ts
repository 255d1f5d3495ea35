import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { faultPoint } from '../fault.ts';
import { runGit } from './client.ts';
import { layOutRepository } from './clone.ts';
import { enter, ready } from './common-folder.ts';
import type { GitPlace } from './place.ts';
import { ownFolder, repositoryOf, storeOf, type GitRepository } from './repository.ts';
import { runScript } from './script.ts';
import { listSubmodules } from './submodules.ts';

export interface Candidate {
  /** Absolute. */
  readonly directory: string;
  readonly remove: () => Promise<void>;
}

/**
 * Checks a revision out apart from the working copy, to be tested there. It is a small repository of its own that
 * borrows the working copy's objects: git commands work in it as in a fresh clone, and whatever a test does to it
 * (commits, tags, config, `git gc`) stays in it. What is left by a crash goes when the working copy is opened.
 */
export async function makeCandidate(place: GitPlace, revision: Revision, signal: AbortSignal): Promise<Candidate> {
  const source = repositoryOf(place, 'making a candidate', signal);
  await ready(source);
  const directory = join(folderOf(source), `${revision.slice(0, 12)}-${randomUUID().slice(0, 8)}`);
  // Cleaning up is not stopped by what stopped the work.
  const cleaning = { ...source, signal: new AbortController().signal };
  const remove = (): Promise<void> => removeAll(cleaning, [directory]);
  try {
    faultPoint('candidate.before');
    await populate(source, { ...source, gitDir: join(directory, '.git'), workTree: directory }, revision);
  } catch (error) {
    await remove();
    throw error;
  }
  faultPoint('candidate.after');
  return { directory, remove };
}

/** Removes the candidates of a Huddle that was killed. */
export async function removeLeftCandidates(repository: GitRepository): Promise<void> {
  const folder = folderOf(repository);
  const left = await readdir(folder).catch(() => []);
  if (left.length > 0)
    await removeAll(
      repository,
      left.map((name) => join(folder, name)),
    );
}

function folderOf({ place, gitDir }: GitRepository): string {
  return place.candidates ?? join(ownFolder(gitDir), 'candidates');
}

async function removeAll(repository: GitRepository, folders: readonly string[]): Promise<void> {
  // Tools make folders read-only (Go's module cache).
  const script = 'rm -rf -- "$@" 2>/dev/null || { chmod -R u+rwX -- "$@"; rm -rf -- "$@"; }';
  await runScript(repository, script, folders);
  faultPoint('candidate.removed');
}

async function populate(source: GitRepository, candidate: GitRepository, revision: Revision): Promise<void> {
  const { remote } = source.place.repository;
  const format = revision.length === 40 ? 'sha1' : 'sha256';
  await layOutRepository(candidate, format, [
    [`remote.${remote}.url`, source.remote.address],
    [`remote.${remote}.fetch`, `+refs/heads/*:refs/remotes/${remote}/*`],
  ]);
  const argv = ['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/remotes', 'refs/tags'];
  const refs = await runGit(source, argv);
  const script = `
cd "$1"
printf '%s/objects\\n' "$2" > objects/info/alternates
if [ -f "$2/shallow" ]; then cp "$2/shallow" shallow; fi
printf '%s\\n' "$3" > HEAD
cat > packed-refs
`;
  await runScript(candidate, script, [candidate.gitDir, source.gitDir, revision], refs.stdout);
  await enter(candidate, new Map(format === 'sha1' ? [] : [['extensions.objectformat', [format]]]));
  // What a power cut leaves of it is thrown away: nothing needs to be on disk.
  await runGit(candidate, ['read-tree', '--reset', '-u', revision], { settings: ['-c', 'core.fsync=none'] });
  if (!source.place.repository.submodules) return;
  for (const { name, path, revision: inner } of await listSubmodules(candidate, revision)) {
    const from = storeOf({ ...source, gitDir: join(source.gitDir, 'modules', name) });
    const workTree = join(candidate.workTree, path);
    await ready(from);
    await populate(from, { ...candidate, gitDir: join(workTree, '.git'), workTree }, inner);
  }
}
