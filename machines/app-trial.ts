import { assign, enqueueActions } from 'xstate';
import { beginAttempt } from './app-attempt.ts';
import { appSetup } from './app-setup.ts';
import { acceptance, configIn, withRejection } from './policy.ts';
import { otherSide } from './protocol.ts';

/** What side by side adds to the vocabulary: a trial beside the program that leads, and taking its place. */
export const appTrial = appSetup.extend({
  actions: {
    /** The same revision once more, by another config. */
    aimBeside: assign(({ context: { facts, program, placedAt, config } }) => ({
      target: {
        revision: program.revision ?? facts.current ?? '',
        way: 'boot' as const,
        directory: placedAt?.directory ?? config.repository.localPath,
      },
      attempt: null,
    })),
    /** To the good revision before the one that leads, which is left only when that one is accepted. */
    aimPreviousBeside: assign(({ context }) => {
      const { facts, condemned } = context;
      const reason = condemned?.reason ?? 'rolled back by its operator';
      return {
        attempt: {
          ...beginAttempt(context, facts.current ?? ''),
          from: facts.previous,
          result: 'rolled back' as const,
          reason,
          byHand: condemned === null,
        },
        target: { revision: facts.previous ?? '', way: 'back' as const },
        objection: condemned,
        condemned: null,
        wish: null,
      };
    }),
    /** What is given up is missed from now on; what is up will not be. */
    noteGap: assign(({ context: { attempt, program, now } }) =>
      attempt === null || program.state === 'up' ? {} : { attempt: { ...attempt, downSince: now() } },
    ),
    /** There was no moment without the program. */
    noteNoGap: assign(({ context: { attempt, now } }) =>
      attempt === null || attempt.downSince !== null
        ? {}
        : { attempt: { ...attempt, downSince: now(), liveAt: now() } },
    ),
    noteOtherLive: assign(({ context: { attempt }, event }) =>
      event.type === 'other.live' && attempt !== null && attempt.liveAt === null
        ? { attempt: { ...attempt, liveAt: event.at } }
        : {},
    ),
    startOther: enqueueActions(({ context, enqueue, self }) => {
      const { name, lead, target, program, config: wanted } = context;
      if (target === null) return;
      const side = otherSide(lead);
      const config = configIn(wanted, target.directory ?? wanted.repository.localPath);
      // Whoever never deploys side by side never pays for a second program.
      if (self.getSnapshot().children[side] === undefined)
        enqueue.spawnChild('program', { id: side, input: { name, side, config } });
      // Of what leads, not of what this one was in an earlier deployment.
      const recovers = program.state === 'given up';
      enqueue.sendTo(side, { type: 'start', revision: target.revision, config, recovers });
    }),
    endOther: enqueueActions(({ context: { lead, other }, enqueue }) => {
      if (other.state !== 'down') enqueue.sendTo(otherSide(lead), { type: 'stop' });
    }),
    /** The one on trial leads: all facts that follow from that in one stroke. */
    takeLead: assign(({ context }) => {
      const { facts, target, attempt, config, lead, program, other, earlierRestarts, now } = context;
      if (target === null) return {};
      const { revision, way, directory } = target;
      const { localPath } = config.repository;
      const provingUntil = now() + config.deployment.proving * 1000;
      const taken = { ...facts, ...acceptance(facts, revision, way === 'back' ? 'back' : 'forward', provingUntil) };
      const isLeft = way === 'back' && attempt !== null;
      const rejected = isLeft ? withRejection(taken.rejected, attempt.revision, 'rolled back', now()) : taken.rejected;
      return {
        lead: otherSide(lead),
        program: other,
        other: program,
        earlierRestarts: earlierRestarts + program.restarts - other.restarts,
        placedAt: { localPath, directory: directory ?? localPath },
        owesHandOver: false,
        facts: {
          ...taken,
          rejected,
          current: revision,
          pulling: null,
          pinned: facts.pinned || (attempt?.byHand ?? false),
        },
      };
    }),
    /** It was given up while it was waited for the world to turn to it. */
    lookAgain: enqueueActions(({ context: { program }, enqueue }) => {
      if (program.state === 'given up' && program.failure !== null)
        enqueue.raise({ type: 'program.gaveUp', failure: program.failure });
    }),
    /** Going back has come to nothing, and what leads is the revision that was to be left. */
    stayForward: assign(({ context: { facts, attempt, target, trouble, objection } }) => ({
      condemned: null,
      attempt: attempt && {
        ...attempt,
        revision: target?.revision ?? '',
        from: facts.current,
        reason: (trouble ?? objection)?.message ?? '',
        liveAt: null,
      },
    })),
    forgetPrevious: assign(({ context: { facts } }) => ({ facts: { ...facts, previous: null } })),
  },
});
