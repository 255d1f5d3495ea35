import { programSetup } from './program-setup.ts';
import {
  endingNews,
  givenUpNews,
  missedNews,
  recoveredNews,
  sickNews,
  stuckNews,
  takenOverNews,
  upNews,
} from './program-context.ts';

/** What ends an instance: none of these is lost on one that is about to end by itself. */
const toBeEnded = {
  stop: { target: 'stopping', actions: 'endToStop' },
  kill: { target: 'stopping', actions: ['endToStop', 'killProcess'] },
  start: { target: 'stopping', actions: ['take', 'endToRestart'] },
  restart: { target: 'stopping', actions: ['endToRestart', 'countRestart'] },
  replace: { target: 'stopping', actions: ['takeConfig', 'endToRestart'] },
} as const;

/**
 * Keeps the start command of one app alive.
 *
 * An instance is `starting` until it has settled and its watchdog has answered, then `up`. When it ends by itself, or
 * is ended because it is sick, `judging` decides what comes next: a start at once, `backingOff` with a growing delay,
 * `givenUp`, or `down`. Whether a revision is accepted is told once per start; what follows from that is for the app.
 */
export const programMachine = programSetup.createMachine({
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
    hindrances: 0,
    restarts: 0,
    verdict: 'none',
    isGivenUp: false,
  }),
  initial: 'down',
  on: {
    abandon: '.abandoned',
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
        input: ({ context: { name, side, config, revision } }) => ({ name, side, config, revision: revision ?? '' }),
        onDone: { target: 'judging', actions: 'noteEnd' },
      },
      initial: 'serving',
      states: {
        serving: {
          after: { crashWindow: { actions: 'forgetExits' } },
          exit: 'unwatch',
          on: {
            ...toBeEnded,
            configure: { actions: ['rewatch', 'takeConfig'] },
            'process.ended': 'ending',
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
                settling: { after: { settle: 'settled' } },
                settled: { always: { guard: 'isHealthy', target: '#program.instance.serving.up' } },
              },
            },
            up: {
              entry: [
                'accept',
                'forgetFailure',
                { type: 'tell', params: recoveredNews },
                'noteRecovered',
                { type: 'announce', params: { state: 'up' } },
              ],
              on: {
                'watchdog.healthy': { actions: ['noteHealthy', { type: 'announce', params: { state: 'up' } }] },
                'watchdog.missed': { actions: ['noteMissed', { type: 'tell', params: missedNews }] },
              },
            },
          },
        },
        /** It has exited by itself, and what it left is being swept: no probe and no timer judges it any more. */
        ending: {
          entry: { type: 'announce', params: { state: 'stopping' } },
          on: { ...toBeEnded, configure: { actions: 'takeConfig' } },
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
            {
              guard: 'isHindered',
              target: '#program.backingOff',
              actions: ['countHindrance', { type: 'tell', params: endingNews }],
            },
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
              actions: [{ type: 'tell', params: givenUpNews }, 'giveUp'],
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
    stopped: { entry: 'forgetFailure', always: { target: 'down', actions: 'announceDown' } },
    backingOff: {
      entry: { type: 'announce', params: { state: 'backing off' } },
      after: { crashDelay: { target: 'instance', actions: 'countRestart' } },
      on: {
        start: { target: 'instance', actions: 'take' },
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
        start: { target: 'instance', actions: 'take' },
        stop: 'stopped',
        kill: 'stopped',
        restart: { target: 'instance', actions: ['renew', 'countRestart'] },
        replace: { target: 'instance', actions: ['takeConfig', 'renew'] },
      },
    },
    abandoned: { type: 'final' },
  },
});
