import { copyFileSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { errorCode } from './paths.ts';

/**
 * Replaces a file so that a reader and a kill find either the old or the new text, whole: a temporary file takes the name.
 * Its folder is made where it is missing. With `old`, the text before stays under that name; at no moment is there
 * neither of the two. A power cut may still undo it, or empty the file, until `makeDurable`. Synchronous (about 0.3 ms),
 * so that nothing that follows from the text can be seen before it is there. Throws the system's error.
 */
export function replaceFile(path: string, text: string, old?: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode: 0o600 });
  faultPoint('ledger.file.fresh');
  if (old !== undefined) keepOld(path, old);
  faultPoint('ledger.file.kept');
  here.rename(fresh, path);
}

/** Resolves when a file and its name outlast a power cut. Rejects with the system's error. */
export async function makeDurable(path: string): Promise<void> {
  await here.syncFile(path);
  await here.syncFolder(dirname(path));
  await here.syncFolder(dirname(dirname(path)));
}

function keepOld(path: string, old: string): void {
  const kept = `${old}.new`;
  rmSync(kept, { force: true });
  try {
    linkSync(path, kept);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    // A file system without hard links (FAT, some network mounts).
    copyFileSync(path, kept);
  }
  here.rename(kept, old);
}

/**
 * Makes a folder (0700) and those above it, before it returns: whoever has just seen that the state folder stands must not make it
 * anew a moment later. Resolves when they outlast a power cut.
 */
export async function makeFolder(folder: string): Promise<void> {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await here.syncFolder(dirname(made));
}
