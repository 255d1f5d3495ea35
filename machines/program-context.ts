import type { AppConfig } from './config.ts';
import { asFailure, Failure } from './failure.ts';
import { crashDelay } from './policy.ts';
import type { ProcessNotice } from './process.ts';
import type { Revision } from './facts.ts';
import type { ProgramNews } from './news.ts';
import type { Health, ProgramCommand, ProgramState, ProgramStatus, Side, WatchdogReport } from './protocol.ts';
import type { ProcessOutput } from './slots.ts';

// What a program's machine knows, and what it says of it: plain functions for program.ts.

/** Why an instance is ending: by itself, or for one of these reasons. */
export type Ending = 'by itself' | 'stop' | 'restart' | 'sick';

/** What a program's machine knows. */
export interface ProgramContext {
  readonly name: string;
  readonly side: Side;
  config: AppConfig;
  revision: Revision | null;
  pid: number | null;
  since: number | null;
  /** Its process was started by an earlier Huddle. */
  adopted: boolean;
  health: Health;
  /** Why it is not up, or not healthy. */
  failure: Failure | null;
  ending: Ending;
  /** What the last instance came to. */
  last: ProcessOutput | null;
  /** In a row: since it was last up for a whole crash window. */
  exits: number;
  /** Starts in a row that the machine has kept from happening. */
  hindrances: number;
  restarts: number;
  verdict: ProgramStatus['verdict'];
  /** It was given up, and has not been up since. */
  isGivenUp: boolean;
}

export type ProgramEvent = ProgramCommand | ProcessNotice | WatchdogReport;

/** What an action is given. */
export interface Moment {
  readonly context: ProgramContext;
  readonly event: ProgramEvent;
}

export function statusOf(context: ProgramContext, state: ProgramState): ProgramStatus {
  const { revision, pid, since, restarts, adopted, health, verdict, failure } = context;
  return { state, revision, pid, since, restarts, adopted, health, verdict, failure };
}

/** Exit 0 where the config does not want it up for ever. */
export function isJobDone({ ending, last, config }: ProgramContext): boolean {
  return ending === 'by itself' && last?.exit?.code === 0 && config.application.restart !== 'always';
}

/** An exit that the config does not want answered; what the watchdog has ended is started again all the same. */
export function isLeftDown({ ending, config }: ProgramContext): boolean {
  return ending === 'by itself' && config.application.restart === 'never';
}

export function isAtLimit({ exits, config }: ProgramContext): boolean {
  return exits >= config.application.crashLimit;
}

/**
 * It was not started for a reason that is neither the program's nor the revision's: no processes or descriptors are left,
 * or its working copy is away. Nothing is held against them, and it is tried until it goes.
 */
export function isHindered({ last, config }: ProgramContext): boolean {
  if (!last?.failure) return false;
  const { code, subject } = last.failure;
  return code === 'limit-reached' || (code === 'directory-missing' && subject === config.repository.localPath);
}

/** What made the last instance end, as the reason why there is none. */
export function endingFailure({ ending, failure, last, config }: ProgramContext): Failure {
  if (ending === 'sick' && failure !== null) return failure;
  if (last?.failure) return last.failure;
  return new Failure('not-accepted', {
    doing: 'running',
    subject: commandLine(config),
    reason: `it ended with ${exitText(last)}`,
    hint: 'Its own output is in logs/app.log.',
  });
}

export function upNews({ context: { pid, revision } }: Moment): ProgramNews {
  return {
    type: 'program up',
    pid: pid ?? 0,
    revision: revision ?? '',
  };
}

export function takenOverNews({ context: { pid, revision } }: Moment): ProgramNews {
  return { type: 'program taken over', pid: pid ?? 0, revision: revision ?? '' };
}

export function recoveredNews({ context: { isGivenUp, pid, revision } }: Moment): ProgramNews | null {
  return isGivenUp ? { type: 'program recovered', pid: pid ?? 0, revision: revision ?? '' } : null;
}

export function missedNews({ event }: Moment): ProgramNews {
  return { type: 'probe failed', failure: failureOf(event) };
}

export function sickNews({ context }: Moment): ProgramNews {
  return { type: 'unhealthy', failure: asFailure(context.failure) };
}

export function stuckNews({ event }: Moment): ProgramNews {
  return { type: 'stuck', failure: failureOf(event) };
}

export function givenUpNews({ context }: Moment): ProgramNews {
  return { type: 'program given up', failure: crashLimit(context) };
}

function failureOf(event: ProgramEvent): Failure {
  return asFailure('failure' in event ? event.failure : new Error(`${event.type} tells no failure`));
}

export function endingNews({ context }: Moment): ProgramNews {
  const { last, ending, failure } = context;
  const retryIn = nextStart(context);
  if (ending === 'sick' && failure !== null) return { type: 'program not started', failure, retryIn };
  if (last?.failure) return { type: 'program not started', failure: last.failure, retryIn };
  return {
    type: 'program exited',
    exit: last?.exit ?? { code: null, signal: null },
    ran: (last?.ran ?? 0) / 1000,
    retryIn,
  };
}

/** Seconds until it starts again by itself; null: it does not. (One that is given up tells of that instead.) */
function nextStart(context: ProgramContext): number | null {
  if (!isHindered(context) && (isJobDone(context) || isLeftDown(context))) return null;
  return restartDelay(context) / 1000;
}

/** Milliseconds until it starts again by itself; a revision that is refused waits, so that its app may stop it first. */
export function restartDelay(context: ProgramContext): number {
  const { exits, verdict, hindrances } = context;
  if (isHindered(context)) return crashDelay(hindrances + 1);
  return crashDelay(verdict === 'refused' ? Math.max(2, exits) : exits);
}

export function notReady({ config, failure }: ProgramContext): Failure {
  const why = failure === null ? null : origin(failure);
  return new Failure('not-accepted', {
    doing: 'waiting for',
    subject: commandLine(config),
    reason: `not healthy within ${config.application.readyTimeout} s${why === null ? '' : `: ${why.reason}`}`,
    hint: 'Its own output is in logs/app.log; application.ready timeout says how long it may take.',
    ...(why === null ? {} : { cause: why }),
  });
}

/** What came first: a failure is known until there is a success, and is not to be told within its own sequel. */
function origin(failure: Failure): Failure {
  return failure.cause instanceof Failure ? origin(failure.cause) : failure;
}

export function notAccepted({ failure, config, exits }: ProgramContext): Failure {
  return new Failure('not-accepted', {
    doing: 'accepting',
    subject: commandLine(config),
    reason: failure?.reason ?? `${exits} exits before it had settled`,
    hint: failure?.hint ?? '',
    ...(failure === null ? {} : { cause: failure }),
  });
}

export function crashLimit({ config, exits, failure }: ProgramContext): Failure {
  const { retry } = config.application;
  return new Failure('crash-limit', {
    doing: 'keeping up',
    subject: commandLine(config),
    reason: `given up after ${exits} ${exits === 1 ? 'exit' : 'exits'}${failure === null || failure.code === 'crash-limit' ? '' : `; the last: ${failure.reason}`}`,
    ...(failure === null ? {} : { cause: failure }),
    hint: `Its own output is in logs/app.log. ${retry === 0 ? 'A restart or the next revision starts it again.' : `It is tried again every ${retry} s, and at the next revision.`}`,
  });
}

function exitText(last: ProcessOutput | null): string {
  if (last?.exit?.signal) return `signal ${last.exit.signal}`;
  return `exit code ${last?.exit?.code ?? 'unknown'}`;
}

function commandLine(config: AppConfig): string {
  const { start } = config.application;
  return start === null ? 'no program' : typeof start === 'string' ? start : start.join(' ');
}
