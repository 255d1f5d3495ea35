import { assign, enqueueActions, sendParent, sendTo, setup } from 'xstate';
import type { AppConfig } from './config.ts';
import { isSame, longestTimer } from './policy.ts';
import { processMachine } from './process.ts';
import {
  crashLimit,
  endingFailure,
  isAtLimit,
  isHindered,
  isJobDone,
  isLeftDown,
  notAccepted,
  notReady,
  type ProgramContext,
  type ProgramEvent,
  restartDelay,
  statusOf,
} from './program-context.ts';
import type { ProgramNews } from './news.ts';
import type { ProgramReport, ProgramState, ProgramTold, Side } from './protocol.ts';
import type { ProcessOutput } from './slots.ts';
import { watchdogMachine } from './watchdog.ts';

/** What a program is begun with. */
export interface ProgramInput {
  readonly name: string;
  readonly side: Side;
  readonly config: AppConfig;
}

function told({ side }: ProgramContext, report: ProgramReport): ProgramTold {
  return { type: 'program.told', by: side, report };
}

/** The vocabulary of the chart in program.ts: its slots, actions, guards and delays, by name. */
export const programSetup = setup({
  types: { context: {} as ProgramContext, events: {} as ProgramEvent, input: {} as ProgramInput },
  actors: { process: processMachine, watchdog: watchdogMachine },
  actions: {
    /** Says what happened, for the log. */
    tell: (_scene, _news: ProgramNews | null) => {},

    take: assign(({ context, event }) =>
      event.type === 'start'
        ? {
            revision: event.revision,
            config: event.config,
            exits: 0,
            verdict: 'none' as const,
            failure: null,
            isGivenUp: event.recovers ?? context.isGivenUp,
          }
        : {},
    ),
    takeConfig: assign(({ event }) =>
      event.type === 'replace' || event.type === 'configure' ? { config: event.config } : {},
    ),
    renew: assign({ exits: 0, verdict: 'none', failure: null }),
    beginInstance: assign({
      pid: null,
      since: null,
      adopted: false,
      health: 'unknown',
      ending: 'by itself',
      last: null,
    }),
    noteProcess: assign(({ event }) =>
      event.type === 'process.up' ? { pid: event.pid, since: event.at, adopted: event.adopted, hindrances: 0 } : {},
    ),
    noteEnd: assign(({ event }) => ({
      last: (event as unknown as { output: ProcessOutput }).output,
      pid: null,
      since: null,
      adopted: false,
      health: 'unknown' as const,
    })),
    countRestart: assign(({ context }) => ({ restarts: context.restarts + 1 })),
    countExit: assign(({ context }) => ({ exits: context.exits + 1, failure: endingFailure(context) })),
    countHindrance: assign(({ context }) => ({
      hindrances: context.hindrances + 1,
      failure: endingFailure(context),
    })),
    forgetExits: assign({ exits: 0 }),
    forgetFailure: assign({ failure: null }),
    endToStop: assign({ ending: 'stop' }),
    endToRestart: assign({ ending: 'restart' }),
    endAsSick: assign(({ context, event }) => ({
      ending: 'sick' as const,
      health: 'unhealthy' as const,
      failure: event.type === 'watchdog.unhealthy' ? event.failure : notReady(context),
    })),
    noteRecovered: assign({ isGivenUp: false }),
    noteHealthy: assign({ health: 'healthy', failure: null }),
    noteMissed: assign(({ event }) => (event.type === 'watchdog.missed' ? { failure: event.failure } : {})),

    /** Asked by the config as it is now, which may be another than it was started with. */
    stopProcess: sendTo('process', ({ context }) => ({ type: 'stop' as const, config: context.config })),
    killProcess: sendTo('process', { type: 'kill' }),
    watch: enqueueActions(({ context, enqueue }) => {
      const { name, side, config, revision } = context;
      if (config.watchdog === null || revision === null) return;
      enqueue.spawnChild('watchdog', {
        id: 'watchdog',
        input: { name, side, revision, config, watchdog: config.watchdog },
      });
    }),
    unwatch: enqueueActions(({ enqueue }) => enqueue.stopChild('watchdog')),
    /** Another watchdog section replaces the watchdog, not the process. */
    rewatch: enqueueActions(({ context, event, enqueue, self }) => {
      // Before there is a process there is nothing to watch.
      if (event.type !== 'configure' || context.pid === null) return;
      if (isSame(event.config.watchdog, context.config.watchdog)) return;
      const { config } = event;
      const watched = { name: context.name, side: context.side, revision: context.revision ?? '', config };
      const isWatching = self.getSnapshot().children['watchdog'] !== undefined;
      if (config.watchdog === null) enqueue.stopChild('watchdog');
      else if (isWatching) enqueue.sendTo('watchdog', { type: 'configure', config, watchdog: config.watchdog });
      else enqueue.spawnChild('watchdog', { id: 'watchdog', input: { ...watched, watchdog: config.watchdog } });
      enqueue.assign({ health: 'unknown' });
    }),

    announce: sendParent(({ context }, { state }: { state: ProgramState }) =>
      told(context, { type: 'program.changed', status: statusOf(context, state) }),
    ),
    announceLive: sendParent(({ context }) => told(context, { type: 'program.live', at: context.since ?? 0 })),
    announceDown: sendParent(({ context }) => told(context, { type: 'program.down' })),
    accept: enqueueActions(({ context, enqueue }) => {
      if (context.verdict === 'accepted') return;
      enqueue.assign({ verdict: 'accepted' });
      enqueue.sendParent(told(context, { type: 'program.accepted' }));
    }),
    refuse: enqueueActions(({ context, enqueue }) => {
      if (context.verdict !== 'none') return;
      enqueue.assign({ verdict: 'refused' });
      enqueue.sendParent(told(context, { type: 'program.refused', failure: notAccepted(context) }));
    }),
    giveUp: enqueueActions(({ enqueue }) => {
      enqueue.assign(({ context }) => ({ failure: crashLimit(context), isGivenUp: true }));
      enqueue.sendParent(({ context }) => told(context, { type: 'program.gaveUp', failure: crashLimit(context) }));
    }),
    announceStuck: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'process.stuck') return;
      enqueue.sendParent(told(context, { type: 'program.stuck', failure: event.failure }));
    }),
  },
  guards: {
    isStartable: ({ context: { revision, config } }) => revision !== null && config.application.start !== null,
    isAdopted: ({ event }) => event.type === 'process.up' && event.adopted,
    /** It had ended by itself, and now it is to be kept up. */
    isWantedAgain: ({ context: { ending, last, config }, event }) =>
      event.type === 'configure' &&
      ending === 'by itself' &&
      last !== null &&
      config.application.restart !== 'always' &&
      event.config.application.restart === 'always' &&
      event.config.application.start !== null,
    isHealthy: ({ context }) => context.config.watchdog === null || context.health === 'healthy',
    wasStopped: ({ context }) => context.ending === 'stop',
    wasRestarted: ({ context }) => context.ending === 'restart',
    isHindered: ({ context }) => isHindered(context),
    isJobDone: ({ context }) => isJobDone(context),
    isLeftDown: ({ context }) => isLeftDown(context),
    isNotAccepted: ({ context }) =>
      context.verdict === 'none' && (context.ending === 'sick' || context.exits >= 2 || isAtLimit(context)),
    isAtLimit: ({ context }) => isAtLimit(context),
    isRetried: ({ context }) => context.config.application.retry > 0,
    isAnsweredAtOnce: ({ context }) => restartDelay(context) === 0,
  },
  delays: {
    settle: ({ context }) => context.config.application.settle * 1000,
    readyTimeout: ({ context }) => context.config.application.readyTimeout * 1000,
    /** Of no exits there is nothing to forget, and nobody need wake up for it. */
    crashWindow: ({ context: { exits, config } }) =>
      exits === 0 ? longestTimer : config.application.crashWindow * 1000,
    crashDelay: ({ context }) => restartDelay(context),
    retry: ({ context }) =>
      context.config.application.retry === 0 ? longestTimer : context.config.application.retry * 1000,
  },
});
