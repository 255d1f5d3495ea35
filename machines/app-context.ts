import type { AppConfig } from './config.ts';
import type { Facts, HistoryEntry, Revision } from './facts.ts';
import type { Failure } from './failure.ts';
import { changedSections, checkDelay, configIn, isRejected } from './policy.ts';
import {
  type AppCommand,
  type AppInput,
  noProgram,
  type OtherReport,
  type ProgramReport,
  type ProgramStatus,
  type ProgramTold,
  type Side,
  type World,
} from './protocol.ts';
import type { Asked, Opened } from './slots.ts';

// What an app's machine knows: plain functions for its charts.

/** Where the app is going: to a new revision, back to a good one, or up again with what was there at the start. */
export interface Target {
  readonly revision: Revision;
  readonly way: 'forward' | 'back' | 'boot';
  /** Where its tree is; null until that is known. */
  readonly directory?: string | null;
}

/** Where a program runs. */
export interface Place {
  /** As it was configured then: a newer config may name another one. */
  readonly localPath: string;
  /** That, or a release's folder in it. */
  readonly directory: string;
}

/** One attempt to deploy, from the move of the branch to the end, the way back included. */
export interface Attempt {
  readonly revision: Revision;
  readonly from: Revision | null;
  /** Milliseconds since the epoch, as all times here. */
  readonly began: number;
  readonly result: HistoryEntry['result'];
  readonly reason: string;
  /** Named by an operator: it stays until `resume`. */
  readonly byHand: boolean;
  readonly downSince: number | null;
  readonly liveAt: number | null;
}

/** What an operator asked for that is still to come. */
export type Wish =
  | { readonly type: 'deploy'; readonly revision: string | null }
  | { readonly type: 'rollback'; readonly leaving: Revision }
  /** While it is still being stopped. */
  | { readonly type: 'start' };

/** Why the app is ending. */
export type Leave = 'stop' | 'retire' | 'shutdown' | 'detach';

export interface AppContext extends World {
  readonly name: string;
  config: AppConfig;
  /** Came during a deployment; in force after it. */
  held: AppConfig | null;
  facts: Facts;
  opened: Opened | null;
  /** The repository, as it is configured now, has been opened; until then nothing else is asked of it. */
  isOpen: boolean;
  /** Where the program runs. */
  placedAt: Place | null;
  asked: Asked | null;
  target: Target | null;
  attempt: Attempt | null;
  wish: Wish | null;
  leave: Leave | null;
  /** The revision that last passed its test: scripts that fail need no second test of it. */
  tested: Revision | null;
  scriptTries: { readonly revision: Revision; readonly count: number } | null;
  /** A check was asked for while none could be made. */
  checkAgain: boolean;
  /** The program reached its crash limit while its revision was still being proved. */
  condemned: Failure | null;
  /** The program that leads was accepted while there was something else to do: the world is still to be turned to it. */
  owesHandOver: boolean;
  /** Attempts in a row that ended in an error. */
  failures: number;
  /** What is wrong with asking, fetching, pulling. */
  trouble: Failure | null;
  /** What is wrong with the newest revision. */
  objection: Failure | null;
  /** Why a revision that an operator named could not be had: nothing is wrong with the app. */
  misnamed: Failure | null;
  isTold: boolean;
  nextCheck: number | null;
  testingSince: number;
  /** The side of the program that serves. */
  lead: Side;
  program: ProgramStatus;
  /** The one beside it, side by side: on trial, or on its way out. */
  other: ProgramStatus;
  /** What is to be added to those of the program that leads, so that the app's never fall when another one comes to lead. */
  earlierRestarts: number;
}

export type AppEvent = AppCommand | ProgramTold | ProgramReport | OtherReport;

export function newContext(input: AppInput): AppContext {
  return {
    ...input,
    held: null,
    opened: null,
    isOpen: false,
    placedAt: null,
    asked: null,
    target: null,
    attempt: null,
    wish: null,
    leave: null,
    tested: null,
    scriptTries: null,
    checkAgain: false,
    condemned: null,
    owesHandOver: false,
    failures: 0,
    trouble: null,
    objection: null,
    misnamed: null,
    isTold: true,
    nextCheck: null,
    testingSince: 0,
    lead: 'blue',
    program: noProgram,
    other: noProgram,
    earlierRestarts: 0,
  };
}

/** What is wrong with an app, the gravest first; null when nothing is. */
export function failureOf({ trouble, objection, program }: AppContext): Failure | null {
  return trouble ?? program.failure ?? objection;
}

/** The working copy is not there any more: it has to be opened anew. */
export function isGone({ code }: Failure): boolean {
  return code === 'directory-missing';
}

/** Whether there is something to run: a revision that was good, or at least one that has been put in place. */
export function isServing({ facts, program }: AppContext): boolean {
  const isPlaced = facts.current !== null && facts.pulling === null;
  return facts.good !== null || isPlaced || program.state !== 'down';
}

/** Whether what comes next is to be started beside what is there: up, or at least tried. */
export function isBeside({ deployment, application }: AppConfig, { state }: ProgramStatus): boolean {
  return deployment.strategy === 'side by side' && application.start !== null && state !== 'down';
}

/** Whether somebody has to be told which release is in charge. */
export function hasHandOver({ deployment, application }: AppConfig): boolean {
  return deployment.strategy === 'side by side' || application.proxy !== null;
}

/** The program is down, and what it last ran is no longer what is in place: only a new start may bring it up. */
export function isStale({ facts, program }: AppContext): boolean {
  return program.state === 'down' && program.revision !== facts.current;
}

/** Only a new revision is rolled back, and only to another one that was good. */
export function canGoBack({ facts, target, config }: AppContext): boolean {
  return (
    target?.way === 'forward' && facts.good !== null && facts.good !== target.revision && config.deployment.rollback
  );
}

/** What an operator who asks for a rollback wants to leave: what is being deployed, or what is in place. */
export function leftByRollback({ facts, target }: AppContext): Revision | null {
  return target?.way === 'forward' ? target.revision : facts.current;
}

/** Whether there is a good revision to roll back to, now or when the deployment that is under way has ended. */
export function canRollBack({ facts, target }: AppContext): boolean {
  return target?.way === 'forward' ? facts.good !== null : facts.previous !== null;
}

/** A script that failed leaves a half-made tree: back to the good revision, whatever `rollback` says. */
export function canRestore({ facts, target }: AppContext): boolean {
  return target?.way === 'forward' && facts.good !== null;
}

/** While a good one runs, a rejected revision is left alone; an operator may name it all the same. */
export function isUnwanted({ facts, now, wish }: AppContext, tip: Revision): boolean {
  return wish === null && facts.good !== null && isRejected(facts.rejected, tip, now());
}

export function mayCheck({ facts }: AppContext): boolean {
  return !facts.paused && !facts.pinned;
}

/** Whether an app with nothing running may try again by itself: to start what was good, nothing is asked of the remote. */
export function mayTry(context: AppContext): boolean {
  return mayCheck(context) || context.facts.good !== null;
}

/** When the next check is due; milliseconds since the epoch. */
export function dueTime({ config, failures, random, now }: AppContext): number {
  return now() + checkDelay(config.timing, failures, random);
}

/** What an action is given. */
export interface AppMoment {
  readonly context: AppContext;
}

/** A changed config, and what it makes worth trying again: what failed by the old one is forgiven. */
export function configChange(context: AppContext, config: AppConfig): Partial<AppContext> {
  const sections = changedSections(context.config, config);
  const isTestChanged = sections.includes('test');
  const areScriptsChanged = sections.includes('scripts');
  const rejected = context.facts.rejected.filter(
    ({ why }) => !(isTestChanged && why === 'test failed') && !(areScriptsChanged && why === 'script failed'),
  );
  return {
    config,
    facts: { ...context.facts, rejected },
    isOpen: context.isOpen && !sections.includes('repository'),
    tested: isTestChanged ? null : context.tested,
    scriptTries: areScriptsChanged ? null : context.scriptTries,
    checkAgain: context.checkAgain || rejected.length < context.facts.rejected.length,
  };
}

/** The config for the program that runs now: where the repository is to go does not concern it before a deployment. */
export function runningConfig({ config, placedAt }: Pick<AppContext, 'config' | 'placedAt'>): AppConfig {
  return placedAt === null ? config : configIn(config, placedAt.directory);
}

/** The config for a program that is started: in the release of its revision, where it has one. */
export function startConfig({ config, placedAt }: Pick<AppContext, 'config' | 'placedAt'>): AppConfig {
  const isHere = placedAt?.localPath === config.repository.localPath;
  return isHere ? configIn(config, placedAt.directory) : config;
}
