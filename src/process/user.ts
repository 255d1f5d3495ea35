import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { Failure } from '../../machines/failure.ts';
import { here } from '../platform/here.ts';
import { errorCode, isLimit, refused } from '../ledger/paths.ts';
import { findExecutable } from './executable.ts';

/** How to run something as a user. */
export interface RunAs {
  /** Goes before the command's own argv; empty where nothing has to change. */
  readonly prefix: readonly string[];
  /** HOME, USER, LOGNAME and SHELL; goes over Huddle's own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who owns what Huddle makes for it (a log); null: Huddle's own user. */
  readonly uid: number | null;
  readonly gid: number | null;
}

const asHuddle: RunAs = { prefix: [], environment: {}, uid: null, gid: null };

const cache = new Map<string, { readonly until: number; readonly runAs: RunAs }>();
const cachedFor = 60_000;

/**
 * How to run something as the user of a config (a name or a number); null is Huddle's own user. Answers are kept for a
 * minute. Never falls back: throws a `Failure` when there is no such user, or when Huddle may not become it.
 *
 * Through setpriv, since Node's own `uid` and `gid` leave the supplementary groups and HOME as they were.
 */
export function runAs(user: string | null): RunAs {
  if (user === null) return asHuddle;
  const cached = cache.get(user);
  if (cached !== undefined && cached.until > performance.now()) return cached.runAs;
  const found = look(user);
  cache.set(user, { until: performance.now() + cachedFor, runAs: found });
  return found;
}

function look(user: string): RunAs {
  if (!here.hasUsers) {
    if (user === userInfo().username) return asHuddle;
    throw new Failure('not-supported', {
      doing: 'becoming the user',
      subject: user,
      reason: 'on this system nothing can be run as somebody else',
      hint: `Run Huddle as ${user}, or remove application.user.`,
    });
  }
  const { uid, gid, ...environment } = account(user);
  const own = process.getuid?.();
  if (own === uid) return { prefix: [], environment, uid: null, gid: null };
  if (own !== 0) {
    throw new Failure('not-supported', {
      doing: 'becoming the user',
      subject: user,
      reason: 'only root can run a program as somebody else',
      hint: `Run Huddle as root, or as ${user}, or remove application.user.`,
    });
  }
  const setpriv = findExecutable('setpriv', '/', '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin');
  if (setpriv === null) {
    throw new Failure('not-supported', {
      doing: 'becoming the user',
      subject: user,
      reason: 'setpriv is not installed',
      hint: 'Install util-linux, which has it.',
    });
  }
  return {
    prefix: [setpriv, `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'],
    environment,
    uid,
    gid,
  };
}

/** Asks the name service, so that users of LDAP and the like count too. */
function account(user: string) {
  const fields = passwd(user)?.trim().split(':') ?? [];
  const [name, , uid, gid, , home, shell] = fields;
  if (name === undefined || uid === undefined || gid === undefined) {
    throw new Failure('user-unknown', {
      doing: 'looking for the user',
      subject: user,
      reason: 'there is no such user on this machine',
      hint: `Create it (useradd --system ${user}), or correct application.user.`,
    });
  }
  return {
    uid: Number(uid),
    gid: Number(gid),
    HOME: home || '/',
    USER: name,
    LOGNAME: name,
    SHELL: shell || '/bin/sh',
  };
}

function passwd(user: string): string | null {
  try {
    return execFileSync('getent', ['--', 'passwd', user], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
  } catch (thrown) {
    const { status } = thrown as { readonly status?: number | null };
    if (status === 2) return null; // getent(1): the key was not found
    if (isLimit(errorCode(thrown))) throw refused(thrown, 'looking for the user', user);
    throw new Failure('user-unknown', {
      doing: 'looking for the user',
      subject: user,
      reason: `getent passwd failed: ${(thrown as Error).message}`,
      hint: 'Run `getent passwd` by hand to see why.',
      cause: thrown,
    });
  }
}
