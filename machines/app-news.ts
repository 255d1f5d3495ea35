import { historyEntry } from './app-attempt.ts';
import type { AppEvent, AppMoment } from './app-context.ts';
import { asFailure } from './failure.ts';
import type { News } from './news.ts';
import { changedSections } from './policy.ts';
import type { Asked, Fetched, Opened, Pulled } from './slots.ts';

// What an app says of itself: plain functions for the charts to `tell`.

/** What an action is given when a slot has answered. */
export interface Answered<T> extends AppMoment {
  readonly event: { readonly output: T };
}

export function failedNews({ context: { trouble, isTold, nextCheck, now } }: AppMoment): News | null {
  if (isTold || trouble === null) return null;
  const retryIn = nextCheck === null ? null : Math.max(0, (nextCheck - now()) / 1000);
  return { type: 'failed', failure: trouble, retryIn };
}

export function misnamedNews({ event }: { readonly event: { readonly error: unknown } }): News {
  return { type: 'not deployed', failure: asFailure(event.error) };
}

export function clonedNews({ event }: Answered<Opened>): News {
  return { type: 'cloned', branch: event.output.branch, tip: event.output.tip };
}

export function bootNews({ context }: AppMoment): News {
  return { type: 'booting', revision: context.target?.revision ?? '' };
}

export function restoringNews({ context: { target, facts } }: AppMoment): News {
  const isCutShort = facts.pulling !== null || facts.deploying !== null;
  const reason = isCutShort ? 'a deployment was cut short' : 'something else is in place';
  return { type: 'restoring', revision: target?.revision ?? '', reason };
}

export function movedNews({ context: { facts }, event: { output } }: Answered<Fetched>): News {
  return { type: 'moved', branch: facts.branch ?? '', from: facts.current, to: output.revision, ...output };
}

export function unmovedNews({ context, event }: Answered<Asked>): News {
  return { type: 'unmoved', branch: context.facts.branch ?? '', revision: event.output.tip };
}

export function stillRejectedNews({ context, event }: Answered<Asked>): News {
  return { type: 'still rejected', branch: context.facts.branch ?? '', revision: event.output.tip };
}

export function testingNews({ context }: AppMoment): News {
  return { type: 'testing', revision: context.attempt?.revision ?? '' };
}

export function passedNews({ context: { attempt, testingSince, now } }: AppMoment): News {
  return { type: 'test passed', revision: attempt?.revision ?? '', seconds: (now() - testingSince) / 1000 };
}

export function pendingNews({ context }: AppMoment): News {
  return { type: 'test pending', revision: context.attempt?.revision ?? '', failure: asFailure(context.objection) };
}

export function rejectedNews({ context }: AppMoment): News {
  const failure = asFailure(context.objection ?? context.trouble);
  return { type: 'rejected', revision: context.attempt?.revision ?? '', failure };
}

export function recoveredNews({ context }: AppMoment): News | null {
  return context.failures > 0 ? { type: 'recovered' } : null;
}

export function savedNews({ event }: Answered<Pulled>): News | null {
  const { saved: changes, commits } = event.output;
  return changes === null && commits.length === 0 ? null : { type: 'saved', changes, commits };
}

export function rollingBackNews({ context: { attempt, target, objection, trouble } }: AppMoment): News {
  const failure = asFailure(trouble ?? objection);
  return { type: 'rolling back', revision: attempt?.revision ?? '', to: target?.revision ?? '', failure };
}

/** To the revision before: what is in place was condemned, or its operator has asked for it. */
export function returningNews({ context: { attempt, target, objection } }: AppMoment): News {
  return { type: 'rolling back', revision: attempt?.revision ?? '', to: target?.revision ?? '', failure: objection };
}

export function stayedNews({ context: { target, facts, objection } }: AppMoment): News {
  return {
    type: 'stayed',
    revision: target?.revision ?? '',
    at: facts.current ?? '',
    failure: asFailure(objection),
  };
}

export function keptNews({ context }: AppMoment): News {
  const failure = asFailure(context.objection ?? context.program.failure);
  return { type: 'kept', revision: context.target?.revision ?? '', failure };
}

export function deployedNews(moment: AppMoment): News | null {
  const entry = historyEntry(moment);
  if (entry === null || entry.result !== 'deployed') return null;
  const { revision, from, seconds, downtime } = entry;
  return { type: 'deployed', revision, from, seconds, downtime };
}

export function configNews({ context, event }: AppMoment & { readonly event: AppEvent }): News | null {
  if (event.type !== 'config') return null;
  return { type: 'config changed', sections: changedSections(context.config, event.config) };
}

export function stoppingNews({ context: { leave } }: AppMoment): News | null {
  switch (leave) {
    case null:
      return null;
    case 'stop':
      return { type: 'stopping', reason: 'operator' };
    case 'retire':
      return { type: 'stopping', reason: 'config file gone' };
    default:
      return { type: 'stopping', reason: 'shutdown' };
  }
}
