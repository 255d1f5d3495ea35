import { readlink, realpath } from 'node:fs/promises';
import path from 'node:path';

/** Where the relative paths of a config file start. Both are absolute. */
export interface Origin {
  /** DIR. */
  readonly folder: string;
  /** The home of the user who runs Huddle. */
  readonly home: string;
}

/** A path of a config file as an absolute one; symlinks stay as they are. */
export function absolute(written: string, { folder, home }: Origin): string {
  return /^~(\/|$)/.test(written) ? path.join(home, written.slice(1)) : path.resolve(folder, written);
}

/**
 * The path with every symlink resolved, as far as the path exists: so two paths are the same place when they are the
 * same text. Never fails: what cannot be looked at stays as it is written.
 */
export async function resolved(whole: string): Promise<string> {
  return resolveWithin(whole, 40);
}

/** `links`: how many more dangling symlinks to follow, so that a ring of them ends (Linux follows 40 as well). */
async function resolveWithin(whole: string, links: number): Promise<string> {
  const real = await orNull(realpath(whole));
  if (real !== null) return real;
  const parent = path.dirname(whole);
  if (parent === whole) return whole;
  const target = links > 0 ? await orNull(readlink(whole)) : null;
  if (target !== null) return resolveWithin(path.resolve(parent, target), links - 1);
  return path.join(await resolveWithin(parent, links), path.basename(whole));
}

/** Whether a path is another one, or lies inside of it. */
export function isWithin(inner: string, outer: string): boolean {
  const way = path.relative(outer, inner);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** Why a path cannot be looked at (absent, forbidden, a ring of links) makes no difference here. */
async function orNull(wanted: Promise<string>): Promise<string | null> {
  return wanted.catch(() => null);
}
