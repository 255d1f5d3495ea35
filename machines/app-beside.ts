import { failureFrom, failureIn, lossIn } from './app-answers.ts';
import { historyEntry } from './app-attempt.ts';
import { drainInput, takeOverInput } from './app-inputs.ts';
import { deployedNews, rejectedNews, stayedNews } from './app-news.ts';
import { placing } from './app-placing.ts';
import { appTrial } from './app-trial.ts';

// A deployment side by side: the states of app-deploying.ts in another order, beside a program that serves all the while.

/** Pre-pull scripts, a release of the new revision, post-pull scripts. Nothing of it touches what runs. */
const pulling = appTrial.createStateConfig({
  entry: 'noteBegun',
  initial: 'first',
  states: {
    ...placing,
    placed: { always: { target: '#app.beside.restarting', description: 'placed' } },
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
    failed: {
      always: [
        { guard: 'isRollback', target: 'unchanged', actions: 'stayForward' },
        { target: 'unchanged', actions: { type: 'spoil', params: 'script failed' } },
      ],
    },
    unchanged: {
      entry: ['noteNoGap', { type: 'record', params: historyEntry }, 'dropTarget'],
      always: { target: '#app.running', description: 'failed' },
    },
  },
});

/** The new one beside the old, until it is accepted and the world has been turned to it, or not. */
const restarting = appTrial.createStateConfig({
  initial: 'clearing',
  states: {
    /** Of the deployment before, whose program could not be ended then. */
    clearing: {
      entry: 'endOther',
      always: { guard: 'isOtherDown', target: 'trying' },
      on: {
        'other.stuck': {
          target: '#app.running',
          actions: [{ type: 'noteFailed', params: failureIn }, 'dropTarget'],
        },
      },
    },
    trying: {
      entry: 'startOther',
      on: {
        'other.live': { actions: 'noteOtherLive' },
        'other.accepted': 'handingOver',
        'other.refused': {
          target: 'refused',
          actions: { type: 'noteObjection', params: failureIn },
        },
      },
    },
    handingOver: {
      always: {
        guard: 'isOtherLost',
        target: 'refused',
        actions: { type: 'noteObjection', params: lossIn },
      },
      invoke: {
        src: 'handOver',
        input: ({ context }) => takeOverInput(context),
        onDone: 'accepted',
        onError: [
          {
            guard: { type: 'isOfScripts', params: failureFrom },
            target: 'refused',
            actions: { type: 'noteObjection', params: failureFrom },
          },
          { target: 'obstructed', actions: { type: 'noteFailed', params: failureFrom } },
        ],
      },
    },
    accepted: {
      entry: [
        'noteNoGap',
        'takeLead',
        'noteAccepted',
        'lookAgain',
        { type: 'tell', params: deployedNews },
        { type: 'record', params: historyEntry },
        'dropTarget',
      ],
      always: { target: '#app.beside.stopping', description: 'accepted' },
    },
    /** The world could not be turned to it: no fault of the revision, which is tried again. */
    obstructed: {
      entry: 'noteNoGap',
      always: [
        {
          guard: 'isRollback',
          target: '#app.beside.stopping.ending',
          actions: ['stayForward', { type: 'record', params: historyEntry }, 'dropTarget'],
        },
        {
          target: '#app.beside.stopping.ending',
          actions: [{ type: 'spoil', params: 'rolled back' }, { type: 'record', params: historyEntry }, 'dropTarget'],
        },
      ],
    },
    refused: {
      always: [
        {
          guard: 'isNewRevision',
          target: '#app.beside.stopping.ending',
          actions: [
            { type: 'reject', params: 'rolled back' },
            { type: 'spoil', params: 'rolled back' },
            'noteNoGap',
            { type: 'tell', params: stayedNews },
            { type: 'record', params: historyEntry },
            'dropTarget',
          ],
        },
        {
          guard: 'isRollback',
          target: '#app.beside.stopping.ending',
          actions: [
            'stayForward',
            'forgetPrevious',
            'noteNoGap',
            { type: 'tell', params: stayedNews },
            { type: 'record', params: historyEntry },
            'dropTarget',
          ],
        },
        { target: '#app.beside.stopping.ending', actions: [{ type: 'tell', params: stayedNews }, 'dropTarget'] },
      ],
    },
  },
});

/** Ending the one that does not lead: the old one when its last request is answered, or at once the one not accepted. */
const stopping = appTrial.createStateConfig({
  initial: 'first',
  states: {
    first: { always: [{ guard: 'hasNoProxy', target: 'ending' }, { target: 'draining' }] },
    /** One that ends by itself meanwhile is not started again. */
    draining: {
      always: { guard: 'isOtherOver', target: 'ending' },
      invoke: { src: 'drain', input: ({ context }) => drainInput(context), onDone: 'ending', onError: 'ending' },
    },
    ending: {
      entry: 'endOther',
      always: { guard: 'isOtherDown', target: '#app.running', description: 'gone' },
    },
  },
  on: {
    'other.stuck': {
      target: '#app.running',
      actions: { type: 'noteFailed', params: failureIn },
    },
  },
});

/** Changing what runs without a gap: the program that leads is left alone until another one has proved itself. */
export const beside = appTrial.createStateConfig({
  tags: 'deploying',
  entry: ['disarm', 'noteGap'],
  initial: 'pulling',
  states: { pulling, restarting, stopping },
  on: {
    restart: {},
    config: { actions: 'hold' },
  },
});
