import { assign, fromPromise, sendParent, setup } from 'xstate';
import type { AppConfig, Watchdog } from './config.ts';
import { asFailure, type Failure } from './failure.ts';
import type { Revision } from './facts.ts';
import type { Side, WatchdogReport } from './protocol.ts';
import type { ProbeInput } from './slots.ts';

/**
 * Probe results to healthy or unhealthy.
 *
 * While a program is starting, it is probed every second until it answers once. From then on every `period`; after a
 * failed probe every `timeout`, until it answers again or has failed `failures` times in a row.
 */

export interface WatchdogInput {
  readonly name: string;
  readonly side: Side;
  readonly revision: Revision;
  readonly config: AppConfig;
  readonly watchdog: Watchdog;
}

/** What a watchdog's machine knows. */
export interface WatchdogContext extends WatchdogInput {
  misses: number;
  answered: boolean;
  failure: Failure | null;
}

export type WatchdogEvent = { type: 'configure'; config: AppConfig; watchdog: Watchdog };

export const watchdogMachine = setup({
  types: { context: {} as WatchdogContext, events: {} as WatchdogEvent, input: {} as WatchdogInput },
  actors: {
    /** One look, bounded by the watchdog's timeout; resolves when healthy, rejects with a `Failure`. */
    probe: fromPromise<void, ProbeInput>(() => {
      throw new Error('the slot probe has not been filled');
    }),
  },
  actions: {
    noteAnswer: assign({ misses: 0, answered: true, failure: null }),
    noteMiss: assign(({ context, event }) => ({
      misses: context.answered ? context.misses + 1 : 0,
      failure: asFailure((event as { error?: unknown }).error),
    })),
    forget: assign({ misses: 0 }),
    configure: assign(({ event }) => ({ config: event.config, watchdog: event.watchdog, misses: 0 })),
    reportHealthy: sendParent((): WatchdogReport => ({ type: 'watchdog.healthy' })),
    reportMissed: sendParent(({ context }): WatchdogReport => ({
      type: 'watchdog.missed',
      failure: asFailure(context.failure),
    })),
    reportUnhealthy: sendParent(({ context }): WatchdogReport => ({
      type: 'watchdog.unhealthy',
      failure: asFailure(context.failure),
    })),
  },
  guards: {
    hasHadEnough: ({ context }) => context.misses >= context.watchdog.failures,
  },
  delays: {
    nextProbe: ({ context: { answered, misses, watchdog } }) => {
      if (!answered) return 1000;
      return (misses > 0 ? Math.min(watchdog.timeout, watchdog.period) : watchdog.period) * 1000;
    },
  },
}).createMachine({
  id: 'watchdog',
  context: ({ input }) => ({ ...input, misses: 0, answered: false, failure: null }),
  initial: 'probing',
  on: { configure: { target: '.probing', actions: 'configure', reenter: true } },
  states: {
    probing: {
      invoke: {
        src: 'probe',
        input: ({ context }) => context,
        onDone: { target: 'resting', actions: ['noteAnswer', 'reportHealthy'] },
        onError: { target: 'judging', actions: 'noteMiss' },
      },
    },
    judging: {
      always: [
        { guard: 'hasHadEnough', target: 'resting', actions: ['reportUnhealthy', 'forget'] },
        { target: 'resting', actions: 'reportMissed' },
      ],
    },
    resting: { after: { nextProbe: 'probing' } },
  },
});
