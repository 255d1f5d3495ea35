import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { asFailure, Failure } from '../../machines/failure.ts';
import { errorCode } from '../platform/error-code.ts';
import { here } from '../platform/here.ts';
import { refused } from '../ledger/paths.ts';

/** 32 random bytes as base64url. */
const shape = /^[\w-]{43}$/;

/**
 * The token of this Huddle; makes it where there is none. Fails as `readToken` does: a token that is damaged is not
 * replaced, since links and scrapers that hold it would be locked out without a word.
 */
export function keepToken(path: string): string {
  return readToken(path) ?? makeToken(path);
}

/**
 * The token, or null where none has been made. Fails with `config-invalid` where the file holds none, and with
 * `permission-denied` where it may not be read, or where others may.
 */
export function readToken(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (here.hasModes && (statSync(path).mode & 0o077) !== 0) throw unsafe(path);
    if (!shape.test(text)) throw damaged(path);
    return text;
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null;
    throw refused(thrown, reading, path);
  }
}

/**
 * Whether a token is the one in the file still. It holds no longer where that is missing, damaged, or open to others; to
 * have no means to look (no descriptors) says nothing.
 */
export function holdsStill(token: string, path: string): boolean {
  try {
    return readToken(path) === token;
  } catch (thrown) {
    return asFailure(thrown).code === 'limit-reached';
  }
}

const reading = 'reading the token in';

/** Whole or not at all, and never in the place of another: whoever was there first has made it. */
function makeToken(path: string): string {
  const token = randomBytes(32).toString('base64url');
  const fresh = `${path}.new`;
  try {
    rmSync(fresh, { force: true });
    writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
    put(fresh, path);
    return readToken(path) ?? token;
  } catch (thrown) {
    throw refused(thrown, 'making a token in', path);
  }
}

function put(fresh: string, path: string): void {
  try {
    linkSync(fresh, path);
  } catch (thrown) {
    // A file system without hard links (FAT, some network mounts).
    if (errorCode(thrown) !== 'EEXIST') here.rename(fresh, path);
  }
  rmSync(fresh, { force: true });
}

function damaged(path: string): Failure {
  return new Failure('config-invalid', {
    doing: reading,
    subject: path,
    reason: 'it holds no token of Huddle',
    hint: 'Put the right one back; or remove the file: a new token is made, and old links and scrapers need that one.',
  });
}

function unsafe(path: string): Failure {
  return new Failure('permission-denied', {
    doing: reading,
    subject: path,
    reason: 'other users may read or change it',
    hint: `Whoever has read it may command the apps: remove it for a new one; if nobody has, chmod 600 ${path}`,
  });
}
