import { failureFrom, failureIn } from './app-answers.ts';
import { historyEntry } from './app-attempt.ts';
import { handOverInput } from './app-inputs.ts';
import { deployedNews, keptNews, rejectedNews, rollingBackNews, stoppingNews } from './app-news.ts';
import { placing } from './app-placing.ts';
import { appSetup } from './app-setup.ts';

// The states in which an app changes what runs.

/** What cannot be killed keeps nobody from leaving, but a deployment from going on. */
const whenStuck = [
  { guard: 'isLeavingForGood', target: 'leaving' },
  { guard: 'isLeaving', actions: { type: 'noteFailed', params: failureIn } },
  { target: 'running', actions: [{ type: 'noteFailed', params: failureIn }, 'dropTarget'] },
] as const;

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
    'program.stuck': whenStuck,
    'other.stuck': whenStuck,
  },
});

/** Pre-pull scripts, the new revision, post-pull scripts; and the way back when one of them fails. */
export const pulling = appSetup.createStateConfig({
  tags: 'deploying',
  entry: 'noteIntent',
  initial: 'first',
  states: {
    ...placing,
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
              { type: 'noteObjection', params: failureIn },
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
              { type: 'noteObjection', params: failureIn },
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
