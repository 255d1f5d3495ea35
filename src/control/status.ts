import type { Failure, FailureCode } from '../../machines/failure.ts';
import type { Facts } from '../../machines/facts.ts';
import type { AppState, Health, ProgramState, ProgramStatus } from '../../machines/protocol.ts';

/** One app as `status --json` and the control API show it: a promise to users (CONTRACT.md, 'Command line'). */
export interface AppStatus {
  readonly name: string;
  readonly state: AppState;
  readonly paused: boolean;
  readonly pinned: boolean;
  readonly branch: string | null;
  /** What is in place, accepted or not. */
  readonly revision: string | null;
  /** The good revision before: where a rollback goes. */
  readonly previous: string | null;
  readonly rejected: readonly string[];
  readonly program: {
    readonly state: ProgramState;
    readonly pid: number | null;
    /** ISO 8601. */
    readonly since: string | null;
    /** Crashes, watchdog and operator restarts; deployments do not count. */
    readonly restarts: number;
    readonly adopted: boolean;
  };
  readonly health: Health;
  /** ISO 8601. */
  readonly nextCheck: string | null;
  readonly error: StatusError | null;
  /** A second program beside it, only while there is one: a release on trial, or one on its way out. */
  readonly beside?: {
    readonly revision: string | null;
    readonly state: ProgramState;
    readonly pid: number | null;
  };
}

export interface StatusError {
  readonly code: FailureCode;
  readonly message: string;
  readonly hint: string;
}

/** What an app knows of itself, to be filled from its actor's snapshot. */
export interface AppView {
  readonly name: string;
  readonly state: AppState;
  readonly paused: boolean;
  readonly pinned: boolean;
  readonly branch: string | null;
  readonly facts: Pick<Facts, 'current' | 'previous' | 'rejected'>;
  readonly program: ProgramStatus;
  /** Of what has led before. */
  readonly earlierRestarts: number;
  /** The one that does not lead. */
  readonly other: ProgramStatus;
  /** Milliseconds since the epoch. */
  readonly nextCheck: number | null;
  /** Why the last attempt failed, until one succeeds. */
  readonly failure: Failure | null;
  /** What is wrong with the config file as it is now, though the app may run on with its last good config. */
  readonly configFailure: Failure | null;
}

/**
 * An app as its users see it. There is room for one error: a broken file comes first, as whoever has just edited it
 * looks here, then what stands in the way of deploying, then why the program is not up.
 */
export function toStatus(view: AppView): AppStatus {
  const { name, state, paused, pinned, branch, facts, program, other } = view;
  return {
    name,
    state,
    paused,
    pinned,
    branch,
    revision: facts.current,
    previous: facts.previous,
    rejected: facts.rejected.map(({ revision }) => revision),
    program: {
      state: program.state,
      pid: program.pid,
      since: isoTime(program.since),
      restarts: program.restarts + view.earlierRestarts,
      adopted: program.adopted,
    },
    health: program.health,
    nextCheck: isoTime(view.nextCheck),
    error: toError(view.configFailure ?? view.failure ?? program.failure),
    ...(other.state !== 'down' && { beside: { revision: other.revision, state: other.state, pid: other.pid } }),
  };
}

function isoTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

function toError(failure: Failure | null): StatusError | null {
  return failure && { code: failure.code, message: failure.message, hint: failure.hint };
}
