/**
 * What leads from a state to another, in the words of people: by the name of its description, guard or event in the
 * machine. Labels of one edge are stacked in this order.
 */
export const words: Readonly<Record<string, string>> = {
  // -- an app, between two attempts
  nextCheck: 'time',
  check: 'asked',
  wantsCheck: 'asked',
  wantsTry: 'asked',
  wantsDeploy: 'asked',
  isCondemned: 'crash limit',
  wantsRollback: 'rollback',
  wantsStart: 'start',

  // -- an app, looking for a revision
  isTipUnknown: 'tip unknown',
  isNamed: 'asked',
  isUnopened: 'not open',
  isGoodInPlace: 'in place',
  isGoodElsewhere: 'to restore',
  new: 'new revision',
  moved: 'new revision',
  isUnmoved: 'same',
  isTipInPlace: 'same',
  isInPlace: 'same',
  isUnwanted: 'rejected',
  isTipUnwanted: 'rejected',
  passed: 'passed',
  isPending: 'pending',
  failed: 'failed',
  isCopyGone: 'error',
  error: 'error',

  // -- an app, changing what runs
  gone: 'ended',
  isTreeToRestore: 'ended',
  isStopping: 'stop',
  'program.stuck': 'stuck',
  placed: 'placed',
  accepted: 'accepted',
  canGoBack: 'refused',
  kept: 'kept',
  'program.refused': 'kept',

  // -- a program
  stop: 'stop',
  start: 'start',
  'process.ended': 'exit',
  isAdopted: 'taken over',
  isHealthy: 'healthy',
  readyTimeout: 'not ready',
  'watchdog.unhealthy': 'sick',
  wasStopped: 'stop',
  isJobDone: 'job done',
  isLeftDown: 'left down',
  wasRestarted: 'start',
  isAnsweredAtOnce: 'first crash',
  isAtLimit: 'crash limit',
  crashDelay: 'time',
  isRetried: 'time',
};

const order = Object.values(words);

/** Each label once, in the order of the table. */
export function inOrder(labels: Iterable<string>): string[] {
  return [...new Set(labels)].toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
}
