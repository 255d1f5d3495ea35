import type { AppConfig } from './config.ts';
import type { Facts, Revision } from './facts.ts';
import type { Failure } from './failure.ts';

// ---------------------------------------------------------------------------------------------------------------
// A program, as its app and its user see it
// ---------------------------------------------------------------------------------------------------------------

/** The two programs of an app: in place there is only the first. */
export type Side = 'blue' | 'green';

export function otherSide(side: Side): Side {
  return side === 'blue' ? 'green' : 'blue';
}

export type ProgramState = 'starting' | 'up' | 'backing off' | 'stopping' | 'down' | 'given up';
export type Health = 'healthy' | 'unhealthy' | 'unknown';

export interface ProgramStatus {
  readonly state: ProgramState;
  readonly revision: Revision | null;
  readonly pid: number | null;
  /** When the process was spawned; milliseconds since the epoch. */
  readonly since: number | null;
  /** Crashes, watchdog and operator restarts; deployments do not count. */
  readonly restarts: number;
  readonly adopted: boolean;
  readonly health: Health;
  /** On its last start, by its app or its operator. */
  readonly verdict: 'none' | 'accepted' | 'refused';
  /** Why it is not up, where it is not. */
  readonly failure: Failure | null;
}

export const noProgram: ProgramStatus = {
  state: 'down',
  revision: null,
  pid: null,
  since: null,
  restarts: 0,
  adopted: false,
  health: 'unknown',
  verdict: 'none',
  failure: null,
};

/** To the program. */
export type ProgramCommand =
  /** Run this revision, and say whether it is accepted; `recovers`: whether another program that was given up is to recover by it. */
  | { readonly type: 'start'; readonly revision: Revision; readonly config: AppConfig; readonly recovers?: boolean }
  | { readonly type: 'stop' }
  /** What the second SIGTERM does: no more waiting. */
  | { readonly type: 'kill' }
  | { readonly type: 'restart' }
  /** Its app's actor has failed: let go of the process, which the next life of the app takes over. */
  | { readonly type: 'abandon' }
  /** Another `application` section: the process is replaced. */
  | { readonly type: 'replace'; readonly config: AppConfig }
  /** Another `watchdog` or `logs` section: the process is left alone. */
  | { readonly type: 'configure'; readonly config: AppConfig };

/** From the program to its app. */
export type ProgramReport =
  | { readonly type: 'program.changed'; readonly status: ProgramStatus }
  /** Nothing of it runs any more, and nothing will until the next `start`. */
  | { readonly type: 'program.down' }
  /** It has a process: live, though not yet accepted. */
  | { readonly type: 'program.live'; readonly at: number }
  | { readonly type: 'program.accepted' }
  /** Not accepted; the program goes on trying until it is told to stop. */
  | { readonly type: 'program.refused'; readonly failure: Failure }
  | { readonly type: 'program.gaveUp'; readonly failure: Failure }
  /** Its processes could not be killed for 30 seconds. */
  | { readonly type: 'program.stuck'; readonly failure: Failure };

/** How a report reaches the app, which may have two programs. */
export interface ProgramTold {
  readonly type: 'program.told';
  readonly by: Side;
  readonly report: ProgramReport;
}

/** What the program says that does not lead: on trial beside the one that does, or on its way out. */
export type OtherReport =
  | { readonly type: 'other.live'; readonly at: number }
  | { readonly type: 'other.accepted' }
  | { readonly type: 'other.refused'; readonly failure: Failure }
  | { readonly type: 'other.stuck'; readonly failure: Failure };

/** From the watchdog to its program. */
export type WatchdogReport =
  | { readonly type: 'watchdog.healthy' }
  /** One failed probe; the program may live on. */
  | { readonly type: 'watchdog.missed'; readonly failure: Failure }
  /** As many in a row as the config allows. */
  | { readonly type: 'watchdog.unhealthy'; readonly failure: Failure };

// ---------------------------------------------------------------------------------------------------------------
// An app
// ---------------------------------------------------------------------------------------------------------------

export type AppState =
  | 'cloning'
  | 'testing'
  | 'running'
  | 'checking'
  | 'stopping'
  | 'pulling'
  | 'restarting'
  | 'waiting'
  | 'stopped';

/** To an app: from its operator, its config file, the root. */
export type AppCommand =
  | { readonly type: 'check' }
  | { readonly type: 'restart' }
  | { readonly type: 'stop' }
  | { readonly type: 'start' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** Without a revision: the newest one. */
  | { readonly type: 'deploy'; readonly revision: string | null }
  | { readonly type: 'rollback' }
  | { readonly type: 'config'; readonly config: AppConfig }
  /** The config file is gone. */
  | { readonly type: 'retire' }
  | { readonly type: 'shutdown' }
  | { readonly type: 'kill' }
  /** Leave, and leave the program running. */
  | { readonly type: 'detach' };

/** Time and chance, given to a machine so that a test can move them by hand. */
export interface World {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

export interface AppInput extends World {
  readonly name: string;
  readonly config: AppConfig;
  readonly facts: Facts;
}

/** What an operator may ask of an app. */
export type Order = Extract<
  AppCommand,
  { type: 'check' | 'restart' | 'stop' | 'start' | 'pause' | 'resume' | 'deploy' | 'rollback' }
>;

/** What is being done while an order is carried out. */
export const doing: Readonly<Record<Order['type'], string>> = {
  check: 'checking',
  restart: 'restarting',
  stop: 'stopping',
  start: 'starting',
  pause: 'pausing',
  resume: 'resuming',
  deploy: 'deploying',
  rollback: 'rolling back',
};

// ---------------------------------------------------------------------------------------------------------------
// The root
// ---------------------------------------------------------------------------------------------------------------

/** What the folder says: from the watcher of DIR to the root. `file` is the file's name inside DIR. */
export type FolderReport =
  | { readonly type: 'config.put'; readonly file: string; readonly name: string; readonly config: AppConfig }
  /** Unreadable, half-written or invalid; an app that runs from it runs on. */
  | { readonly type: 'config.broken'; readonly file: string; readonly name: string; readonly failure: Failure }
  /** Away for two seconds, with the folder still there. */
  | { readonly type: 'config.removed'; readonly file: string }
  /** Every file that was there at the start has been told. */
  | { readonly type: 'config.read' };

export type RootCommand =
  | { readonly type: 'check all' }
  | { readonly type: 'shutdown' }
  | { readonly type: 'kill' }
  | { readonly type: 'detach' };
