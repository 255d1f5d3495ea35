import type { AppConfig, Watchdog } from './config.ts';
import type { Revision } from './facts.ts';
import type { Failure } from './failure.ts';
import type { Side } from './protocol.ts';

// The actor slots: what a machine asks for, and what comes back. Every promise may reject with a `Failure`, and ends its
// work (git and its children included) when its signal aborts, before it settles.

// -- of an app

export interface Slot {
  readonly name: string;
  readonly config: AppConfig;
}

/** Gets the working copy: clones it, or opens the one that is there. */
export interface OpenInput extends Slot {
  /** With a good revision known no network is needed; without one the tip of the branch is wanted as well. */
  readonly want: 'place' | 'tip';
  /** What the program runs on here: where the working copy has vanished under it, this is put back. */
  readonly running: Revision | null;
}
export interface Opened {
  /** What HEAD of the working copy is at; null in a fresh clone, whose tree is still empty. */
  readonly head: Revision | null;
  /** Where the tree of that is: the local path or, side by side, a release's folder. */
  readonly directory: string;
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
  /** The tree that they are for; null: the local path. */
  readonly directory: string | null;
  readonly hook: 'pre-pull' | 'post-pull';
  readonly revision: Revision;
}

/** Makes the working copy equal to a revision that has been fetched or, side by side, a release of it. */
export interface PullInput extends Slot {
  readonly revision: Revision;
  readonly branch: string;
}
export interface Pulled extends Rescued {
  /** Where the tree is: the local path or, side by side, the release's folder. */
  readonly directory: string;
  /** False: it was a release on disk, made ready before; its scripts are not run again. */
  readonly isFresh: boolean;
}
/** What of somebody's was in the way. */
export interface Rescued {
  /** Where it has been saved, if anything was. */
  readonly saved: SavedChanges | null;
  /** Commits that the remote does not have, and whose branch or HEAD has moved on: those of each repository. */
  readonly commits: readonly SavedCommits[];
}
export interface SavedChanges {
  /** `refs/huddle/saved/…` */
  readonly ref: string;
  readonly files: number;
}

export interface SavedCommits {
  /** The working copy that they were made in: the app's, or a submodule's. */
  readonly folder: string;
  /** `refs/huddle/saved/…` */
  readonly ref: string;
}

/**
 * Lets the world reach a revision that has been accepted: the link `current`, the proxy, the scripts that point others
 * to it. Where that fails, all of it points to `from` again.
 */
export interface HandOverInput extends Slot {
  readonly side: Side;
  readonly revision: Revision;
  /** Where it runs. */
  readonly directory: string;
  /** What serves until then; null: nothing does. */
  readonly from: { readonly side: Side; readonly revision: Revision } | null;
}

/** Waits until the proxy has no request open at this side any more, no longer than the drain timeout. */
export interface DrainInput extends Slot {
  readonly side: Side;
}

export interface CloseInput extends Slot {
  /** Its program runs on, and with it whatever lets requests in. */
  readonly isDetached: boolean;
}

/** One look at the health of a program; resolves when healthy. */
export interface ProbeInput extends Slot {
  readonly side: Side;
  readonly revision: Revision;
  readonly watchdog: Watchdog;
}

// -- one operating-system process

/** A revision that runs as an app is configured. */
export interface Instance {
  readonly name: string;
  readonly revision: Revision;
  readonly config: AppConfig;
  /** Not given, or null: the tree of the local path, and no port. */
  readonly release?: Release | null;
}

/** What tells a release from the one beside it. */
export interface Release {
  /** Of its folder; null where it is deployed in place. */
  readonly name: string | null;
  /** Its own; null where none was wanted. */
  readonly port: number | null;
}

/** What to start, and under which name it is found again. */
export interface ProcessInput extends Instance {
  readonly side: Side;
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
