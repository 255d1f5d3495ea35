import { readFile } from 'node:fs/promises';
import { Failure } from '../../machines/failure.ts';
import { shellWord } from '../platform/shell-word.ts';
import type { GitPlace } from './place.ts';
import { parseRemote, withoutCredentials, type RemoteUrl } from './remote-url.ts';

/** User name and password for one origin. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * git's credential helper, as text of its config: it answers from two variables of git's environment. Nothing but
 * root and the app's own user can read that environment (`/proc/PID/environ` is 0400), `printf` is built into the
 * shell and so in no argv, and nothing is left on disk by a crash.
 */
const helper = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$HUDDLE_GIT_USERNAME" "$HUDDLE_GIT_PASSWORD"; }; f`;

/**
 * What the config must say so that credentials go to the remote's scheme, host and port and to nobody else. The empty
 * helper puts the user's own ones out of reach for this origin: they would be told to store what they are not given.
 */
export function credentialConfig(place: GitPlace): readonly (readonly [string, string])[] {
  const remote = parseRemote(place.repository.remotePath);
  if (remote.transport !== 'http') return [];
  if (hasPassword(place, remote))
    return [
      [`credential.${remote.origin}.helper`, ''],
      [`credential.${remote.origin}.helper`, helper],
    ];
  const username = place.repository.username ?? remote.username;
  return username === null ? [] : [[`credential.${remote.origin}.username`, username]];
}

/** The configured credentials, read anew; null where git's own helpers are to answer. */
export async function readCredentials(place: GitPlace): Promise<Credentials | null> {
  const remote = parseRemote(place.repository.remotePath);
  if (remote.transport !== 'http' || !hasPassword(place, remote)) return null;
  const { passwordFile } = place.repository;
  const password = passwordFile === null ? (remote.password ?? '') : await readPassword(passwordFile);
  // A URL that holds a token alone (`https://TOKEN@host/…`): forges take it as the user name with any password.
  return { username: place.repository.username ?? remote.username ?? 'git', password };
}

function hasPassword(place: GitPlace, remote: RemoteUrl): boolean {
  return place.repository.passwordFile !== null || remote.password !== null;
}

async function readPassword(file: string): Promise<string> {
  const refuse = (reason: string, cause?: unknown): Failure =>
    new Failure('authentication-failed', {
      doing: 'reading the password file',
      subject: file,
      reason,
      hint: 'Put the password alone on one line of that file, readable by Huddle.',
      cause,
    });
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : 'cannot be read', error);
  }
  const password = text.replace(/\r?\n$/, '');
  // A line break would end the field in the credential protocol, and let the file answer for other hosts.
  if (password === '' || /[\r\n\0]/.test(password))
    throw refuse(password === '' ? 'it is empty' : 'more than one line');
  return password;
}

/** Strikes what is secret out of git's words: the known credentials as they are and as a URL writes them, and any URL's. */
export function redactor(place: GitPlace, credentials: Credentials | null): (text: string) => string {
  const remote = parseRemote(place.repository.remotePath);
  const inUrl = remote.transport === 'http' && place.repository.username === null ? remote.username : null;
  const secrets = [credentials?.password, remote.password, remote.password === null ? inUrl : null]
    .filter((secret): secret is string => typeof secret === 'string' && secret !== '')
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .toSorted((one, other) => other.length - one.length);
  return (text) => secrets.reduce((struck, secret) => struck.replaceAll(secret, '***'), withoutCredentials(text));
}

/**
 * The ssh command line: host keys are always checked and never learnt, nothing is ever asked, and a configured key is
 * the only one offered. What else ssh does, the user's own `~/.ssh/config` says.
 */
export function sshCommand(place: GitPlace, isOwnHost: boolean): string {
  const { sshKey, knownHosts } = place.repository;
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'UpdateHostKeys=no', 'ForwardAgent=no'];
  if (knownHosts !== null)
    options.push(`UserKnownHostsFile=${forSshConfig(knownHosts)}`, 'GlobalKnownHostsFile=/dev/null');
  if (sshKey !== null && isOwnHost) options.push('IdentitiesOnly=yes', `IdentityFile=${forSshConfig(sshKey)}`);
  return ['ssh', ...options.flatMap((option) => ['-o', shellWord(option)])].join(' ');
}

/** As a word of ssh's config: quoted, with per cent signs kept from being tokens. */
function forSshConfig(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('"', '\\"')}"`;
}
