import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import { runGit } from './client.ts';
import { bytes, type Changes, changesBetween } from './compare.ts';
import { readHead } from './refs.ts';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';

// A disk that is full: better seen before the program is stopped than by git half-way through the files.

/**
 * Fails with `disk-full` where the files of a revision would not fit: what it brings, less what it takes away. Blocks,
 * filters and submodules are not reckoned with.
 */
export async function mustFit(repository: GitRepository, revision: Revision): Promise<void> {
  const head = (await readHead(repository))?.revision ?? null;
  if (head === null || head === revision) return;
  const changes = await changesBetween(repository, head, revision);
  const [coming, going] = await sizesOf(repository, changes);
  mustBeFree(repository, coming - going, await statfs(repository.workTree));
}

function mustBeFree(repository: GitRepository, size: number, { bavail, bsize }: StatsFs): void {
  if (size <= bavail * bsize) return;
  throw full(repository, `${inMegabytes(size)} are needed, and ${inMegabytes(bavail * bsize)} are free`);
}

/** The same where a revision gets a folder of its own, and nothing goes for it. */
export async function mustFitBeside(repository: GitRepository, revision: Revision): Promise<void> {
  const { stdout } = await runGit(repository, [
    'ls-tree',
    '-r',
    '-l',
    '-z',
    '--full-tree',
    '--end-of-options',
    revision,
  ]);
  const sizes = stdout.toString('latin1').matchAll(/(?:^|\0)\d+ blob [0-9a-f]+ +(\d+)\t/g);
  mustBeFree(
    repository,
    [...sizes].reduce((sum, [, size]) => sum + Number(size), 0),
    await statfs(repository.workTree),
  );
}

/**
 * After a checkout from `head` that failed: takes away again what it may have written, so that there is room for the way
 * back, and fails with `disk-full`. Does nothing where git was not stopped by the disk, or before it touched a file. To
 * be called only where all that `head` has in these places was unchanged.
 */
export async function takeBack(
  repository: GitRepository,
  { head, revision, stderr }: { readonly head: Revision; readonly revision: Revision; readonly stderr: string },
): Promise<void> {
  const began = !/Unable to create '.*\.lock'/.test(stderr);
  const isFull =
    /No space left|quota exceeded|out of disk ?space/i.test(stderr) ||
    (/unable to write file/.test(stderr) && (await statfs(repository.workTree)).bavail === 0);
  if (!began || !isFull) return;
  const changes = await changesBetween(repository, head, revision);
  const written = [...changes].filter(([, { status, mode }]) => status !== 'D' && mode !== submodule);
  const files = bytes(written.map(([path]) => path));
  if (files.length > 0) await runScript(repository, 'cd "$1"; xargs -0 rm -f --', [repository.workTree], files);
  throw full(repository, 'no space left on the disk');
}

const submodule = '160000';

/** The bytes that come, and those that go. */
async function sizesOf(repository: GitRepository, changes: Changes): Promise<[number, number]> {
  const files = [...changes.values()].filter(({ oldMode, mode }) => oldMode !== submodule && mode !== submodule);
  if (files.length === 0) return [0, 0];
  const ids = files.flatMap(({ oldOid, oid }) => [oldOid, oid]);
  const input = Buffer.from(ids.map((id) => `${id}\n`).join(''));
  const { stdout } = await runGit(repository, ['cat-file', '--batch-check=%(objectsize)'], { input });
  // For the side on which there is no file it says `000… missing`.
  const sizes = stdout
    .toString()
    .split('\n')
    .map((line) => (/^\d+$/.test(line) ? Number(line) : 0));
  const sum = (side: 0 | 1) => sizes.filter((_, index) => index % 2 === side).reduce((all, size) => all + size, 0);
  return [sum(1), sum(0)];
}

function inMegabytes(size: number): string {
  return `${(size / 1_048_576).toFixed(1)} MB`;
}

function full({ doing, workTree }: GitRepository, reason: string): Failure {
  return new Failure('disk-full', {
    doing,
    subject: workTree,
    reason,
    hint: 'Make room on the disk; Huddle tries again.',
  });
}
