import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { asFailure, Failure } from '../../machines/failure.ts';
import type { Instance, ProcessReport } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { refusal } from '../ledger/paths.ts';
import { inCgroup } from './cgroup.ts';
import { type Environment, programEnvironment } from './environment.ts';
import { cannotStart, launchOf } from './executable.ts';
import { identifyChild } from './identity.ts';
import { markVariable } from './mark.ts';
import { type Sockets, socketsEnvironment, withSockets } from './sockets.ts';
import { castSpare, keepSpare, type Role } from './spare.ts';
import type { StopCommand } from './stop.ts';
import { type Tree, treeOf } from './tree.ts';
import { type RunAs, runAs } from './user.ts';

/** What to start, by which mark it is found again, and where its output goes. */
export interface ProgramInput extends Instance {
  readonly mark: string;
  /** The real path of the app's log. */
  readonly log: string;
  /** Opens it for appending; without an owner it belongs to Huddle's own user. */
  readonly openLog: (path: string, owner?: { readonly uid: number; readonly gid: number }) => number;
  /** What `application.listen` has had opened; not given, or null: nothing. */
  readonly sockets?: Sockets | null;
  /** Whether it has been started before exactly like this, so that it is known to be executable. */
  readonly isKnown?: boolean;
}

/** A program that was started, or could not be. */
export interface RunningProgram {
  /** null: it could not be started, as a report tells. */
  readonly tree: Tree | null;
  /** Set when the log could not be opened: the program runs all the same, and its output is lost. */
  readonly warning: Failure | null;
  /** No more reports, and nothing that keeps Huddle from ending: for a Huddle that leaves its programs running. */
  readonly leave: () => void;
}

/** Where a program and what speaks to it run, and as whom. */
export interface Surroundings {
  readonly directory: string;
  readonly environment: Environment;
  readonly runAs: RunAs;
}

/**
 * Starts an app's program, in a session of its own, reading nothing and writing to its log itself, so that it outlives
 * Huddle. Synchronous: when it returns the program is there. What becomes of it is reported after that, in this order:
 * `process.spawned` and then, once, `process.exited`; or only `process.failed`.
 */
export function startProgram(input: ProgramInput, report: (report: ProcessReport) => void): RunningProgram {
  let isLeft = false;
  const tell = (fact: ProcessReport): void => {
    if (!isLeft) report(fact);
  };
  try {
    const { child, warning } = spawnInto(input);
    const left = () => {
      isLeft = true;
      child.unref();
    };
    return { tree: follow(child, input, tell), warning, leave: left };
  } catch (thrown) {
    const failed = { type: 'process.failed', failure: asFailure(thrown), at: Date.now() } as const;
    queueMicrotask(() => tell(failed));
    return { tree: null, warning: null, leave: () => {} };
  }
}

/**
 * Where the program of an app runs, and as whom. Throws `directory-missing`, `user-unknown`, `not-supported` (not root)
 * and `config-invalid` (environment file).
 */
export function surroundingsOf(input: Instance): Surroundings {
  const as = runAs(input.config.application.user);
  const directory = directoryOf(input.config.repository.localPath, input.config.application.directory);
  return { directory, environment: { ...programEnvironment(input, as), PWD: directory }, runAs: as };
}

/** The program's stop command, to be run with its mark; null where there is none. Throws as `surroundingsOf`. */
export function stopCommandOf(
  input: Instance & { readonly mark: string; readonly log: number | null },
): StopCommand | null {
  const command = input.config.application.stopCommand;
  if (command === null) return null;
  // Its mark is the program's with a tail: it is found with all that is the app's, but it is no part of what it stops.
  return { command, ...surroundingsOf(input), mark: `${input.mark}-stop`, log: input.log };
}

/** A folder inside the working copy, wherever its symlinks lead. Throws `directory-missing`. */
function directoryOf(localPath: string, directory: string): string {
  const parts = { doing: 'entering', subject: join(localPath, directory) };
  const hint = 'Correct application.directory, or put the folder into the repository.';
  const top = realOf(localPath, {
    doing: parts.doing,
    subject: localPath,
    hint: 'It is cloned again at the next check.',
  });
  const real = realOf(parts.subject, { ...parts, hint });
  const isInside = real === top || real.startsWith(top.endsWith(sep) ? top : top + sep);
  if (!isInside) {
    throw new Failure('directory-missing', { ...parts, reason: 'it leads out of the working copy', hint });
  }
  if (!statSync(real).isDirectory()) {
    throw new Failure('directory-missing', { ...parts, reason: 'it is not a folder', hint });
  }
  return real;
}

function realOf(path: string, parts: { doing: string; subject: string; hint: string }): string {
  try {
    return realpathSync.native(path);
  } catch (thrown) {
    throw new Failure('directory-missing', { ...parts, reason: refusal(thrown), cause: thrown });
  }
}

function spawnInto(input: ProgramInput): { child: ChildProcess; warning: Failure | null } {
  const { start } = input.config.application;
  if (start === null) throw new Error(`${input.name} has no program to start`);
  const { directory, environment, runAs: as } = surroundingsOf(input);
  const { argv, isVerbatim } = launchOf(start, { directory, environment, doing: 'starting' });
  const sockets = input.sockets ?? null;
  const role: Role = {
    argv: inCgroup(input.mark, [...as.prefix, ...withSockets(argv, sockets)]),
    directory,
    environment: { ...environment, ...socketsEnvironment(sockets), [markVariable]: input.mark },
  };
  const output = openOutput(input, as);
  try {
    faultPoint('program.spawn.before');
    const isForSpare = input.isKnown === true && sockets === null && output.to !== 'ignore';
    const child = (isForSpare ? castSpare(role, input.log) : null) ?? spawnAs(role, output.to, { sockets, isVerbatim });
    faultPoint('program.spawn.after');
    keepSpare(input.mark);
    return { child, warning: output.warning };
  } catch (thrown) {
    throw cannotStart(thrown, argv[0] ?? '', 'starting');
  } finally {
    if (output.to !== 'ignore') closeSync(output.to);
  }
}

function spawnAs(
  { argv: [file = '', ...args], directory, environment }: Role,
  output: number | 'ignore',
  { sockets, isVerbatim }: { readonly sockets: Sockets | null; readonly isVerbatim: boolean },
): ChildProcess {
  return spawn(file, args, {
    cwd: directory,
    env: environment,
    detached: true,
    windowsVerbatimArguments: isVerbatim,
    windowsHide: true,
    stdio: ['ignore', output, output, ...(sockets?.descriptors.map(({ fd }) => fd) ?? [])],
  });
}

/** A log that cannot be opened (a full disk) is no reason not to serve. */
function openOutput({ log, openLog }: ProgramInput, { uid, gid }: RunAs) {
  try {
    return { to: uid === null || gid === null ? openLog(log) : openLog(log, { uid, gid }), warning: null };
  } catch (thrown) {
    return { to: 'ignore' as const, warning: asFailure(thrown) };
  }
}

function follow(child: ChildProcess, { mark, log }: ProgramInput, tell: (fact: ProcessReport) => void): Tree | null {
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', (error) => {
      tell({ type: 'process.failed', failure: cannotStart(error, child.spawnfile, 'starting'), at: Date.now() });
    });
    return null;
  }
  const at = Date.now();
  queueMicrotask(() => tell({ type: 'process.spawned', pid, at }));
  const reaped = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve();
      tell({ type: 'process.exited', exit: { code, signal }, at: Date.now() });
    });
  });
  child.on('error', () => {}); // Only of sending it a message or a signal, which nobody does through this handle.
  return treeOf({ ...identifyChild(pid), mark }, log, reaped);
}
