import { assign, enqueueActions, sendParent, sendTo, setup } from 'xstate';
import type { AppConfig } from './config.ts';
import { crashDelay, isSame, longestTimer } from './policy.ts';
import { processMachine } from './process.ts';
import {
  crashLimit,
  endingFailure,
  endingNews,
  givenUpNews,
  isAtLimit,
  isJobDone,
  isLeftDown,
  missedNews,
  notAccepted,
  notReady,
  type ProgramContext,
  type ProgramEvent,
  sickNews,
  statusOf,
  stuckNews,
  takenOverNews,
  upNews,
} from './program-context.ts';
import type { ProcessOutput, ProgramNews, ProgramReport, ProgramState } from './protocol.ts';
import { watchdogMachine } from './watchdog.ts';

/**
 * Keeps the start command of one app alive.
 *
 * An instance is `starting` until it has settled and its watchdog has answered, then `up`. When it ends by itself, or
 * is ended because it is sick, `judging` decides what comes next: a start at once, `backingOff` with a growing delay,
 * `givenUp`, or `down`. Whether a revision is accepted is told once per start; what follows from that is for the app.
 */

export interface ProgramInput {
  readonly name: string;
  readonly config: AppConfig;
}

export const programMachine = setup({
  types: { context: {} as ProgramContext, events: {} as ProgramEvent, input: {} as ProgramInput },
  actors: { process: processMachine, watchdog: watchdogMachine },
  actions: {
    /** Says what happened, for the log. */
    tell: (_scene, _news: ProgramNews) => {},

    take: assign(({ event }) =>
      event.type === 'start'
        ? { revision: event.revision, config: event.config, exits: 0, verdict: 'none' as const, failure: null }
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
      event.type === 'process.up' ? { pid: event.pid, since: event.at, adopted: event.adopted } : {},
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
    forgetExits: assign({ exits: 0 }),
    forgetFailure: assign({ failure: null }),
    endToStop: assign({ ending: 'stop' }),
    endToRestart: assign({ ending: 'restart' }),
    endAsSick: assign(({ context, event }) => ({
      ending: 'sick' as const,
      health: 'unhealthy' as const,
      failure: event.type === 'watchdog.unhealthy' ? event.failure : notReady(context),
    })),
    noteHealthy: assign({ health: 'healthy', failure: null }),
    noteMissed: assign(({ event }) => (event.type === 'watchdog.missed' ? { failure: event.failure } : {})),

    stopProcess: sendTo('process', { type: 'stop' }),
    killProcess: sendTo('process', { type: 'kill' }),
    watch: enqueueActions(({ context, enqueue }) => {
      const { name, config, revision } = context;
      if (config.watchdog === null || revision === null) return;
      enqueue.spawnChild('watchdog', { id: 'watchdog', input: { name, revision, config, watchdog: config.watchdog } });
    }),
    unwatch: enqueueActions(({ enqueue }) => enqueue.stopChild('watchdog')),
    /** Another watchdog section replaces the watchdog, not the process. */
    rewatch: enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'configure' || isSame(event.config.watchdog, context.config.watchdog)) return;
      const { config } = event;
      const watched = { name: context.name, revision: context.revision ?? '', config };
      const isWatching = self.getSnapshot().children['watchdog'] !== undefined;
      if (config.watchdog === null) enqueue.stopChild('watchdog');
      else if (isWatching) enqueue.sendTo('watchdog', { type: 'configure', config, watchdog: config.watchdog });
      else enqueue.spawnChild('watchdog', { id: 'watchdog', input: { ...watched, watchdog: config.watchdog } });
      enqueue.assign({ health: 'unknown' });
    }),

    announce: sendParent(({ context }, { state }: { state: ProgramState }): ProgramReport => ({
      type: 'program.changed',
      status: statusOf(context, state),
    })),
    announceLive: sendParent(({ context }): ProgramReport => ({ type: 'program.live', at: context.since ?? 0 })),
    announceDown: sendParent((): ProgramReport => ({ type: 'program.down' })),
    accept: enqueueActions(({ context, enqueue }) => {
      if (context.verdict === 'accepted') return;
      enqueue.assign({ verdict: 'accepted' });
      enqueue.sendParent((): ProgramReport => ({ type: 'program.accepted' }));
    }),
    /** A revision that is refused has used up its start at once: the next one waits, and the app may stop it first. */
    refuse: enqueueActions(({ context, enqueue }) => {
      if (context.verdict !== 'none') return;
      enqueue.assign({ verdict: 'refused', exits: Math.max(2, context.exits) });
      enqueue.sendParent(({ context }): ProgramReport => ({ type: 'program.refused', failure: notAccepted(context) }));
    }),
    giveUp: enqueueActions(({ enqueue }) => {
      enqueue.assign(({ context }) => ({ failure: crashLimit(context) }));
      enqueue.sendParent(({ context }): ProgramReport => ({ type: 'program.gaveUp', failure: crashLimit(context) }));
    }),
    announceStuck: sendParent(({ event }): ProgramReport | { type: 'ignored' } =>
      event.type === 'process.stuck' ? { type: 'program.stuck', failure: event.failure } : { type: 'ignored' },
    ),
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
    isJobDone: ({ context }) => isJobDone(context),
    isLeftDown: ({ context }) => isLeftDown(context),
    isNotAccepted: ({ context }) =>
      context.verdict === 'none' && (context.ending === 'sick' || context.exits >= 2 || isAtLimit(context)),
    isAtLimit: ({ context }) => isAtLimit(context),
    isRetried: ({ context }) => context.config.application.retry > 0,
    isAnsweredAtOnce: ({ context }) => crashDelay(context.exits) === 0,
  },
  delays: {
    settle: ({ context }) => context.config.application.settle * 1000,
    readyTimeout: ({ context }) => context.config.application.readyTimeout * 1000,
    crashWindow: ({ context }) => context.config.application.crashWindow * 1000,
    crashDelay: ({ context }) => crashDelay(context.exits),
    retry: ({ context }) =>
      context.config.application.retry === 0 ? longestTimer : context.config.application.retry * 1000,
  },
}).createMachine({
  id: 'program',
  context: ({ input }) => ({
    ...input,
    revision: null,
    pid: null,
    since: null,
    adopted: false,
    health: 'unknown',
    failure: null,
    ending: 'by itself',
    last: null,
    exits: 0,
    restarts: 0,
    verdict: 'none',
  }),
  initial: 'down',
  on: {
    configure: { actions: 'takeConfig' },
    'process.stuck': { actions: ['announceStuck', { type: 'tell', params: stuckNews }] },
  },
  states: {
    down: {
      entry: { type: 'announce', params: { state: 'down' } },
      on: {
        start: { target: 'instance', actions: 'take' },
        restart: { guard: 'isStartable', target: 'instance', actions: ['renew', 'countRestart'] },
        replace: [
          { guard: 'isStartable', target: 'instance', actions: ['takeConfig', 'renew'] },
          { actions: 'takeConfig' },
        ],
        configure: [
          { guard: 'isWantedAgain', target: 'instance', actions: ['takeConfig', 'renew'] },
          { actions: 'takeConfig' },
        ],
        stop: { actions: ['endToStop', 'announceDown'] },
        kill: { actions: ['endToStop', 'announceDown'] },
      },
    },
    instance: {
      entry: 'beginInstance',
      invoke: {
        id: 'process',
        src: 'process',
        input: ({ context: { name, config, revision } }) => ({ name, config, revision: revision ?? '' }),
        onDone: { target: 'judging', actions: 'noteEnd' },
      },
      initial: 'serving',
      states: {
        serving: {
          after: { crashWindow: { actions: 'forgetExits' } },
          exit: 'unwatch',
          on: {
            stop: { target: 'stopping', actions: 'endToStop' },
            kill: { target: 'stopping', actions: ['endToStop', 'killProcess'] },
            start: { target: 'stopping', actions: ['take', 'endToRestart'] },
            restart: { target: 'stopping', actions: ['endToRestart', 'countRestart'] },
            replace: { target: 'stopping', actions: ['takeConfig', 'endToRestart'] },
            configure: { actions: ['rewatch', 'takeConfig'] },
            'watchdog.unhealthy': { target: 'stopping', actions: ['endAsSick', { type: 'tell', params: sickNews }] },
          },
          initial: 'starting',
          states: {
            starting: {
              entry: { type: 'announce', params: { state: 'starting' } },
              after: {
                readyTimeout: {
                  target: '#program.instance.stopping',
                  actions: ['endAsSick', { type: 'tell', params: sickNews }],
                },
              },
              on: {
                'watchdog.healthy': { actions: 'noteHealthy' },
                // That it does not answer yet is to be expected.
                'watchdog.missed': { actions: 'noteMissed' },
              },
              initial: 'spawning',
              states: {
                spawning: {
                  on: {
                    'process.up': [
                      {
                        guard: 'isAdopted',
                        target: '#program.instance.serving.up',
                        actions: ['noteProcess', { type: 'tell', params: takenOverNews }, 'announceLive', 'watch'],
                      },
                      {
                        target: 'settling',
                        actions: [
                          'noteProcess',
                          { type: 'tell', params: upNews },
                          'announceLive',
                          { type: 'announce', params: { state: 'starting' } },
                          'watch',
                        ],
                      },
                    ],
                  },
                },
                settling: { after: { settle: 'settled' }, on: { 'process.ended': 'ending' } },
                settled: {
                  always: { guard: 'isHealthy', target: '#program.instance.serving.up' },
                  on: { 'process.ended': 'ending' },
                },
                /** It has exited, and is not to be accepted for what it left behind. */
                ending: {},
              },
            },
            up: {
              entry: ['accept', 'forgetFailure', { type: 'announce', params: { state: 'up' } }],
              on: {
                'watchdog.healthy': { actions: ['noteHealthy', { type: 'announce', params: { state: 'up' } }] },
                'watchdog.missed': { actions: ['noteMissed', { type: 'tell', params: missedNews }] },
              },
            },
          },
        },
        stopping: {
          entry: ['stopProcess', { type: 'announce', params: { state: 'stopping' } }],
          on: {
            stop: { actions: 'endToStop' },
            kill: { actions: ['endToStop', 'killProcess'] },
            start: { actions: ['take', 'endToRestart'] },
            restart: { guard: 'isStartable', actions: ['endToRestart', 'countRestart'] },
            replace: { actions: 'takeConfig' },
            'process.up': { actions: 'noteProcess' },
          },
        },
      },
    },
    /** Decided by how the instance ended; never rested in. */
    judging: {
      initial: 'reason',
      states: {
        reason: {
          always: [
            { guard: 'wasStopped', target: '#program.stopped' },
            { guard: 'wasRestarted', target: '#program.instance', actions: 'renew' },
            { guard: 'isJobDone', target: '#program.down', actions: [{ type: 'tell', params: endingNews }, 'accept'] },
            { target: 'exit', actions: 'countExit' },
          ],
        },
        exit: {
          always: [
            { guard: 'isLeftDown', target: '#program.down', actions: [{ type: 'tell', params: endingNews }, 'refuse'] },
            { guard: 'isNotAccepted', target: 'delay', actions: 'refuse' },
            { target: 'delay' },
          ],
        },
        delay: {
          always: [
            {
              guard: 'isAtLimit',
              target: '#program.givenUp',
              actions: [{ type: 'tell', params: endingNews }, 'giveUp', { type: 'tell', params: givenUpNews }],
            },
            {
              guard: 'isAnsweredAtOnce',
              target: '#program.instance',
              actions: [{ type: 'tell', params: endingNews }, 'countRestart'],
            },
            { target: '#program.backingOff', actions: { type: 'tell', params: endingNews } },
          ],
        },
      },
    },
    stopped: { always: { target: 'down', actions: 'announceDown' } },
    backingOff: {
      entry: { type: 'announce', params: { state: 'backing off' } },
      after: { crashDelay: { target: 'instance', actions: 'countRestart' } },
      on: {
        stop: 'stopped',
        kill: 'stopped',
        restart: { target: 'instance', actions: ['renew', 'countRestart'] },
        replace: { target: 'instance', actions: ['takeConfig', 'renew'] },
      },
    },
    givenUp: {
      entry: { type: 'announce', params: { state: 'given up' } },
      after: {
        retry: [
          { guard: 'isRetried', target: 'instance', actions: 'countRestart' },
          { target: 'givenUp', reenter: true },
        ],
      },
      on: {
        stop: 'stopped',
        kill: 'stopped',
        restart: { target: 'instance', actions: ['renew', 'countRestart'] },
        replace: { target: 'instance', actions: ['takeConfig', 'renew'] },
      },
    },
  },
});
