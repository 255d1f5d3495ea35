import type { Revision } from './facts.ts';
import type { Failure } from './failure.ts';
import type { Exit, SavedChanges, SavedCommits } from './slots.ts';

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
  | { readonly type: 'saved'; readonly changes: SavedChanges | null; readonly commits: readonly SavedCommits[] }
  | {
      readonly type: 'deployed';
      readonly revision: Revision;
      readonly from: Revision | null;
      readonly seconds: number;
      readonly downtime: number | null;
    }
  /** Without a failure it is by its operator. */
  | {
      readonly type: 'rolling back';
      readonly revision: Revision;
      readonly to: Revision;
      readonly failure: Failure | null;
    }
  /** Tried beside what serves, which has not noticed; both are one revision where only the config is another. */
  | { readonly type: 'stayed'; readonly revision: Revision; readonly at: Revision; readonly failure: Failure }
  | { readonly type: 'kept'; readonly revision: Revision; readonly failure: Failure }
  /** An attempt failed; `retryIn` seconds until the next one, null where an operator has to act. */
  | { readonly type: 'failed'; readonly failure: Failure; readonly retryIn: number | null }
  /** What an operator named is not to be had. */
  | { readonly type: 'not deployed'; readonly failure: Failure }
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
  /** Up again after it had been given up. */
  | { readonly type: 'program recovered'; readonly pid: number; readonly revision: Revision }
  | { readonly type: 'program exited'; readonly exit: Exit; readonly ran: number; readonly retryIn: number | null }
  | { readonly type: 'program not started'; readonly failure: Failure; readonly retryIn: number | null }
  | { readonly type: 'program given up'; readonly failure: Failure }
  | { readonly type: 'probe failed'; readonly failure: Failure }
  | { readonly type: 'unhealthy'; readonly failure: Failure }
  | { readonly type: 'stuck'; readonly failure: Failure };
