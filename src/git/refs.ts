import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Revision } from '../../machines/facts.ts';
import { errorCode, isLimit } from '../ledger/paths.ts';
import { runGit } from './client.ts';
import { isCommitId } from './names.ts';
import type { GitRepository } from './repository.ts';

/** Where HEAD stands. `branch` null: detached; `revision` null: a branch without a commit. */
export interface Head {
  readonly branch: string | null;
  readonly revision: Revision | null;
}

/** Reads HEAD without starting a process; null: it is damaged or missing. */
export async function readHead(repository: GitRepository): Promise<Head | null> {
  const text = await readSmall(join(repository.gitDir, 'HEAD'));
  if (isCommitId(text)) return { branch: null, revision: text };
  const name = /^ref: (refs\/\S+)$/.exec(text)?.[1];
  if (name === undefined) return null;
  const branch = name.startsWith('refs/heads/') ? name.slice('refs/heads/'.length) : null;
  return { branch, revision: await readRef(repository, name) };
}

/**
 * What a ref is at; null: there is none. Read from git's files, because it comes after each question to the remote,
 * which is to take one process.
 */
export async function readRef(repository: GitRepository, name: string): Promise<Revision | null> {
  const loose = await readSmall(join(repository.gitDir, name));
  if (isCommitId(loose)) return loose;
  const packed = await readFile(join(repository.gitDir, 'packed-refs'), 'utf8').catch(emptyUnlessLimit);
  const end = packed.indexOf(` ${name}\n`);
  if (end === -1) return null;
  const revision = packed.slice(packed.lastIndexOf('\n', end) + 1, end);
  return isCommitId(revision) ? revision : null;
}

/** The branch that the remote's own HEAD was at when it was last asked; null: unknown. */
export async function rememberedDefault(repository: GitRepository): Promise<string | null> {
  const prefix = `refs/remotes/${repository.place.repository.remote}/`;
  const text = await readSmall(join(repository.gitDir, `${prefix}HEAD`));
  return text.startsWith(`ref: ${prefix}`) ? text.slice(`ref: ${prefix}`.length) : null;
}

/** The commit that a name stands for here; null: there is none such. */
export async function resolveCommit(repository: GitRepository, name: string): Promise<Revision | null> {
  const argv = ['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`];
  const { code, stdout } = await runGit(repository, argv, { answers: [1, 128] });
  const revision = stdout.toString().trim();
  return code === 0 && isCommitId(revision) ? revision : null;
}

/** A small plain file without its line end; empty where there is none. A pipe laid in the way is not opened. */
export async function readSmall(file: string): Promise<string> {
  const found = await lstat(file).catch(() => null);
  if (found === null || !found.isFile() || found.size > 4096) return '';
  return (await readFile(file, 'utf8').catch(emptyUnlessLimit)).trimEnd();
}

/** To a Huddle that has no descriptors left every ref would seem to be gone, and the repository damaged. */
function emptyUnlessLimit(error: unknown): string {
  if (isLimit(errorCode(error))) throw error;
  return '';
}
