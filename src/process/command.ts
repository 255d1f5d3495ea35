import { fstatSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import type { Command } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import type { Exit } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { inCgroup } from './cgroup.ts';
import { endByForce } from './end.ts';
import { cannotStart, launchOf } from './executable.ts';
import { identifyChild } from './identity.ts';
import { markVariable } from './mark.ts';
import { type Tree, treeOf } from './tree.ts';
import type { RunAs } from './user.ts';

/** A command that is run once: a test, a script, a probe, a stop command. */
export interface CommandInput {
  /** For messages: 'running the test'. */
  readonly doing: string;
  readonly command: Command;
  /** The real path of the folder that it runs in. */
  readonly directory: string;
  /** The whole of it, but for the mark: see `commandEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly runAs: RunAs;
  /** A mark of its own, by which all that it starts is found. */
  readonly mark: string;
  /** A descriptor that its output is appended to, open for reading as well (`a+`); null throws it away. */
  readonly log: number | null;
  /** Seconds; null: no limit. */
  readonly timeout: number | null;
  /** Ends it and all that it has started. */
  readonly signal: AbortSignal;
  /** Whether what it leaves behind is ended too. */
  readonly sweep: boolean;
}

/** What came of a command. */
export interface CommandResult {
  readonly exit: Exit;
  /** The end of its output, at most 4 kB; empty without a log. Never shown: it may hold anything. */
  readonly tail: string;
}

/**
 * Runs a command to its exit; whoever holds its output open after that is not waited for. Throws `command-not-found` and
 * `timeout`, and the signal's reason when that aborts: in both cases all that it has started is gone by then, and
 * with `sweep` after every exit.
 */
export async function runCommand(input: CommandInput): Promise<CommandResult> {
  input.signal.throwIfAborted();
  const before = sizeOf(input.log);
  const running = await start(input);
  const stopped = await Promise.race([running.exit, limits(input, running.exit)]);
  faultPoint('command.end.after');
  if (stopped === 'timeout' || stopped === 'aborted') {
    await kill(running.tree, input);
    input.signal.throwIfAborted();
    throw tooSlow(input, `no end after ${input.timeout} s`);
  }
  if (input.sweep) await kill(running.tree, input);
  return { exit: stopped, tail: tailOf(input.log, before) };
}

interface Running {
  readonly tree: Tree | null;
  /** Rejects with a `Failure` when it could not be started. */
  readonly exit: Promise<Exit>;
}

/** execa is loaded by the first command: 15 MB of memory that a Huddle without tests and scripts does without. */
async function start(input: CommandInput): Promise<Running> {
  const { doing, command, directory, environment, runAs, mark, log, sweep, signal } = input;
  const { execa } = await import('execa');
  signal.throwIfAborted();
  const { argv, isVerbatim } = launchOf(command, { directory, environment, doing });
  const whole = [...runAs.prefix, ...argv];
  const [file = '', ...args] = sweep ? inCgroup(mark, whole) : whole;
  // Any descriptor works; execa's types name only the first few.
  const output = (log ?? 'ignore') as 3 | 'ignore';
  faultPoint('command.spawn.before');
  const child = execa(file, args, {
    cwd: directory,
    env: { ...environment, [markVariable]: mark },
    extendEnv: false,
    stdin: 'ignore',
    stdout: output,
    stderr: output,
    detached: here.detachesCommands,
    windowsVerbatimArguments: isVerbatim,
    windowsHide: true,
    reject: false,
  });
  faultPoint('command.spawn.after');
  const exit = child.then((result): Exit => {
    if (result.exitCode !== undefined) return { code: result.exitCode, signal: null };
    if (result.signal !== undefined) return { code: null, signal: result.signal };
    throw cannotStart(result.cause, argv[0] ?? '', doing);
  });
  const tree = child.pid === undefined ? null : treeOf({ ...identifyChild(child.pid), mark }, null, exit);
  return { tree, exit };
}

/** What a timer of Node can be set to, in milliseconds; more would end at once. */
const longestTimer = 2 ** 31 - 1;

/** Which limit is reached first; never settles when the command ends before. */
function limits({ timeout, signal }: CommandInput, exit: Promise<Exit>): Promise<'timeout' | 'aborted'> {
  return new Promise((resolve) => {
    const onAbort = () => resolve('aborted');
    const timer =
      timeout === null ? undefined : setTimeout(() => resolve('timeout'), Math.min(timeout * 1000, longestTimer));
    signal.addEventListener('abort', onAbort, { once: true });
    const forget = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    exit.then(forget, forget);
  });
}

/** Seconds until a process that does not heed SIGKILL is given up on. */
const stuckAfter = 30;

async function kill(tree: Tree | null, input: CommandInput): Promise<void> {
  if (tree === null) return;
  const patience = AbortSignal.timeout(stuckAfter * 1000);
  try {
    await endByForce(tree, patience);
  } catch (thrown) {
    if (patience.aborted) throw tooSlow(input, `some of it cannot be killed, ${stuckAfter} s long`);
    throw thrown;
  }
}

function tooSlow({ doing, command }: CommandInput, reason: string): Failure {
  const hint = 'Its output is in deploy.log (huddle logs --deploy). Give it a longer timeout if it is only slow.';
  return new Failure('timeout', { doing, subject: nameOf(command), reason, hint });
}

/** A command as it is named in messages. */
export function nameOf(command: Command): string {
  return typeof command === 'string' ? command : command.join(' ');
}

/** How a process ended, in words: `exit code 2`, `ended by SIGKILL`. */
export function inWords({ code, signal }: Exit): string {
  return code === null ? `ended by ${signal}` : `exit code ${code}`;
}

/** The signal that ended a command: its own, or the one of which its shell tells by an exit code of 128 and more. */
export function signalOf({ code, signal }: Exit): string | null {
  if (code === null || code <= 128) return signal;
  const number = code - 128;
  return Object.entries(constants.signals).find(([, each]) => each === number)?.[0] ?? null;
}

function sizeOf(log: number | null): number {
  return log === null ? 0 : fstatSync(log).size;
}

function tailOf(log: number | null, before: number): string {
  if (log === null) return '';
  const size = sizeOf(log);
  const start = Math.max(size < before ? 0 : before, size - 4096); // Smaller: it was rotated meanwhile.
  const tail = Buffer.alloc(size - start);
  return tail.toString('utf8', 0, readSync(log, tail, 0, tail.length, start));
}
