import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { Failure } from '../../machines/failure.ts';
import { isConfigFile } from './name.ts';
import type { Origin } from './paths.ts';
import { problemIn, type Mistake } from './problem.ts';
import { readConfig, type Reading } from './read.ts';
import { longestFile } from './text.ts';
import { fileStart } from './tree.ts';

/** The names of the config files of a folder, in the order in which they start. A `Failure` where it cannot be read. */
export async function configFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory() && isConfigFile(entry.name));
    return files.map((entry) => entry.name).sort();
  } catch (thrown) {
    throw new Failure('directory-missing', {
      doing: 'reading the folder of the config files',
      subject: folder,
      reason: reasonOf(thrown),
      hint: 'Name the folder that holds the config files with -c DIR.',
      cause: thrown,
    });
  }
}

/**
 * Reads a config file from the disk, `shown` being what problems call it. A file that cannot be read is one with a
 * problem. null: it is a folder, or not there at all.
 */
export async function readFromDisk(file: string, shown: string, origin: Origin): Promise<Reading | null> {
  const found = await contentOf(file);
  if (found === null) return null;
  if (found instanceof Uint8Array) return readConfig({ path: shown, content: found }, origin);
  const { name } = await readConfig({ path: shown, content: '' }, origin);
  return { name, config: null, problems: [problemIn(shown, found)], notes: [], at: () => fileStart };
}

/** The bytes of a file (no more than tell that it is too large), or why it cannot be read; null: a folder, or not there. */
async function contentOf(file: string): Promise<Uint8Array | Mistake | null> {
  try {
    // Without O_NONBLOCK, opening a FIFO waits for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    // Not with `await using`, which Node 22 does not know.
    try {
      return await contentIn(handle);
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    return (await isThere(file)) ? unreadable(reasonOf(thrown)) : null;
  }
}

async function contentIn(handle: FileHandle): Promise<Uint8Array | Mistake | null> {
  const stat = await handle.stat();
  if (stat.isDirectory()) return null;
  if (!stat.isFile()) return unreadable('it is no regular file');
  const buffer = Buffer.alloc(Math.min(stat.size, longestFile) + 1);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}

/** Also true of a symlink that points nowhere: its owner has not taken the app away. */
async function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function unreadable(reason: string): Mistake {
  return { at: fileStart, key: '', message: `cannot be read: ${reason}`, hint: 'let the user who runs Huddle read it' };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'too many symbolic links',
};

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code = 'code' in thrown ? String(thrown.code) : '';
  return reasons[code] ?? thrown.message;
}
