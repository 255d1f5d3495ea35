import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { parseEnv } from 'node:util';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import type { Instance, Release } from '../../machines/slots.ts';
import { errorCode, isLimit, refusal, refused } from '../ledger/paths.ts';
import { here } from '../platform/here.ts';
import type { RunAs } from './user.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string>>;

/**
 * What programs, tests, scripts and git inherit: Huddle's own environment, less what its supervisor (`LISTEN_*`,
 * `NOTIFY_SOCKET`), npm and an outer Huddle said to Huddle alone. For another user also less `XDG_*`, which names
 * folders of Huddle's own user, and with that user's HOME.
 */
export function baseEnvironment(runAs: RunAs, own: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const isForeign = runAs.uid !== null;
  const kept = Object.entries(own).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !isHuddlesAlone(entry[0]) && !(isForeign && entry[0].startsWith('XDG_')),
  );
  const inherited = Object.fromEntries(own['npm_execpath'] === undefined ? kept : withoutNpm(kept, own));
  return here.environment(inherited, runAs.environment);
}

function isHuddlesAlone(name: string): boolean {
  return /^(LISTEN_|npm_|HUDDLE_(APP|REVISION|RELEASE|PORT|MARK)$|NOTIFY_SOCKET$|OLDPWD$)/.test(name);
}

/** What npm sets besides `npm_*` when it runs a script: tried with npm 11. */
function withoutNpm(entries: readonly [string, string][], own: NodeJS.ProcessEnv): [string, string][] {
  return entries
    .filter(([name]) => name !== 'INIT_CWD' && name !== 'COLOR')
    .filter(([name, value]) => name !== 'NODE' || value !== own['npm_node_execpath'])
    .map(([name, value]) => [name, name.toUpperCase() === 'PATH' ? withoutNpmFolders(value) : value]);
}

/** npm puts its folders first; what stands behind the first other folder is the user's own. */
function withoutNpmFolders(path: string): string {
  const folders = path.split(delimiter);
  const first = folders.findIndex((folder) => !/[/\\](node_modules[/\\]\.bin|node-gyp-bin)$/.test(folder));
  return folders.slice(Math.max(first, 0)).join(delimiter);
}

/** For tests, scripts and probes of an app: what all inherit, and of what they are. */
export function commandEnvironment(name: string, revision: Revision, runAs: RunAs): Environment {
  return here.environment(baseEnvironment(runAs), { HUDDLE_APP: name, HUDDLE_REVISION: revision });
}

/**
 * For the program of an app, and what speaks to it (its stop command, its probes): also the environment file, read now,
 * and over that the configured environment. Throws `config-invalid` when the file cannot be read.
 */
export function programEnvironment({ name, revision, config, release }: Instance, runAs: RunAs): Environment {
  const { environment, environmentFile } = config.application;
  return here.environment(
    baseEnvironment(runAs),
    environmentFile === null ? {} : readEnvironmentFile(environmentFile),
    environment,
    { HUDDLE_APP: name, HUDDLE_REVISION: revision },
    releaseVariables(release, config.application.proxy !== null),
  );
}

/** What tells a program, or a script that points to it, which release it is. */
export function releaseVariables(release: Release | null | undefined, isProxied: boolean): Record<string, string> {
  const { name = null, port = null } = release ?? {};
  return {
    ...(name === null ? {} : { HUDDLE_RELEASE: name }),
    ...(port === null ? {} : { HUDDLE_PORT: String(port) }),
    ...(port === null || !isProxied ? {} : { PORT: String(port) }),
  };
}

function readEnvironmentFile(path: string): Record<string, string> {
  try {
    return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>;
  } catch (thrown) {
    if (isLimit(errorCode(thrown))) throw refused(thrown, 'reading the environment file', path);
    throw new Failure('config-invalid', {
      doing: 'reading the environment file',
      subject: path,
      reason: refusal(thrown),
      hint: 'Create it, make it readable for Huddle, or correct application.environment file.',
      cause: thrown,
    });
  }
}
