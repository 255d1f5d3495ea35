/** A full commit id: 40 hex digits (64 in a SHA-256 repository). */
export type Revision = string;

/** What must survive a crash: the facts of one app, as its ledger holds them. */
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
  /** The attempt that is changing what runs; who finds it after a crash has to end it, and to tell the history. */
  readonly deploying: Deploying | null;
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
  deploying: null,
  rejected: [],
  provingUntil: null,
  paused: false,
  pinned: false,
  stopped: false,
};

/** What the history will tell of an attempt, as far as it has come. */
export interface Deploying extends Pick<HistoryEntry, 'revision' | 'from' | 'result' | 'reason'> {
  /** Milliseconds since the epoch. */
  readonly began: number;
}

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
  /** Seconds without the program; null where there was none to miss, or nobody to measure it. */
  readonly downtime: number | null;
}
