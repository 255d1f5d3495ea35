import { failureFrom } from './app-answers.ts';
import { newContext } from './app-context.ts';
import { configNews, failedNews, returningNews } from './app-news.ts';
import { beside } from './app-beside.ts';
import { pulling, restarting, stopping } from './app-deploying.ts';
import { checking, cloning, testing } from './app-finding.ts';
import { appTrial } from './app-trial.ts';

/**
 * The life of one app: the flow chart of Huddle.
 *
 * The program lives beside these states, from the first start until the app leaves: a check or a test never touches
 * it. `context.target` says where a deployment goes, `context.attempt` what will be told about it in the end, and
 * `context.facts` what has to survive a crash; whoever runs this machine keeps them on disk.
 */
export const appMachine = appTrial.createMachine({
  id: 'app',
  context: ({ input }) => newContext(input),
  invoke: { id: 'blue', src: 'program', input: ({ context: { name, config } }) => ({ name, side: 'blue', config }) },
  initial: 'booting',

  // What holds in every state that does not say otherwise.
  on: {
    'program.told': { actions: 'hear' },
    'program.changed': { actions: 'noteProgram' },
    'program.gaveUp': { actions: 'noteGivenUp' },
    'program.accepted': { actions: ['noteLateGood', 'noteContent'] },
    check: { actions: 'noteCheck' },
    pause: { actions: ['pause', { type: 'tell', params: { type: 'paused' } }] },
    resume: { actions: ['resume', 'noteCheck', { type: 'tell', params: { type: 'resumed' } }] },
    deploy: { actions: 'noteWish' },
    rollback: { guard: 'canRollBack', actions: 'noteWish' },
    restart: { guard: 'isServing', actions: 'restartProgram' },
    config: [
      { guard: 'isNothingChanged' },
      {
        guard: 'isAllChangedBeside',
        target: '.cloning',
        actions: [{ type: 'tell', params: configNews }, 'hold', 'takeAllButProgram', 'configure'],
      },
      {
        guard: 'isRepositoryChanged',
        target: '.cloning',
        actions: [{ type: 'tell', params: configNews }, 'adapt', 'takeConfig'],
      },
      { guard: 'isProgramRemoved', actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'stop', 'configure'] },
      {
        guard: 'isProgramAddedToNone',
        target: '.cloning',
        actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure'],
      },
      {
        guard: 'isProgramAdded',
        target: '.stopping',
        actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'aimGood'],
      },
      {
        guard: 'isProgramChangedBeside',
        target: '.beside.restarting',
        actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'aimBeside'],
      },
      { guard: 'isProgramChanged', actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'replace'] },
      { actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure'] },
    ],
    stop: { target: '.stopping', actions: ['noteLeave', 'dropTarget'] },
    retire: { target: '.stopping', actions: ['noteLeave', 'dropTarget'] },
    shutdown: { target: '.stopping', actions: ['noteLeave', 'dropTarget'] },
    kill: { target: '.stopping', actions: ['noteLeave', 'dropTarget', 'kill'] },
    detach: { target: '.leaving', actions: 'noteLeave' },
  },

  states: {
    booting: {
      always: [
        { guard: 'isStopped', target: 'stopped' },
        { guard: 'isLeftAlone', target: 'waiting' },
        { target: 'cloning' },
      ],
    },

    cloning,
    checking,
    testing,

    /** Between two attempts: never rested in. */
    idle: { always: [{ guard: 'isServing', target: 'running' }, { target: 'waiting' }] },

    waiting: {
      entry: ['release', 'armTry', { type: 'tell', params: failedNews }, 'noteTold'],
      always: { guard: 'wantsTry', target: 'cloning' },
      after: { nextCheck: { guard: 'mayTry', target: 'cloning' } },
      on: {
        restart: 'cloning',
        deploy: { target: 'cloning', actions: 'noteWish' },
        rollback: {},
        config: [
          { guard: 'isNothingChanged' },
          { actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure', 'noteCheck'] },
        ],
      },
    },

    running: {
      entry: ['release', 'arm', { type: 'tell', params: failedNews }, 'noteTold'],
      always: [
        { guard: 'owesHandOver', target: 'restarting.handingOver', actions: 'aimRunning' },
        { guard: 'isCondemned', target: 'returning' },
        { guard: 'wantsRollback', target: 'returning' },
        { guard: 'isRollbackOver', target: 'running', reenter: true, actions: 'noteRolledBack' },
        { guard: 'wantsDeploy', target: 'checking' },
        { guard: 'wantsCheck', target: 'checking' },
      ],
      after: { nextCheck: { guard: 'mayCheck', target: 'checking' } },
      on: {
        check: { guard: 'mayCheck', target: 'checking' },
        config: {
          guard: 'areDetailsChanged',
          target: 'running',
          reenter: true,
          actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure'],
        },
        'program.down': [
          { guard: 'hasNoProgram' },
          { guard: 'isLeftBehind', target: 'pulling', actions: 'aimGood' },
          { target: 'restarting', actions: 'aimCurrent' },
        ],
      },
    },

    /** To the good revision before the one that leads: never rested in. */
    returning: {
      always: [
        {
          guard: 'isBeside',
          target: 'beside',
          actions: ['aimPreviousBeside', { type: 'tell', params: returningNews }],
        },
        { target: 'stopping', actions: ['aimPrevious', { type: 'tell', params: returningNews }] },
      ],
    },

    stopping,
    pulling,
    restarting,
    beside,

    stopped: {
      entry: ['markStopped', 'disarm', 'release', 'keepDown', { type: 'tell', params: { type: 'stopped' } }],
      always: { guard: 'wantsStart', target: 'cloning', actions: 'markStarted' },
      invoke: {
        src: 'shut',
        input: ({ context: { name, config } }) => ({ name, config }),
        onError: { actions: { type: 'noteFailed', params: failureFrom } },
      },
      on: {
        start: { target: 'cloning', actions: 'markStarted' },
        restart: { target: 'cloning', actions: 'markStarted' },
        deploy: { target: 'cloning', actions: ['markStarted', 'noteWish'] },
        check: {},
        rollback: {},
        stop: {},
        config: [
          { guard: 'isNothingChanged' },
          { actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure'] },
        ],
        retire: { target: 'leaving', actions: 'noteLeave' },
        shutdown: { target: 'leaving', actions: 'noteLeave' },
        kill: { target: 'leaving', actions: 'noteLeave' },
      },
    },

    leaving: {
      tags: 'leaving',
      invoke: {
        src: 'close',
        input: ({ context: { name, config, leave } }) => ({ name, config, isDetached: leave === 'detach' }),
        onDone: 'gone',
        onError: 'gone',
      },
      on: { '*': {} },
    },
    gone: { type: 'final' },
  },
});
