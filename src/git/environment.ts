import { join } from 'node:path';
import type { Credentials } from './credentials.ts';
import { sshCommand } from './credentials.ts';
import { parseRemote } from './remote-url.ts';
import { ownFolder, type GitRepository } from './repository.ts';
import type { GitPlace } from './place.ts';

/** Settings of every git process; on the command line they win over every config file. */
export function hardening(place: GitPlace): string[] {
  const settings = [
    `core.hooksPath=${place.emptyFolder}`,
    'core.fsmonitor=false',
    'core.splitIndex=false',
    'core.sparseCheckout=false',
    'core.protectNTFS=true',
    'core.protectHFS=true',
    'core.safecrlf=false',
    'core.logAllRefUpdates=true',
    // git syncs neither refs nor the index by itself, and work trees never.
    'core.fsync=all',
    'safe.bareRepository=explicit',
    'submodule.recurse=false',
    'fetch.prune=false',
    'fetch.writeCommitGraph=false',
    'protocol.version=2',
    'transfer.credentialsInUrl=die',
    // A forge redirects a renamed repository. Credentials are bound to their origin and do not follow.
    'http.followRedirects=initial',
    'gc.auto=0',
    'gc.autoDetach=false',
    'maintenance.auto=false',
    'log.showSignature=false',
  ];
  return settings.flatMap((setting) => ['-c', setting]);
}

/** The `GIT_*` names that git may be given; simple-git strikes all others out. */
export const gitVariables = [
  'GIT_DIR',
  'GIT_COMMON_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_TERMINAL_PROMPT',
  'GIT_ASKPASS',
  'GIT_ALLOW_PROTOCOL',
  'GIT_SSH_COMMAND',
  'GIT_SSH_VARIANT',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_NO_LAZY_FETCH',
  'GIT_LITERAL_PATHSPECS',
  'GIT_OPTIONAL_LOCKS',
  'GIT_TRACE_PACKET',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
];

export interface GitEnvironment {
  readonly credentials: Credentials | null;
  /** Another index than the repository's own. */
  readonly indexFile?: string;
  /** Files are taken byte for byte, whatever attributes say. */
  readonly raw?: boolean;
  /** In no repository at all. */
  readonly nowhere?: boolean;
  /** What the remote tells goes to stderr, line by line. */
  readonly tracePackets?: boolean;
}

/** git's whole environment. */
export function environment(repository: GitRepository, given: GitEnvironment): Record<string, string> {
  const { place, remote, gitDir, workTree } = repository;
  const own = parseRemote(place.repository.remotePath);
  const variables: Record<string, string> = {
    ...commandEnvironment(place),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    // Paths are for apps whose own remote is one: a submodule's URL must not reach into this machine.
    GIT_ALLOW_PROTOCOL: own.transport === 'file' ? 'https:http:ssh:git:file' : 'https:http:ssh:git',
    GIT_SSH_COMMAND: sshCommand(place, remote.origin === own.origin),
    GIT_SSH_VARIANT: 'ssh',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_LITERAL_PATHSPECS: '1',
    // Commands that only look may run beside each other: none of them rewrites the index by the way.
    GIT_OPTIONAL_LOCKS: '0',
    GIT_AUTHOR_NAME: 'Huddle',
    GIT_AUTHOR_EMAIL: 'huddle@localhost',
    GIT_COMMITTER_NAME: 'Huddle',
    GIT_COMMITTER_EMAIL: 'huddle@localhost',
  };
  if (given.nowhere !== true) {
    variables['GIT_DIR'] = gitDir;
    variables['GIT_COMMON_DIR'] = join(ownFolder(repository.shares ?? gitDir), given.raw === true ? 'raw' : 'common');
    variables['GIT_WORK_TREE'] = workTree;
  }
  if (given.indexFile !== undefined) variables['GIT_INDEX_FILE'] = given.indexFile;
  if (given.tracePackets === true) variables['GIT_TRACE_PACKET'] = '1';
  if (given.credentials !== null) {
    variables['HUDDLE_GIT_USERNAME'] = given.credentials.username;
    variables['HUDDLE_GIT_PASSWORD'] = given.credentials.password;
  }
  return variables;
}

// What another user than Huddle's gets of Huddle's environment: nothing that leads to Huddle's own files.
const forEverybody = /^(?:PATH|LANG|TZ|TMPDIR|(?:https?|all|no|ftp)_proxy|SSL_CERT_(?:FILE|DIR))$/i;
// What starts programs in git or steers it.
const forNobody = /^(?:GIT_.*|SSH_ASKPASS.*|EDITOR|VISUAL|PAGER|PREFIX|HUDDLE_GIT_.*)$/i;

/** The environment of a command of the app's user that is part of this call. */
export function commandEnvironment(place: GitPlace): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !forNobody.test(name) && (place.runAs.length === 0 || forEverybody.test(name)),
  );
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    ...place.environment,
    // git's messages are read by Huddle.
    LC_ALL: 'C',
    LANGUAGE: '',
    HUDDLE_MARK: place.mark,
  };
}
