import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { withoutCredentials } from './remote.ts';

/**
 * The URL of a remote in a working copy that is there already, without its credentials, to be named in a hint; null
 * where there is none. Reads the plain form that `git clone` writes, and runs no git: a foreign folder is only looked at.
 */
export async function remoteOfClone(localPath: string, remote: string): Promise<string | null> {
  const text = await readFile(path.join(localPath, '.git', 'config'), 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trim());
  const start = lines.indexOf(`[remote "${remote}"]`);
  if (start < 0) return null;
  const section = lines.slice(start + 1);
  const end = section.findIndex((line) => line.startsWith('['));
  const url = section.slice(0, end < 0 ? undefined : end).find((line) => /^url\s*=/.test(line));
  return url === undefined ? null : withoutCredentials(url.slice(url.indexOf('=') + 1).trim());
}
