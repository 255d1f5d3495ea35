import type { AppContext, AppMoment, Attempt } from './app-context.ts';
import type { Deploying, HistoryEntry, Revision } from './facts.ts';

// From the beginning of an attempt to deploy to its line in the history: plain functions for the charts.

export function beginAttempt(context: AppContext, revision: Revision): Attempt {
  const { facts, now, wish } = context;
  return {
    revision,
    from: facts.current,
    began: now(),
    result: 'deployed',
    reason: '',
    byHand: wish?.type === 'deploy' && wish.revision !== null,
    downSince: null,
    liveAt: null,
  };
}

/** What has to survive of the attempt that is under way; what its operator has stopped, or gone with its file, is over. */
export function deploying({ attempt, facts, leave }: AppContext): Deploying | null {
  if (leave === 'stop' || leave === 'retire') return null;
  if (attempt === null) return facts.deploying;
  const { revision, from, began, result, reason } = attempt;
  return { revision, from, began, result, reason };
}

/** The attempt that an earlier life of the app was cut short in: it ends with the way back to what was good. */
export function cutShort({ facts: { deploying } }: AppContext): Attempt | null {
  if (deploying === null) return null;
  const attempt = { ...deploying, byHand: false, downSince: null, liveAt: null };
  if (deploying.result !== 'deployed') return attempt;
  return { ...attempt, result: 'rolled back', reason: 'cut short: Huddle ended before it was done' };
}

/** The line of history for an attempt that ends now. */
export function historyEntry({ context: { attempt, now } }: AppMoment): HistoryEntry | null {
  if (attempt === null) return null;
  const { revision, from, began, result, reason, downSince, liveAt } = attempt;
  const end = now();
  const downtime = downSince === null ? null : ((liveAt ?? end) - downSince) / 1000;
  return {
    at: new Date(end).toISOString(),
    revision,
    from,
    result,
    reason,
    seconds: Math.max(0, end - began) / 1000,
    downtime,
  };
}
