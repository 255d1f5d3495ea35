import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from './paths.ts';

/**
 * Replaces a file so that a reader, a kill and a power cut find either the old or the new text, whole: a temporary file
 * is written and synced, takes the name, and the folder is synced. Its folder is made where it is missing. With `old`,
 * the text before stays under that name. At no moment is there neither of the two. Rejects with the system's error.
 */
export async function replaceFile(path: string, text: string, old?: string): Promise<void> {
  await makeFolder(dirname(path));
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  if (old !== undefined) await keepOld(path, old);
  await rename(fresh, path);
  await syncFolder(dirname(path));
}

async function keepOld(path: string, old: string): Promise<void> {
  const kept = `${old}.new`;
  await rm(kept, { force: true });
  try {
    await link(path, kept);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    // A file system without hard links (FAT, some network mounts).
    await copyFile(path, kept);
  }
  await rename(kept, old);
}

/** Makes a folder (0700) and those above it, and sees to it that they outlast a power cut. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** A new name in a folder is only safe once the folder itself is on disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
