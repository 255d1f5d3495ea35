import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/**
 * Removes the lock files that a git left behind which was killed; answers whether there is none any more. A lock is
 * stale when no git on this machine can hold it: none works in this working copy, none has a file of it open and none
 * names it in its argv. A git that may not be looked at (another user's) counts as holding it. Huddle's own processes
 * of an earlier life are ended by their mark before anything of git is begun.
 */
export async function clearStaleLocks(repository: GitRepository): Promise<boolean> {
  const locks = await findLocks(repository.gitDir);
  if (locks.length === 0) return true;
  if (await isInUse(repository)) return false;
  repository.place.log(`removing ${locks.join(', ')}: no git is at work in ${repository.workTree}\n`);
  await runScript(repository, 'cd "$1"; shift; rm -f -- "$@"', [repository.gitDir, ...locks]);
  return true;
}

/** Their paths inside the git directory. */
async function findLocks(gitDir: string): Promise<string[]> {
  const here = ['index', 'HEAD', 'ORIG_HEAD', 'config', 'packed-refs', 'shallow'].map((name) => `${name}.lock`);
  const [top, refs, info] = await Promise.all([
    readdir(gitDir).catch(() => []),
    readdir(join(gitDir, 'refs'), { recursive: true }).catch(() => []),
    readdir(join(gitDir, 'objects/info')).catch(() => []),
  ]);
  return [
    ...top.filter((name) => here.includes(name)),
    ...refs.filter((name) => name.endsWith('.lock')).map((name) => join('refs', name)),
    ...info.filter((name) => name.endsWith('.lock')).map((name) => join('objects/info', name)),
  ];
}

async function isInUse(repository: GitRepository): Promise<boolean> {
  const [gitDir, workTree] = await Promise.all([realpath(repository.gitDir), realpath(repository.workTree)]);
  const processes = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    processes.filter((name) => /^\d+$/.test(name)).map((pid) => holds(`/proc/${pid}`, gitDir, workTree)),
  );
  return found.includes(true);
}

async function holds(process: string, gitDir: string, workTree: string): Promise<boolean> {
  const name = await readFile(join(process, 'comm'), 'utf8').catch(() => '');
  if (!/^git(?:-|\n)/.test(name)) return false;
  const inside = (path: string): boolean => path === workTree || path.startsWith(`${workTree}/`);
  try {
    const words = (await readFile(join(process, 'cmdline'), 'utf8')).split('\0');
    if (words.some((word) => word.includes(gitDir))) return true;
    if (inside(await readlink(join(process, 'cwd')))) return true;
    const descriptors = await readdir(join(process, 'fd'));
    const open = await Promise.all(descriptors.map((fd) => readlink(join(process, 'fd', fd)).catch(() => '')));
    return open.some(inside);
  } catch (error) {
    // Ended meanwhile: holds nothing. Not to be looked at: perhaps.
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM';
  }
}
