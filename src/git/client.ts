import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { SimpleGitFactory, SimpleGitOptions } from 'simple-git';
import { Failure } from '../../machines/failure.ts';
import { here } from '../platform/here.ts';
import { faultPoint } from '../fault.ts';
import { classify } from './classify.ts';
import { readCredentials, redactor } from './credentials.ts';
import { refusedBy } from '../ledger/paths.ts';
import { environment, gitVariables, hardening } from './environment.ts';
import { clearStaleLocks } from './locks.ts';
import { untilEnded } from './ending.ts';
import { parseRemote } from './remote-url.ts';
import { mustBeFit } from './version.ts';
import type { GitRepository } from './repository.ts';

export interface GitOptions {
  /** It speaks to the remote: credentials go along and `repository.timeout` holds. */
  readonly network?: boolean;
  /** Not empty: simple-git closes standard input only after it has written something. */
  readonly input?: Buffer;
  /** Another index than the repository's own. */
  readonly indexFile?: string;
  /** Files are taken byte for byte, whatever attributes say. */
  readonly raw?: boolean;
  /** In no repository at all. */
  readonly nowhere?: boolean;
  /** It ends at once, if it does at all: `repository.timeout` holds. */
  readonly brief?: boolean;
  /** What the remote tells goes to stderr, line by line. */
  readonly tracePackets?: boolean;
  /** Exit codes that are answers; 0 is always one. */
  readonly answers?: readonly number[];
  /** Settings that win over the hardening. */
  readonly settings?: readonly string[];
  /** Whether a lock was found in the way once already. */
  readonly again?: boolean;
}

export interface GitAnswer {
  readonly code: number;
  /** File names are bytes, so output is too. */
  readonly stdout: Buffer;
  /** Free of secrets. */
  readonly stderr: string;
}

/**
 * Runs one git command; every git command of Huddle goes through here. It settles only when git and everything that
 * git has started (ssh, remote helpers) is gone, also after a time-out or an abort. Fails with what git's words mean;
 * the words themselves are in the deploy log by then.
 */
export async function runGit(
  repository: GitRepository,
  argv: readonly string[],
  options: GitOptions = {},
): Promise<GitAnswer> {
  const { place, signal, doing, remote } = repository;
  signal.throwIfAborted();
  if (options.input?.length === 0) throw new Error('git would wait for its input');
  const network = options.network === true;
  if (network) await isGit(repository);
  const isOwn = remote.origin === parseRemote(place.repository.remotePath).origin;
  const credentials = network && isOwn ? await readCredentials(place) : null;
  const { timeout } = place.repository;
  const isBrief = network || options.brief === true;
  const strike = redactor(place, credentials);
  const env = environment(repository, { ...options, credentials });
  const started = start(repository, [...hardening(place), ...(options.settings ?? []), ...argv], env, options);
  const result = await untilEnded(started, {
    place,
    signal,
    seconds: isBrief ? timeout : Math.max(timeout, localTimeout),
    timedOut: (seconds) =>
      new Failure('timeout', {
        doing,
        subject: network ? remote.address : repository.workTree,
        reason: `git ${argv[0]}: no end after ${seconds} s`,
        hint: `${network ? 'Check the network' : 'Look at its disk or mount'}, or raise repository.timeout.`,
      }),
  });
  faultPoint('git.end.after');
  const stderr = strike(result.stderr.toString());
  const { exitCode } = result;
  if (exitCode !== null && [0, ...(options.answers ?? [])].includes(exitCode))
    return { code: exitCode, stdout: result.stdout, stderr };
  if (options.again !== true && /\.lock': File exists/.test(stderr) && (await clearStaleLocks(repository)))
    return runGit(repository, argv, { ...options, again: true });
  place.log(`git ${argv[0]} ended with ${exitCode ?? 'a signal'}\n${stderr}`);
  const { executable } = place.repository;
  throw classify({ doing, subject: remote.address, stderr, exitCode, executable });
}

/** What works on this machine alone may take its time, but not for ever: a disk or a mount may hang. Seconds. */
const localTimeout = 600;

async function isGit(repository: GitRepository): Promise<void> {
  const { executable } = repository.place.repository;
  await mustBeFit(executable, repository.doing, async () => {
    const { stdout } = await runGit(repository, ['--version'], { nowhere: true, brief: true });
    return stdout.toString();
  });
}

interface Ended {
  /** null: it was killed. (simple-git's types do not know of it.) */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function start(
  repository: GitRepository,
  argv: readonly string[],
  env: Record<string, string>,
  { input }: GitOptions,
): Promise<Ended> {
  const { place } = repository;
  const [binary = 'git', ...rest] = [...place.runAs, here.gitProgram(place.repository.executable), ...argv];
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const simpleGit = await loadSimpleGit();
  const git = simpleGit({
    ...fixedOptions,
    binary,
    ...(input === undefined ? {} : { input: () => input }),
    errors: (_, { exitCode, stdOut, stdErr }) => {
      resolve({ exitCode, stdout: Buffer.concat(stdOut), stderr: Buffer.concat(stdErr) });
      return undefined;
    },
  });
  git.env(env);
  faultPoint('git.spawn.before');
  git.outputHandler((_, stdout) => {
    faultPoint('git.spawn.after');
    // simple-git keeps a command that prints nothing waiting for 50 ms more; an empty chunk is output enough.
    setImmediate(() => stdout.emit('data', Buffer.alloc(0)));
  });
  try {
    await git.raw(rest);
  } catch (thrown) {
    // A child without descriptors has no output, which simple-git takes for granted, and says so in these words.
    const isBare = thrown instanceof Error && /^TypeError: .* of undefined/.test(thrown.message);
    throw isBare ? refusedBy('EMFILE', repository.doing, binary) : thrown;
  }
  return promise;
}

// Of such a child simple-git hears nothing either, and what nobody hears ends a process.
subscribe('child_process', (message) => {
  (message as { readonly process: ChildProcess }).process.on('error', () => undefined);
});

const fixedOptions: Partial<SimpleGitOptions> = {
  // Never a folder that git could take for something: where it works, its environment says.
  baseDir: '/',
  maxConcurrentProcesses: 8,
  // A helper that stays behind (ssh's ControlPersist) holds git's output open for ever.
  completion: { onClose: true, onExit: 1000 },
  allowEnvironment: gitVariables,
  // simple-git guards against options from outside; these here are Huddle's own, and make git safer.
  unsafe: {
    allowUnsafeCustomBinary: true,
    allowUnsafeHooksPath: true,
    allowUnsafeFsMonitor: true,
    allowUnsafeSshCommand: true,
    allowUnsafeAskPass: true,
  },
};

let loading: Promise<SimpleGitFactory> | null = null;

/** One load at a time, as each of them changes the environment; one that failed is not kept. */
function loadSimpleGit(): Promise<SimpleGitFactory> {
  return (loading ??= withoutDebug());
}

/** simple-git prints whole environments, passwords included, where DEBUG is set while it loads. */
async function withoutDebug(): Promise<SimpleGitFactory> {
  const debug = process.env['DEBUG'];
  delete process.env['DEBUG'];
  try {
    return (await import('simple-git')).simpleGit;
  } catch (thrown) {
    // Without descriptors nothing can be loaded: the next command may find some.
    loading = null;
    throw thrown;
  } finally {
    if (debug !== undefined) process.env['DEBUG'] = debug;
  }
}
