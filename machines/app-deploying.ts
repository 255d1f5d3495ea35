import { historyEntry } from './app-context.ts';
import { handOverInput, scriptInput } from './app-inputs.ts';
import { deployedNews, keptNews, rejectedNews, rollingBackNews, savedNews, stoppingNews } from './app-news.ts';
import { appSetup } from './app-setup.ts';
import { asFailure } from './failure.ts';

// The states in which an app changes what runs.

const outputOf = <T>({ event }: { event: { output: T } }) => event.output;
const failureFrom = ({ event }: { event: { error: unknown } }) => asFailure(event.error);

/** Ending the program: for a deployment, or because the app is to stop or to leave. */
export const stopping = appSetup.createStateConfig({
  tags: 'deploying',
  entry: ['disarm', 'noteDowntime', 'noteBegun', 'stop', { type: 'tell', params: stoppingNews }],
  initial: 'ending',
  states: {
    ending: { always: { guard: 'areProgramsDown', target: 'ended' } },
    ended: {
      always: [
        { guard: 'isTreeToRestore', target: '#app.pulling', actions: 'aimBack' },
        { guard: 'isStopping', target: '#app.stopped' },
        { guard: 'isLeaving', target: '#app.leaving' },
        { target: '#app.pulling', description: 'gone' },
      ],
    },
  },
  on: {
    stop: { actions: ['noteLeave', 'dropTarget'] },
    retire: { actions: ['noteLeave', 'dropTarget'] },
    shutdown: { actions: ['noteLeave', 'dropTarget'] },
    kill: { actions: ['noteLeave', 'dropTarget', 'kill'] },
    start: { guard: 'isStopping', actions: 'noteWish' },
    restart: [{ guard: 'isStopping', actions: 'noteWish' }, {}],
    config: { actions: 'hold' },
    'program.stuck': [
      { guard: 'isLeavingForGood', target: 'leaving' },
      { guard: 'isLeaving', actions: { type: 'noteFailed', params: ({ event }) => event.failure } },
      { target: 'running', actions: [{ type: 'noteFailed', params: ({ event }) => event.failure }, 'dropTarget'] },
    ],
    'other.stuck': [
      { guard: 'isLeavingForGood', target: 'leaving' },
      { guard: 'isLeaving', actions: { type: 'noteFailed', params: ({ event }) => event.failure } },
      { target: 'running', actions: [{ type: 'noteFailed', params: ({ event }) => event.failure }, 'dropTarget'] },
    ],
  },
});

/** Pre-pull scripts, the new revision, post-pull scripts; and the way back when one of them fails. */
export const pulling = appSetup.createStateConfig({
  tags: 'deploying',
  entry: 'noteIntent',
  initial: 'first',
  states: {
    first: { always: [{ guard: 'hasPrePull', target: 'before' }, { target: 'placing' }] },
    before: {
      invoke: {
        src: 'script',
        input: ({ context }) => scriptInput(context, 'pre-pull'),
        onDone: 'placing',
        onError: { target: 'scriptFailed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    placing: {
      invoke: {
        src: 'pull',
        input: ({ context: { name, config, facts, target } }) => ({
          name,
          config,
          branch: facts.branch ?? '',
          revision: target?.revision ?? '',
        }),
        onDone: [
          {
            guard: { type: 'hasPostPull', params: outputOf },
            target: 'after',
            actions: [
              { type: 'notePulled', params: outputOf },
              { type: 'tell', params: savedNews },
            ],
          },
          {
            target: 'placed',
            actions: [
              { type: 'notePulled', params: outputOf },
              { type: 'tell', params: savedNews },
            ],
          },
        ],
        onError: { target: 'failed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    after: {
      invoke: {
        src: 'script',
        input: ({ context }) => scriptInput(context, 'post-pull'),
        onDone: 'placed',
        onError: { target: 'scriptFailed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    placed: {
      entry: 'notePlaced',
      always: [
        { guard: 'isStopping', target: '#app.stopped' },
        { guard: 'isLeaving', target: '#app.leaving' },
        { target: '#app.restarting', description: 'placed' },
      ],
    },
    scriptFailed: {
      entry: 'countScriptTry',
      always: [
        { guard: 'isBackward', target: 'placed' },
        {
          guard: 'hasUsedItsTries',
          target: 'failed',
          actions: [
            { type: 'reject', params: 'script failed' },
            { type: 'tell', params: rejectedNews },
          ],
        },
        { target: 'failed' },
      ],
    },
    /** The good revision is started even where its tree could not be made whole: better that than nothing. */
    failed: {
      always: [
        { guard: 'isBackward', target: 'unrestored' },
        {
          guard: 'canRestore',
          target: '#app.pulling',
          reenter: true,
          actions: [{ type: 'spoil', params: 'script failed' }, 'aimBack', { type: 'tell', params: rollingBackNews }],
        },
        {
          description: 'failed',
          target: '#app.waiting',
          actions: [{ type: 'spoil', params: 'script failed' }, { type: 'record', params: historyEntry }, 'dropTarget'],
        },
      ],
    },
    unrestored: {
      always: [
        { guard: 'isStopping', target: '#app.stopped' },
        { guard: 'isLeaving', target: '#app.leaving' },
        { target: '#app.restarting' },
      ],
    },
    /** Cut short with nothing good to restore. */
    abandoned: { always: [{ guard: 'isStopping', target: '#app.stopped' }, { target: '#app.leaving' }] },
  },
  on: {
    stop: [
      { guard: 'canRestore', target: 'pulling', reenter: true, actions: ['noteLeave', 'aimBack'] },
      { guard: 'isForward', target: '.abandoned', actions: 'noteLeave' },
      { actions: 'noteLeave' },
    ],
    retire: [
      { guard: 'canRestore', target: 'pulling', reenter: true, actions: ['noteLeave', 'aimBack'] },
      { guard: 'isForward', target: '.abandoned', actions: 'noteLeave' },
      { actions: 'noteLeave' },
    ],
    shutdown: { target: 'leaving', actions: 'noteLeave' },
    kill: { target: 'leaving', actions: 'noteLeave' },
    start: { guard: 'isStopping', actions: 'noteWish' },
    restart: [{ guard: 'isStopping', actions: 'noteWish' }, {}],
    config: { actions: 'hold' },
  },
});

/** Starting the program on what is now in place, until it is accepted or not. */
export const restarting = appSetup.createStateConfig({
  tags: 'deploying',
  entry: 'forgetHandOver',
  initial: 'trying',
  states: {
    trying: {
      entry: 'start',
      always: [
        { guard: 'isOnlyFiles', target: 'accepted' },
        { guard: 'hasNoProgram', target: 'handingOver' },
      ],
      on: {
        'program.accepted': [{ guard: 'hasHandOver', target: 'handingOver' }, 'accepted'],
        'program.refused': [
          {
            guard: 'canGoBack',
            target: '#app.stopping',
            actions: [
              { type: 'noteObjection', params: ({ event }) => event.failure },
              { type: 'reject', params: 'rolled back' },
              { type: 'spoil', params: 'rolled back' },
              'aimBack',
              { type: 'tell', params: rollingBackNews },
            ],
          },
          {
            description: 'kept',
            guard: 'isForward',
            target: '#app.running',
            actions: [
              { type: 'noteObjection', params: ({ event }) => event.failure },
              { type: 'spoil', params: 'deployed' },
              { type: 'tell', params: keptNews },
              { type: 'record', params: historyEntry },
              'dropTarget',
            ],
          },
          {
            target: '#app.running',
            actions: [{ type: 'tell', params: keptNews }, { type: 'record', params: historyEntry }, 'dropTarget'],
          },
        ],
      },
    },
    /** Nothing else could serve: that it could not be told everywhere is reported, and the program stays. */
    handingOver: {
      invoke: {
        src: 'handOver',
        input: ({ context }) => handOverInput(context),
        onDone: 'accepted',
        onError: { target: 'untold', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    untold: {
      entry: [
        'noteGood',
        { type: 'tell', params: deployedNews },
        { type: 'record', params: historyEntry },
        'dropTarget',
      ],
      always: '#app.running',
    },
    accepted: {
      entry: [
        'noteGood',
        'noteAccepted',
        { type: 'tell', params: deployedNews },
        { type: 'record', params: historyEntry },
        'dropTarget',
      ],
      always: { target: '#app.running', description: 'accepted' },
    },
  },
  on: {
    'program.live': { actions: 'noteLive' },
    restart: {},
    config: { actions: 'hold' },
  },
});
