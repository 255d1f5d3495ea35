import { historyEntry } from './app-attempt.ts';
import type { AppMoment } from './app-context.ts';
import { failureFrom, outputOf } from './app-answers.ts';
import { fetchInput, openInput } from './app-inputs.ts';
import {
  type Answered,
  bootNews,
  clonedNews,
  configNews,
  misnamedNews,
  movedNews,
  passedNews,
  pendingNews,
  recoveredNews,
  rejectedNews,
  restoringNews,
  stillRejectedNews,
  testingNews,
  unmovedNews,
} from './app-news.ts';
import { appSetup } from './app-setup.ts';
import { asFailure } from './failure.ts';
import type { Fetched, Verdict } from './slots.ts';

// The states in which an app looks for a revision that is fit to run. Nothing here touches what runs.

const revisionOf = ({ event }: Answered<Fetched>) => event.output.revision;
const tipOf = ({ context }: AppMoment) => context.opened?.tip ?? '';
const testFailure = ({ event }: Answered<Verdict>) =>
  'failure' in event.output ? event.output.failure : asFailure(null);

/** Getting the working copy, or opening the one that is there. */
export const cloning = appSetup.createStateConfig({
  entry: ['dropCheck', 'disarm', { type: 'tell', params: { type: 'cloning' } }],
  initial: 'opening',
  states: {
    opening: {
      invoke: {
        src: 'open',
        input: ({ context }) => openInput(context),
        onDone: {
          target: 'opened',
          actions: [
            { type: 'noteOpened', params: outputOf },
            { type: 'tell', params: clonedNews },
          ],
        },
        onError: [
          // Started on a tree that nobody could look at, it might be another's: it waits.
          { guard: 'isProgramDown', target: '#app.waiting', actions: { type: 'noteFailed', params: failureFrom } },
          { target: '#app.idle', actions: { type: 'noteFailed', params: failureFrom } },
        ],
      },
    },
    opened: {
      always: [
        {
          guard: 'isGoodInPlace',
          target: '#app.restarting',
          actions: ['aimGood', 'noteInPlace', 'noteCheck', { type: 'tell', params: bootNews }],
        },
        {
          guard: 'isGoodElsewhere',
          target: '#app.pulling',
          actions: ['aimGood', 'noteCheck', { type: 'tell', params: restoringNews }],
        },
        { guard: 'isTipUnknown', target: '#app.checking' },
        { guard: 'isNamed', target: '#app.checking' },
        {
          guard: 'isTipInPlace',
          target: '#app.idle',
          actions: [{ type: 'tell', params: recoveredNews }, 'noteWell'],
        },
        { guard: 'isTipUnwanted', target: '#app.idle', actions: 'noteWell' },
        { description: 'new', target: '#app.testing', actions: { type: 'noteCandidate', params: tipOf } },
      ],
    },
  },
  on: {
    // A program that is down is started when its tree has been looked at, and not before.
    restart: { guard: 'isProgramDown' },
    config: {
      guard: 'isToBeStarted',
      actions: [{ type: 'tell', params: configNews }, 'takeConfig', 'configure'],
    },
  },
});

/** Asking the remote, and fetching what is new; the program keeps running. */
export const checking = appSetup.createStateConfig({
  entry: ['dropCheck', 'disarm'],
  initial: 'deciding',
  states: {
    deciding: {
      always: [
        { guard: 'isUnopened', target: '#app.cloning' },
        { guard: 'isNamed', target: 'fetching' },
        { target: 'asking' },
      ],
    },
    asking: {
      invoke: {
        src: 'ask',
        input: ({ context: { name, config, facts } }) => ({ name, config, branch: facts.branch ?? '' }),
        onDone: [
          {
            guard: { type: 'isUnmoved', params: outputOf },
            target: '#app.idle',
            actions: [
              { type: 'tell', params: recoveredNews },
              { type: 'noteAsked', params: outputOf },
              'noteWell',
              'noteContent',
              'dropWish',
              { type: 'tell', params: unmovedNews },
            ],
          },
          {
            guard: { type: 'isUnwanted', params: outputOf },
            target: '#app.idle',
            actions: [
              { type: 'tell', params: recoveredNews },
              { type: 'noteAsked', params: outputOf },
              'noteWell',
              { type: 'tell', params: stillRejectedNews },
            ],
          },
          { target: 'fetching', actions: { type: 'noteAsked', params: outputOf } },
        ],
        onError: [
          {
            guard: { type: 'isCopyGone', params: failureFrom },
            target: '#app.idle',
            actions: [{ type: 'noteFailed', params: failureFrom }, 'noteCheck'],
          },
          { target: '#app.idle', actions: { type: 'noteFailed', params: failureFrom } },
        ],
      },
    },
    fetching: {
      invoke: {
        src: 'fetch',
        input: ({ context }) => fetchInput(context),
        onDone: [
          {
            guard: { type: 'isInPlace', params: outputOf },
            target: '#app.idle',
            actions: ['noteWell', 'pinIfNamed', 'dropWish'],
          },
          {
            description: 'moved',
            target: '#app.testing',
            actions: [
              { type: 'tell', params: movedNews },
              { type: 'noteCandidate', params: revisionOf },
            ],
          },
        ],
        onError: [
          {
            guard: 'isNamed',
            target: '#app.idle',
            actions: [
              { type: 'noteMisnamed', params: failureFrom },
              { type: 'tell', params: misnamedNews },
            ],
          },
          { target: '#app.idle', actions: { type: 'noteFailed', params: failureFrom } },
        ],
      },
    },
  },
  on: {
    'program.down': [
      { guard: 'isLeftBehind', target: 'pulling', actions: ['aimGood', 'noteCheck'] },
      { actions: 'startCurrent' },
    ],
    config: { guard: 'isToBeHeld', actions: 'hold' },
    deploy: { target: 'checking', reenter: true, actions: 'noteWish' },
    rollback: { guard: 'canRollBack', target: 'idle', actions: 'noteWish' },
  },
});

/** Running the test on a candidate, apart from the working copy; the program keeps running. */
export const testing = appSetup.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'isTested', target: 'passed' }, { target: 'judging' }] },
    judging: {
      entry: ['beginTest', { type: 'tell', params: testingNews }],
      invoke: {
        src: 'test',
        input: ({ context: { name, config, facts, attempt } }) => ({
          name,
          config,
          branch: facts.branch ?? '',
          revision: attempt?.revision ?? '',
        }),
        onDone: [
          {
            guard: { type: 'isPassed', params: outputOf },
            target: 'passed',
            actions: { type: 'tell', params: passedNews },
          },
          {
            guard: { type: 'isPending', params: outputOf },
            target: '#app.idle',
            actions: [
              { type: 'noteObjection', params: testFailure },
              'noteWell',
              { type: 'tell', params: pendingNews },
              'dropTarget',
            ],
          },
          {
            description: 'failed',
            guard: 'hasGood',
            target: '#app.idle',
            actions: [
              { type: 'noteObjection', params: testFailure },
              'noteWell',
              { type: 'reject', params: 'test failed' },
              { type: 'tell', params: rejectedNews },
              { type: 'spoil', params: 'test failed' },
              { type: 'record', params: historyEntry },
              'dropTarget',
            ],
          },
          {
            target: '#app.idle',
            actions: [
              { type: 'noteFailed', params: testFailure },
              { type: 'spoil', params: 'test failed' },
              { type: 'record', params: historyEntry },
              'dropTarget',
            ],
          },
        ],
        onError: { target: '#app.idle', actions: [{ type: 'noteFailed', params: failureFrom }, 'dropTarget'] },
      },
    },
    passed: {
      entry: ['notePassed', 'aimForward'],
      always: [
        { guard: 'isBeside', target: '#app.beside', description: 'passed' },
        { target: '#app.stopping', description: 'passed' },
      ],
    },
  },
  on: {
    'program.down': [
      { guard: 'isLeftBehind', target: 'pulling', actions: ['aimGood', 'noteCheck'] },
      { actions: 'startCurrent' },
    ],
    config: { guard: 'isToBeHeld', actions: 'hold' },
    deploy: { target: 'checking', actions: ['dropTarget', 'noteWish'] },
    rollback: { guard: 'canRollBack', target: 'idle', actions: ['dropTarget', 'noteWish'] },
  },
});
