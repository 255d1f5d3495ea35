import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Failure } from '../../machines/failure.ts';
import { errorCode } from '../platform/error-code.ts';
import { refused } from '../ledger/paths.ts';

/**
 * The secret that an app shares with its forge, read anew each time so that it can be replaced; null where its file is not
 * there. Fails with `config-invalid` where the file is empty, or as the system says.
 */
export function readSecret(path: string): string | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null;
    throw refused(thrown, 'reading the secret in', path);
  }
  const secret = text.replace(/\r?\n$/, '');
  if (secret !== '') return secret;
  throw new Failure('config-invalid', {
    doing: 'reading the secret in',
    subject: path,
    reason: 'the file is empty',
    hint: 'Put the secret that the forge has into it, or remove it and let huddle webhook make one.',
  });
}

/** Makes a secret where there is none, for its owner alone. Fails as the system says, also where one is there already. */
export function makeSecret(path: string): string {
  const secret = randomBytes(32).toString('hex');
  try {
    writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  } catch (thrown) {
    throw refused(thrown, 'making a secret in', path);
  }
  return secret;
}
