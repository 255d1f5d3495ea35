import { assign, enqueueActions } from 'xstate';
import { beginAttempt, cutShort, deploying } from './app-attempt.ts';
import {
  type AppContext,
  type AppEvent,
  type Attempt,
  configChange,
  dueTime,
  hasHandOver,
  type Leave,
  leftByRollback,
  mayCheck,
  mayTry,
  isGone,
  type Place,
} from './app-context.ts';
import { appSlots } from './app-slots.ts';
import type { Rejection, Revision } from './facts.ts';
import { Failure } from './failure.ts';
import { acceptance, withRejection } from './policy.ts';
import type { Asked, Opened, Pulled } from './slots.ts';

/** What an app notes: what came in, where it goes, what must survive, when to look again. */
export const appNotes = appSlots.extend({
  actions: {
    // -- what came in
    noteProgram: assign(({ event }) => (event.type === 'program.changed' ? { program: event.status } : {})),
    noteLive: assign(({ context, event }) =>
      event.type === 'program.live' && context.attempt !== null && context.attempt.liveAt === null
        ? { attempt: { ...context.attempt, liveAt: event.at } }
        : {},
    ),
    noteGivenUp: assign(({ context, event }) => {
      if (event.type !== 'program.gaveUp') return {};
      const { facts, now, config, program } = context;
      const isGood = program.revision === facts.good && facts.previous !== null;
      const isProving = isGood && facts.provingUntil !== null && now() <= facts.provingUntil;
      return { condemned: isProving && config.deployment.rollback ? condemnation(context, event.failure) : null };
    }),
    noteOpened: assign(({ context }, opened: Opened) => {
      const facts = { ...context.facts, branch: opened.branch };
      const isFresh = opened.head === null;
      const none = { good: null, previous: null, current: null, pulling: null, provingUntil: null };
      if (isFresh) return { opened, isOpen: true, facts: { ...facts, ...none } };
      // What is in place was never accepted, and does not run: it counts for nothing.
      const isIdle = facts.good === null && context.program.state === 'down';
      return { opened, isOpen: true, facts: isIdle ? { ...facts, current: null } : facts };
    }),
    noteAsked: assign(({ context: { facts } }, asked: Asked) => ({
      asked,
      facts: asked.branch === facts.branch ? facts : { ...facts, branch: asked.branch },
    })),
    noteCandidate: assign(({ context }, revision: Revision) => ({
      attempt: beginAttempt(context, revision),
      wish: null,
      trouble: null,
    })),
    notePassed: assign(({ context }) => ({ tested: context.attempt?.revision ?? null, objection: null })),
    beginTest: assign(({ context }) => ({ testingSince: context.now() })),
    noteFailed: assign(({ context }, trouble: Failure) => ({
      trouble,
      isOpen: context.isOpen && !isGone(trouble),
      isTold: false,
      failures: context.failures + 1,
      wish: null,
    })),
    noteMisnamed: assign((_scene, misnamed: Failure) => ({ misnamed, wish: null })),
    noteObjection: assign((_scene, objection: Failure) => ({ objection })),
    /** Nothing is wrong with the remote and the working copy. */
    noteWell: assign({ trouble: null, failures: 0 }),
    noteContent: assign({ objection: null }),
    noteAccepted: assign(({ context: { target, trouble, failures, objection } }) =>
      target?.way === 'back'
        ? { trouble, failures, objection, condemned: null }
        : { trouble: null, failures: 0, objection: null, condemned: null },
    ),
    noteWish: assign(({ context, event }) => {
      if (event.type === 'deploy') return { wish: event };
      if (event.type === 'rollback') return { wish: { ...event, leaving: leftByRollback(context) ?? '' } };
      return event.type === 'start' || event.type === 'restart' ? { wish: { type: 'start' as const } } : {};
    }),
    dropWish: assign({ wish: null }),
    /** A deployment that failed by itself has gone where the operator wants it: there it stays. */
    noteRolledBack: assign(({ context: { facts, wish, now } }) => {
      if (wish?.type !== 'rollback' || wish.leaving === facts.current) return { wish: null };
      const { good, rejected } = facts;
      const known = wish.leaving === good ? rejected : withRejection(rejected, wish.leaving, 'rolled back', now());
      return { wish: null, facts: { ...facts, pinned: true, rejected: known } };
    }),
    pinIfNamed: assign(({ context: { facts, wish } }) => ({
      facts: { ...facts, pinned: facts.pinned || (wish?.type === 'deploy' && wish.revision !== null) },
    })),
    noteCheck: assign({ checkAgain: true }),
    dropCheck: assign({ checkAgain: false }),

    // -- where it goes
    aimForward: assign(({ context }) => ({
      target: { revision: context.attempt?.revision ?? '', way: 'forward' as const },
    })),
    aimBack: assign(({ context }) => ({ target: { revision: context.facts.good ?? '', way: 'back' as const } })),
    aimGood: assign(({ context }) => ({
      target: { revision: context.facts.good ?? '', way: 'boot' as const },
      attempt: cutShort(context),
    })),
    aimCurrent: assign(({ context: { facts } }) => ({
      target: { revision: facts.current ?? '', way: 'boot' as const },
      attempt: null,
    })),
    /** What has settled after all. */
    aimRunning: assign(({ context: { program } }) => ({
      target: { revision: program.revision ?? '', way: 'boot' as const },
      attempt: null,
    })),
    /** Who is told to leave in the middle of an attempt leaves it to the next Huddle. */
    dropTarget: assign(({ context: { facts, leave } }) => ({
      target: null,
      attempt: null,
      facts: leave === 'shutdown' ? facts : { ...facts, deploying: null },
    })),
    /** Back to the good revision before the one in place, which is left for this reason. */
    aimPrevious: assign(({ context }) => {
      const { facts, condemned, now } = context;
      const left = facts.current ?? '';
      const reason = condemned?.reason ?? 'rolled back by its operator';
      return {
        attempt: { ...beginAttempt(context, left), from: facts.previous, result: 'rolled back' as const, reason },
        target: { revision: facts.previous ?? '', way: 'back' as const },
        objection: condemned,
        condemned: null,
        wish: null,
        facts: {
          ...facts,
          good: facts.previous,
          previous: null,
          provingUntil: null,
          pinned: facts.pinned || condemned === null,
          rejected: withRejection(facts.rejected, left, 'rolled back', now()),
        },
      };
    }),
    noteDowntime: assign(({ context: { attempt, program, now } }) =>
      attempt !== null && attempt.downSince === null && program.state !== 'down'
        ? { attempt: { ...attempt, downSince: now() } }
        : {},
    ),
    /** The attempt has come to nothing, or not to what it should. */
    spoil: assign(({ context: { attempt, trouble, objection } }, result: Attempt['result']) => ({
      attempt: attempt && { ...attempt, result, reason: (trouble ?? objection)?.message ?? '', liveAt: null },
    })),
    /** The good revision, tried once more, is not rejected for it. */
    reject: assign(({ context }, why: Rejection['why']) => {
      const { facts, attempt, now } = context;
      if (attempt === null || attempt.revision === facts.good) return {};
      const { revision } = attempt;
      // What is rejected is no way back either.
      const previous = facts.previous === revision ? null : facts.previous;
      return { facts: { ...facts, previous, rejected: withRejection(facts.rejected, revision, why, now()) } };
    }),
    countScriptTry: assign(({ context: { scriptTries, attempt } }) => {
      const revision = attempt?.revision ?? '';
      return { scriptTries: { revision, count: scriptTries?.revision === revision ? scriptTries.count + 1 : 1 } };
    }),

    // -- facts
    noteBegun: assign(({ context }) => ({ facts: { ...context.facts, deploying: deploying(context) } })),
    noteIntent: assign(({ context }) => ({
      facts: { ...context.facts, pulling: context.target?.revision ?? null, deploying: deploying(context) },
    })),
    notePulled: assign(({ context: { target } }, { directory }: Pulled) => ({
      target: target && { ...target, directory },
    })),
    notePlaced: assign(({ context }) => ({
      facts: { ...context.facts, pulling: null, current: context.target?.revision ?? null },
      placedAt: placeIn(context, context.target?.directory),
    })),
    /** The good revision: side by side another one may have been put in its place beside it, and come to nothing. */
    noteInPlace: assign(({ context }) => ({
      placedAt: placeIn(context, context.opened?.directory),
      facts: { ...context.facts, current: context.facts.good },
    })),
    noteGood: assign(({ context }) => {
      const { facts, target, attempt, config, now } = context;
      if (target === null) return {};
      const way = target.way === 'back' ? 'back' : 'forward';
      const provingUntil = (attempt?.liveAt ?? now()) + config.deployment.proving * 1000;
      const pinned = facts.pinned || (target.way === 'forward' && (attempt?.byHand ?? false));
      return { facts: { ...facts, ...acceptance(facts, target.revision, way, provingUntil), pinned } };
    }),
    /** A revision that was kept without having been accepted has settled after all; or one that was started anew. */
    noteLateGood: assign(({ context }) => {
      const { facts, config, now, program } = context;
      if (program.revision === null) return {};
      const provingUntil = now() + config.deployment.proving * 1000;
      return {
        facts: { ...facts, ...acceptance(facts, program.revision, 'forward', provingUntil) },
        owesHandOver: hasHandOver(config),
      };
    }),
    /** Whatever is started now is handed over when it is accepted. */
    forgetHandOver: assign({ owesHandOver: false }),
    pause: assign(({ context }) => ({ facts: { ...context.facts, paused: true }, nextCheck: null })),
    resume: assign(({ context }) => ({ facts: { ...context.facts, paused: false, pinned: false } })),
    markStopped: assign(({ context }) => ({
      facts: { ...context.facts, stopped: true, deploying: null },
      leave: null,
      target: null,
      attempt: null,
    })),
    markStarted: assign(({ context }) => ({
      facts: { ...context.facts, stopped: false },
      wish: context.wish?.type === 'deploy' ? context.wish : null,
    })),
    noteLeave: assign(({ context, event }) => ({
      // Whoever leaves for good does not stay for a stop; the stop is remembered all the same.
      leave: event.type === 'stop' ? (context.leave ?? 'stop') : (leaveFor(event) ?? context.leave),
      facts: event.type === 'stop' ? { ...context.facts, stopped: true } : context.facts,
      wish: null,
      condemned: null,
      checkAgain: false,
    })),

    // -- config
    hold: assign(({ event }) => (event.type === 'config' ? { held: event.config } : {})),
    release: enqueueActions(({ context, enqueue }) => {
      if (context.held === null) return;
      enqueue.raise({ type: 'config', config: context.held });
      enqueue.assign({ held: null });
    }),
    /** What a changed section makes worth trying again is forgiven. */
    takeConfig: assign(({ context, event }) => (event.type === 'config' ? configChange(context, event.config) : {})),

    takeAllButProgram: assign(({ context, event }) =>
      event.type === 'config'
        ? configChange(context, { ...event.config, application: context.config.application })
        : {},
    ),

    // -- waiting for the next check
    arm: assign(({ context }) => ({ nextCheck: mayCheck(context) ? dueTime(context) : null })),
    armTry: assign(({ context }) => ({ nextCheck: mayTry(context) ? dueTime(context) : null })),
    noteTold: assign({ isTold: true }),
    disarm: assign({ nextCheck: null }),
  },
});

function placeIn({ config }: AppContext, directory: string | null | undefined): Place {
  const { localPath } = config.repository;
  return { localPath, directory: directory ?? localPath };
}

/** Why the good revision is gone back from: what its program says of another try of its own does not come true. */
function condemnation({ name, facts }: AppContext, { code, doing, subject, reason, cause }: Failure): Failure {
  const again = `huddle deploy ${name} ${facts.good?.slice(0, 7)}`;
  const hint = `Its own output is in logs/app.log. Push a new commit, or try it again by name: ${again}`;
  return new Failure(code, { doing, subject, reason, hint, cause });
}

function leaveFor(event: AppEvent): Leave | null {
  switch (event.type) {
    case 'stop':
    case 'retire':
    case 'shutdown':
    case 'detach':
      return event.type;
    case 'kill':
      return 'shutdown';
    default:
      return null;
  }
}
