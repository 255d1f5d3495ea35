import { statSync } from 'node:fs';
import { mkdir, open, readdir, readlink, realpath, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../ledger/paths.ts';
import { copyRange } from './bytes.ts';
import { sizeOf } from './layout.ts';
import { collapse, truncateInto } from './shorten.ts';

/*
 * A log that somebody removes while its program runs: the program goes on writing into a file without a name, which no
 * call gives a name again, and nothing makes the program write into another one. But `/proc/PID/fd` still leads to it.
 * So the log is put back with all that was in it, and what the program writes is carried over for as long as it lives.
 */

/** A log, and how to put it back. */
export interface KeptLog {
  readonly path: string;
  /** The folder that must stand for folders in it to be made anew; without, none is made. */
  readonly base?: string;
}

/** So much is carried over before it is cut off the nameless file, which must not fill the disk; bytes. */
const mostCarried = 1_048_576;

/** The logs that were removed and are still written to. */
export class RemovedLogs {
  #found: readonly RemovedLog[] = [];

  has({ path }: KeptLog): boolean {
    return this.#found.some((log) => log.path === path);
  }

  /**
   * Looks which of these logs, given with how much of each was last seen, have been removed while somebody writes to
   * them. Rejects with the system's error.
   */
  async seek(suspects: ReadonlyMap<string, number>): Promise<void> {
    const links = await removedFiles();
    for (const log of this.#found) await log.seek(links);
    for (const [path, seen] of suspects) {
      for (const link of await linksOf(path, links)) await this.#take(path, link, seen);
    }
  }

  async #take(path: string, link: string, seen: number): Promise<void> {
    const file = await open(link, 'r+').catch(nullWhereGone);
    if (file === null) return;
    const { nlink, dev, ino, size } = await file.stat();
    const inode = `${dev}:${ino}`;
    if (nlink > 0 || this.#found.some((log) => log.inode === inode)) return await file.close();
    // Where it is there again, an editor has saved it: what was seen of it is in there, or not wanted.
    const carried = (await sizeOf(path)) === null ? 0 : Math.min(seen, size);
    this.#found = [...this.#found, new RemovedLog(path, inode, file, carried)];
  }

  /** Puts a log back, and carries over what was written since the last time. Rejects with the system's error. */
  async carryOver({ path, base }: KeptLog): Promise<void> {
    for (const log of this.#found.filter((each) => each.path === path)) {
      await log.carryOver(base);
      if (!log.hasEnded) continue;
      this.#found = this.#found.filter((each) => each !== log);
      await log.close();
    }
  }

  async close(): Promise<void> {
    for (const log of this.#found) await log.close();
    this.#found = [];
  }
}

class RemovedLog {
  readonly path: string;
  readonly inode: string;
  /** Nobody writes to it any more. */
  hasEnded = false;
  readonly #file: FileHandle;
  /** How much of it is in the log. */
  #carried: number;

  constructor(path: string, inode: string, file: FileHandle, carried: number) {
    this.path = path;
    this.inode = inode;
    this.#file = file;
    this.#carried = carried;
  }

  /** Looks whether anybody still writes to it, among the descriptors that lead to removed files. */
  async seek(links: readonly Link[]): Promise<void> {
    const own = `/proc/${process.pid}/fd/${this.#file.fd}`;
    this.hasEnded = true;
    for (const link of await linksOf(this.path, links)) {
      const found = link === own ? null : await stat(link).catch(nullWhereGone);
      if (found && `${found.dev}:${found.ino}` === this.inode) this.hasEnded = false;
    }
  }

  async carryOver(base: string | undefined): Promise<void> {
    const { size } = await this.#file.stat();
    if ((await sizeOf(this.path)) === null) await this.#putBack(base, size);
    else if (size > this.#carried) await this.#append(size);
    if (this.#carried >= mostCarried) await this.#cutOff();
  }

  /** In one step, so that who follows the log sees nothing but its return. */
  async #putBack(base: string | undefined, size: number): Promise<void> {
    if (base !== undefined) {
      statSync(base);
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    }
    const { uid, gid } = await this.#file.stat();
    const copy = await open(`${this.path}.again`, 'w', 0o640);
    try {
      await copy.chown(uid, gid);
      await copyRange(this.#file, copy, 0, size);
    } finally {
      await copy.close();
    }
    await rename(`${this.path}.again`, this.path);
    this.#carried = size;
  }

  async #append(size: number): Promise<void> {
    const log = await open(this.path, 'a');
    try {
      await copyRange(this.#file, log, this.#carried, size);
    } finally {
      await log.close();
    }
    this.#carried = size;
  }

  /** A Huddle that dies between the two steps carries as much over again: bytes are rather doubled than lost. */
  async #cutOff(): Promise<void> {
    const { size, blksize } = await this.#file.stat();
    const most = Math.min(this.#carried, size - 1);
    const bytes = most - (most % blksize);
    if (await collapse(this.#file, bytes)) this.#carried -= bytes;
    else {
      await truncateInto(this.#file, this.path, this.#carried);
      this.#carried = 0;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A descriptor of a process, by its path in `/proc`, and the name of the removed file to which it leads. */
interface Link {
  readonly link: string;
  readonly name: string;
}

const removedSuffix = ' (deleted)';

/**
 * The removed files that processes have as stdout or stderr, and this one at all. None where there is no `/proc`, and
 * none of a process that may not be looked at.
 */
async function removedFiles(): Promise<readonly Link[]> {
  const found: Link[] = [];
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const isOwn = Number(pid) === process.pid;
    for (const fd of isOwn ? await namesIn(`/proc/${pid}/fd`) : ['1', '2']) {
      const link = `/proc/${pid}/fd/${fd}`;
      const name = await readlink(link).catch(nullWhereGone);
      if (name?.endsWith(removedSuffix)) found.push({ link, name: name.slice(0, -removedSuffix.length) });
    }
  }
  return found;
}

async function linksOf(path: string, links: readonly Link[]): Promise<string[]> {
  if (links.length === 0) return [];
  const folder = (await realpath(dirname(path)).catch(nullWhereGone)) ?? dirname(path);
  const real = join(folder, basename(path));
  return links.filter(({ name }) => name === real || name === path).map(({ link }) => link);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(nullWhereGone)) ?? [];
}

/** A process has ended meanwhile, or is another user's. */
function nullWhereGone(error: unknown): null {
  if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR'].includes(errorCode(error))) return null;
  throw error;
}
