import type { AppConfig, Watchdog } from './config.ts';
import type { Failure } from './failure.ts';

/** A full commit id: 40 hex digits (64 in a SHA-256 repository). */
export type Revision = string;

// ---------------------------------------------------------------------------------------------------------------
// What must survive a crash: the facts of one app, as its ledger holds them
// ---------------------------------------------------------------------------------------------------------------

export interface Facts {
  /** The newest revision that was accepted (or went live where nothing has to be accepted). */
  readonly good: Revision | null;
  /** The good revision before that: where a rollback goes. */
  readonly previous: Revision | null;
  /** What was last put in place, accepted or not. */
  readonly current: Revision | null;
  /** The name of the branch that was last followed. */
  readonly branch: string | null;
  /** Intent: the tree is being made equal to this revision; after a crash it must be restored first. */
  readonly pulling: Revision | null;
  readonly rejected: readonly Rejection[];
  /** While set, reaching the crash limit rolls back to `previous`. Milliseconds since the epoch. */
  readonly provingUntil: number | null;
  readonly paused: boolean;
  readonly pinned: boolean;
  readonly stopped: boolean;
}

export interface Rejection {
  readonly revision: Revision;
  readonly why: 'test failed' | 'script failed' | 'rolled back';
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** How often its test has failed: the wait until it is tested again doubles with it. */
  readonly times: number;
}

export const noFacts: Facts = {
  good: null,
  previous: null,
  current: null,
  branch: null,
  pulling: null,
  rejected: [],
  provingUntil: null,
  paused: false,
  pinned: false,
  stopped: false,
};

/** One line of an app's history: an attempt to deploy, and what came of it. */
export interface HistoryEntry {
  /** ISO 8601, when the attempt ended. */
  readonly at: string;
  readonly revision: Revision;
  readonly from: Revision | null;
  readonly result: 'deployed' | 'test failed' | 'script failed' | 'rolled back';
  readonly reason: string;
  /** Of the whole attempt. */
  readonly seconds: number;
  /** Seconds without the program; null where there was none to miss. */
  readonly downtime: number | null;
}

// ---------------------------------------------------------------------------------------------------------------
// The actor slots of an app: what a machine asks for, and what comes back. Every one may reject with a `Failure`,
// and ends its work (git and its children included) when its signal aborts, before it settles.
// ---------------------------------------------------------------------------------------------------------------

export interface Slot {
  readonly name: string;
  readonly config: AppConfig;
}

/** Gets the working copy: clones it, or opens the one that is there. */
export interface OpenInput extends Slot {
  /** With a good revision known no network is needed; without one the tip of the branch is wanted as well. */
  readonly want: 'place' | 'tip';
}
export interface Opened {
  /** What HEAD of the working copy is at; null in a fresh clone, whose tree is still empty. */
  readonly head: Revision | null;
  readonly branch: string;
  /** The remote's newest revision, fetched; null when only the place was wanted. */
  readonly tip: Revision | null;
}

/** Asks the remote where the branch is. */
export interface AskInput extends Slot {
  readonly branch: string;
}
export interface Asked {
  readonly tip: Revision;
  /** Another one than was asked for when the remote's default branch has been renamed and the config names none. */
  readonly branch: string;
}

/** Makes a revision available in the working copy's object store, submodules included. */
export interface FetchInput extends Slot {
  readonly branch: string;
  /** A commit id, or a name that an operator typed. */
  readonly revision: string;
  readonly from: Revision | null;
}
export interface Fetched {
  readonly revision: Revision;
  /** How many commits it is ahead of `from`; null where that is unknown (force-push, shallow history). */
  readonly commits: number | null;
  /** Names of who wrote them, each once, newest first, at most three. */
  readonly authors: readonly string[];
  /** The first line of the newest commit's message. */
  readonly subject: string;
}

/** Tests a revision in a clean checkout, apart from the working copy. */
export interface TestInput extends Slot {
  readonly branch: string;
  readonly revision: Revision;
}
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'pending'; readonly failure: Failure };

/** Runs the scripts of one hook, in order, in the working copy. */
export interface ScriptInput extends Slot {
  readonly hook: 'pre-pull' | 'post-pull';
  readonly revision: Revision;
}

/** Makes the working copy equal to a revision that has been fetched. */
export interface PullInput extends Slot {
  readonly revision: Revision;
  readonly branch: string;
}
export interface Pulled {
  /** Where what was in the way has been saved, if anything was. */
  readonly saved: SavedChanges | null;
}
export interface SavedChanges {
  /** `refs/huddle/saved/…` */
  readonly ref: string;
  readonly files: number;
}

/** One look at the health of a program; resolves when healthy. */
export interface ProbeInput extends Slot {
  readonly revision: Revision;
  readonly watchdog: Watchdog;
}

// ---------------------------------------------------------------------------------------------------------------
// One operating-system process
// ---------------------------------------------------------------------------------------------------------------

/** What to start, and under which name it is found again. */
export interface ProcessInput {
  readonly name: string;
  readonly revision: Revision;
  readonly config: AppConfig;
}

/** From the process slot to its machine. */
export type ProcessReport =
  /** `adopted`: it was running already, started by an earlier Huddle. */
  | { readonly type: 'process.spawned'; readonly pid: number; readonly at: number; readonly adopted?: boolean }
  | { readonly type: 'process.exited'; readonly exit: Exit; readonly at: number }
  | { readonly type: 'process.failed'; readonly failure: Failure; readonly at: number };

/** How a process ended; exactly one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What ends a tree: everything that the program has started. Resolves when none of it is left. */
export interface TreeInput extends ProcessInput {
  /** null while it could not be spawned. */
  readonly pid: number | null;
}

/** What a process machine ends with. */
export interface ProcessOutput {
  readonly exit: Exit | null;
  readonly failure: Failure | null;
  /** Milliseconds that it was up. */
  readonly ran: number;
}

// ---------------------------------------------------------------------------------------------------------------
// A program, as its app and its user see it
// ---------------------------------------------------------------------------------------------------------------

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
  failure: null,
};

/** To the program. */
export type ProgramCommand =
  /** Run this revision, and say whether it is accepted. */
  | { readonly type: 'start'; readonly revision: Revision; readonly config: AppConfig }
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

/**
 * What an app tells about itself, for the log and the events: what happened, and why. The words for it are in
 * `src/control/prose.ts`.
 */
export type News =
  | ProgramNews
  | { readonly type: 'cloning' }
  | { readonly type: 'cloned'; readonly branch: string; readonly tip: Revision | null }
  | { readonly type: 'booting'; readonly revision: Revision }
  | { readonly type: 'restoring'; readonly revision: Revision; readonly reason: string }
  | {
      readonly type: 'moved';
      readonly branch: string;
      readonly from: Revision | null;
      readonly to: Revision;
      readonly commits: number | null;
      readonly authors: readonly string[];
      readonly subject: string;
    }
  | { readonly type: 'unmoved'; readonly branch: string; readonly revision: Revision }
  | { readonly type: 'still rejected'; readonly branch: string; readonly revision: Revision }
  | { readonly type: 'testing'; readonly revision: Revision }
  | { readonly type: 'test passed'; readonly revision: Revision; readonly seconds: number }
  | { readonly type: 'test pending'; readonly revision: Revision; readonly failure: Failure }
  | { readonly type: 'rejected'; readonly revision: Revision; readonly failure: Failure }
  | { readonly type: 'saved'; readonly changes: SavedChanges }
  | {
      readonly type: 'deployed';
      readonly revision: Revision;
      readonly from: Revision | null;
      readonly seconds: number;
      readonly downtime: number | null;
    }
  | { readonly type: 'rolling back'; readonly revision: Revision; readonly to: Revision; readonly failure: Failure }
  | { readonly type: 'kept'; readonly revision: Revision; readonly failure: Failure }
  /** An attempt failed; `retryIn` seconds until the next one, null where an operator has to act. */
  | { readonly type: 'failed'; readonly failure: Failure; readonly retryIn: number | null }
  | { readonly type: 'recovered' }
  | { readonly type: 'config changed'; readonly sections: readonly string[] }
  | { readonly type: 'stopping'; readonly reason: 'operator' | 'config file gone' | 'shutdown' }
  | { readonly type: 'stopped' }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' };

/** What a program tells about itself. */
export type ProgramNews =
  | { readonly type: 'program taken over'; readonly pid: number; readonly revision: Revision }
  | { readonly type: 'program up'; readonly pid: number; readonly revision: Revision }
  | { readonly type: 'program exited'; readonly exit: Exit; readonly ran: number; readonly retryIn: number | null }
  | { readonly type: 'program not started'; readonly failure: Failure; readonly retryIn: number | null }
  | { readonly type: 'program given up'; readonly failure: Failure; readonly retryIn: number | null }
  | { readonly type: 'probe failed'; readonly failure: Failure }
  | { readonly type: 'unhealthy'; readonly failure: Failure }
  | { readonly type: 'stuck'; readonly failure: Failure };

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
