import {
  type AppContext,
  type AppEvent,
  canGoBack,
  canRollBack,
  canRestore,
  hasHandOver,
  isBeside,
  isServing,
  isUnwanted,
  mayCheck,
  mayTry,
  isGone,
} from './app-context.ts';
import type { Failure } from './failure.ts';
import { disturbance, isSame, scriptTries } from './policy.ts';
import type { Asked, Fetched, Pulled, Verdict } from './slots.ts';

/** What a guard is given. */
export interface Scene {
  readonly context: AppContext;
  readonly event: AppEvent;
}

/** The questions of the flow chart in app.ts, by name. */
export const guards = {
  isCopyGone: (_scene: Scene, failure: Failure) => isGone(failure),
  isOfScripts: (_scene: Scene, { code }: Failure) => code === 'script-failed',
  isUnopened: ({ context }: Scene) => !context.isOpen,
  isStopped: ({ context }: Scene) => context.facts.stopped,
  isServing: ({ context }: Scene) => isServing(context),
  isGoodInPlace: ({ context: { facts, opened, program } }: Scene) =>
    program.state === 'down' && facts.good !== null && opened?.head === facts.good && facts.pulling === null,
  isGoodElsewhere: ({ context: { facts, program } }: Scene) => program.state === 'down' && facts.good !== null,
  /** What could not be stopped when it was to be left, and has ended since. */
  isLeftBehind: ({ context: { facts, config } }: Scene) =>
    config.application.start !== null &&
    facts.good !== null &&
    facts.rejected.some(({ revision }) => revision === facts.current),
  isTipUnknown: ({ context }: Scene) => context.opened?.tip === null,
  isTipInPlace: ({ context: { opened, facts, program } }: Scene) =>
    program.state !== 'down' && opened?.tip === facts.current && opened?.head === facts.current,
  isTipUnwanted: ({ context }: Scene) => isUnwanted(context, context.opened?.tip ?? ''),
  isUnmoved: ({ context }: Scene, { tip }: Asked) => tip === context.facts.current,
  isUnwanted: ({ context }: Scene, { tip }: Asked) => isUnwanted(context, tip),
  isInPlace: ({ context: { facts } }: Scene, { revision }: Fetched) => revision === facts.current,
  isNamed: ({ context: { wish } }: Scene) => wish?.type === 'deploy' && wish.revision !== null,
  isTested: ({ context: { config, tested, attempt } }: Scene) => config.test === null || tested === attempt?.revision,
  hasGood: ({ context }: Scene) => context.facts.good !== null,
  isPassed: (_scene: Scene, verdict: Verdict) => verdict.kind === 'passed',
  isPending: (_scene: Scene, verdict: Verdict) => verdict.kind === 'pending',
  isProgramDown: ({ context }: Scene) => context.program.state === 'down',
  areProgramsDown: ({ context: { program, other } }: Scene) => program.state === 'down' && other.state === 'down',
  isOtherOver: ({ context }: Scene) => context.other.state !== 'up',
  /** It has been accepted, and then it did not stay; one that is down has done its job. */
  isOtherLost: ({ context: { other } }: Scene) =>
    other.verdict === 'accepted' && other.state !== 'up' && other.state !== 'down',
  isOtherDown: ({ context }: Scene) => context.other.state === 'down',
  /** What comes next is started beside what is there. */
  isBeside: ({ context }: Scene) => isBeside(context.config, context.program),
  hasNoProgram: ({ context }: Scene) => context.config.application.start === null,
  hasNoProxy: ({ context }: Scene) => context.config.application.proxy === null,
  /** There is neither a program nor anybody to be told. */
  isOnlyFiles: ({ context: { config } }: Scene) =>
    config.application.start === null && config.deployment.strategy === 'in place',
  /** Before the first revision there is nothing to prepare: pre-pull scripts are for what is in place. */
  hasPrePull: ({ context: { config, target, facts } }: Scene) =>
    target?.way === 'forward' && facts.current !== null && config.scripts.prePull.length > 0,
  hasPostPull: ({ context }: Scene, { isFresh }: Pulled) => isFresh && context.config.scripts.postPull.length > 0,
  hasHandOver: ({ context }: Scene) => hasHandOver(context.config),
  owesHandOver: ({ context }: Scene) => context.owesHandOver,
  canGoBack: ({ context }: Scene) => canGoBack(context),
  canRestore: ({ context }: Scene) => canRestore(context),
  isForward: ({ context }: Scene) => context.target?.way === 'forward',
  /** The good revision, tried once more, is not rejected for it. */
  isNewRevision: ({ context: { target, facts } }: Scene) => target?.way === 'forward' && target.revision !== facts.good,
  isBackward: ({ context }: Scene) => context.target?.way !== 'forward',
  isRollback: ({ context }: Scene) => context.target?.way === 'back',
  hasUsedItsTries: ({ context: { scriptTries: tries } }: Scene) => (tries?.count ?? 0) >= scriptTries,
  /** The tree is not the good one's, and is to be made so before the app is left alone. */
  isTreeToRestore: ({ context: { leave, facts } }: Scene) =>
    (leave === 'stop' || leave === 'retire') &&
    facts.good !== null &&
    (facts.pulling !== null || facts.current !== facts.good),
  isStopping: ({ context }: Scene) => context.leave === 'stop',
  isLeaving: ({ context }: Scene) => context.leave !== null,
  isLeavingForGood: ({ context }: Scene) => context.leave !== null && context.leave !== 'stop',
  isCondemned: ({ context }: Scene) => context.condemned !== null,
  wantsRollback: ({ context: { wish, facts } }: Scene) =>
    wish?.type === 'rollback' && wish.leaving === facts.current && facts.previous !== null,
  /** There is nothing left to roll back. */
  isRollbackOver: ({ context }: Scene) => context.wish?.type === 'rollback',
  wantsStart: ({ context: { wish } }: Scene) => wish?.type === 'start' || wish?.type === 'deploy',
  wantsDeploy: ({ context }: Scene) => context.wish?.type === 'deploy',
  wantsCheck: ({ context }: Scene) => context.checkAgain && mayCheck(context),
  mayCheck: ({ context }: Scene) => mayCheck(context),
  wantsTry: ({ context }: Scene) => context.checkAgain && mayTry(context),
  mayTry: ({ context }: Scene) => mayTry(context),
  /** Paused before there was anything to run. */
  isLeftAlone: ({ context }: Scene) => !mayTry(context) && context.facts.current === null,
  canRollBack: ({ context }: Scene) => canRollBack(context),
  isNothingChanged: ({ context, event }: Scene) => event.type === 'config' && isSame(context.config, event.config),
  isRepositoryChanged: ({ context, event }: Scene) =>
    event.type === 'config' && disturbance(context.config, event.config) === 'repository',
  areDetailsChanged: ({ context, event }: Scene) =>
    event.type === 'config' && disturbance(context.config, event.config) === 'details',
  isProgramChanged: ({ context, event }: Scene) =>
    event.type === 'config' && disturbance(context.config, event.config) === 'program',
  isProgramChangedBeside: ({ context: { config, program }, event }: Scene) =>
    event.type === 'config' && isBeside(event.config, program) && disturbance(config, event.config) === 'program',
  /** The repository and the program: one after the other, so that what serves is not ended for the second. */
  isAllChangedBeside: ({ context: { config, program }, event }: Scene) =>
    event.type === 'config' &&
    isBeside(event.config, program) &&
    disturbance(config, event.config) === 'repository' &&
    disturbance(config, { ...event.config, repository: config.repository }) === 'program',
  /** It would have a check or a test broken off. */
  isToBeHeld: ({ context: { config, program, held }, event }: Scene) =>
    event.type === 'config' &&
    (held !== null || (isBeside(event.config, program) && disturbance(config, event.config) === 'program')),
  isToBeStarted: ({ context, event }: Scene) =>
    event.type === 'config' &&
    context.program.state === 'down' &&
    ['details', 'program'].includes(disturbance(context.config, event.config)),
  isProgramRemoved: ({ context, event }: Scene) =>
    event.type === 'config' && event.config.application.start === null && context.config.application.start !== null,
  /** The one before, if there was one, has ended. */
  isProgramAddedToNone: ({ context, event }: Scene) =>
    event.type === 'config' &&
    event.config.application.start !== null &&
    context.config.application.start === null &&
    context.program.state === 'down',
  isProgramAdded: ({ context, event }: Scene) =>
    event.type === 'config' &&
    event.config.application.start !== null &&
    context.config.application.start === null &&
    context.facts.good !== null,
};
