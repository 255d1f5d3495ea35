import { lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AppConfig } from '../../machines/config.ts';
import { asFailure, Failure } from '../../machines/failure.ts';
import { syncWorkingCopy } from '../git/check-out.ts';
import type { GitPlace } from '../git/place.ts';
import { type AppLedger, openAppLedger, type ProgramRecord } from '../ledger/app-ledger.ts';
import { type AppPaths, errorCode, mustStand, type StatePaths } from '../ledger/paths.ts';
import { deployLog, type DeployLog } from '../logs/open.ts';
import { marksOf } from '../process/adopt.ts';
import { endMarked } from '../process/end.ts';
import { bootId } from '../process/identity.ts';
import { appPrefix, folderMark, newMark } from '../process/mark.ts';
import { type RunAs, runAs } from '../process/user.ts';
import { type Doors, closedDoors } from './doors.ts';
import type { Turns } from './turns.ts';

/** What every app of a Huddle shares. */
export interface Office {
  readonly paths: StatePaths;
  /** The marks of what a dead Huddle of this folder has left running. */
  readonly remains: readonly string[];
  /** A line of Huddle's own log about an app. */
  readonly warn: (app: string, text: string) => void;
  /** Why no program may be started here any more: another Huddle has the folder. Not given, or null: it is ours. */
  readonly taken?: () => Failure | null;
  /** Bounds how many remotes are spoken to at once. */
  readonly network: Turns;
  /** Bounds how many working copies are opened at once; apart, so that nobody's start waits for a network. */
  readonly local: Turns;
}

/**
 * Where the work of one app is done: its ledger, its logs, its marks; and one effect at a time, so that a git that is
 * being ended is gone before the next one touches the same working copy.
 */
export interface Desk {
  readonly name: string;
  readonly paths: AppPaths;
  readonly ledger: AppLedger;
  /** A fresh mark for whatever is started. */
  mark(): string;
  /** Runs one effect when the one before has ended; not at all when it is no longer wanted by then. */
  alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /**
   * Runs a look that changes nothing when the effect before has ended. It makes way: its signal aborts as soon as an effect is
   * to run, or the app is to end, and it rejects with `not-accepted`.
   */
  aside<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Resolves when no effect is at work and the ledger is on disk. */
  idle(): Promise<void>;
  /** A part of deploy.log, for as long as `work` takes. */
  withLog<T>(what: string, config: AppConfig, work: (log: DeployLog) => Promise<T>): Promise<T>;
  /** For one call of git. Opens deploy.log only when there is something to write. */
  withGit<T>(what: string, config: AppConfig, work: (place: GitPlace) => Promise<T>): Promise<T>;
  /** The working copy is about to change: no sync that is under way vouches for it. */
  beginChange(): void;
  /** Lets the working copy reach the disk, beside all else; a power cut before that is seen at the next start. */
  syncSoon(config: AppConfig): void;
  /** The marks of what an earlier life of this app has left running; empty from the second time on. */
  takeRemains(): readonly string[];
  /** What an earlier life has left and this one takes over. */
  spared: ProgramRecord | null;
  readonly doors: Doors;
  /** Whether the remains of an earlier life have been seen to in this one. */
  isSettled: boolean;
  /** Ends whatever this app has left running. */
  sweep(): Promise<void>;
  /** The app's actor has died: what it left is looked for when the next one begins. */
  lookForRemains(): void;
  /** See `Office.taken`. */
  taken(): Failure | null;
  /** A line of Huddle's own log about this app. */
  readonly warnOf: (failure: Failure) => void;
}

export function openDesk(name: string, office: Office): Desk {
  const paths = office.paths.app(name);
  const warn = (text: string) => office.warn(name, text);
  const hash = folderMark(office.paths.folder);
  const marks = appPrefix(hash, name);
  const mark = () => newMark(hash, name);
  const ledger = openAppLedger(paths, { warn, bootId, marks });
  let remains: readonly string[] = office.remains.filter((mark) => mark.startsWith(marks));
  let changes = 0;
  let last: Promise<unknown> = Promise.resolve();

  /** Once the work before has ended; not at all when the signal has aborted by then. */
  const inTurn = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => {
      signal.throwIfAborted();
      return work();
    });
    last = turn.catch((_reported: Failure) => undefined);
    return turn;
  };

  const looks = new Set<AbortController>();
  const makeWay = (): void => {
    for (const look of looks) look.abort(madeWay(name));
  };

  const desk: Desk = {
    name,
    paths,
    ledger,
    mark,
    alone(signal, work) {
      makeWay();
      return inTurn(signal, work);
    },
    aside(work) {
      const yielding = new AbortController();
      looks.add(yielding);
      return inTurn(yielding.signal, () => work(yielding.signal)).finally(() => looks.delete(yielding));
    },
    async idle() {
      makeWay();
      await last;
      await desk.doors.idle();
      // A sync that is under way is not waited for; it may end when another Huddle has the ledger, and is forgotten.
      desk.beginChange();
      await ledger.flush();
    },
    async withLog(what, config, work) {
      const log = openPart(paths, what, config, warn);
      try {
        return await work(log);
      } finally {
        log.close();
      }
    },
    async withGit(what, config, work) {
      const as = runAs(config.application.user);
      let log = null as Pick<DeployLog, 'write' | 'close'> | null;
      try {
        return await work({
          name,
          repository: config.repository,
          runAs: as.prefix,
          environment: as.environment,
          mark: desk.mark(),
          endMarked: (mark) => endMarked(mark),
          log: (text) => {
            log ??= openPartOrNone(paths, what, config, warn);
            log.write(text);
          },
          emptyFolder: office.paths.empty,
          candidates: candidatesFolder(paths, hash, name, as),
        });
      } finally {
        log?.close();
      }
    },
    beginChange() {
      changes += 1;
    },
    syncSoon(config) {
      const change = changes;
      const sync = desk.withGit('syncing', config, (place) => syncWorkingCopy(place, new AbortController().signal));
      sync.then(
        () => (change === changes ? ledger.rememberSynced() : null),
        (failure: Failure) => warn(failure.message),
      );
    },
    takeRemains() {
      const taken = remains;
      remains = [];
      return taken;
    },
    sweep: () => endMarked(marks),
    spared: null,
    doors: closedDoors({ paths, mark, warn }),
    isSettled: false,
    lookForRemains() {
      desk.isSettled = false;
      try {
        remains = marksOf(marks);
      } catch (thrown) {
        warn(asFailure(thrown).message);
      }
    },
    taken: () => office.taken?.() ?? null,
    warnOf: (failure) => warn(failure.message),
  };
  return desk;
}

/** What git has to say must not keep it from its work: a log that cannot be opened is warned of and done without. */
function openPartOrNone(
  paths: AppPaths,
  what: string,
  config: AppConfig,
  warn: (text: string) => void,
): Pick<DeployLog, 'write' | 'close'> {
  try {
    return openPart(paths, what, config, warn);
  } catch (thrown) {
    warn(asFailure(thrown).message);
    return { write: () => undefined, close: () => undefined };
  }
}

function madeWay(name: string): Failure {
  const reason = 'the app has had something to do meanwhile';
  return new Failure('not-accepted', { doing: 'looking for', subject: name, reason, hint: 'Look again.' });
}

function openPart(paths: AppPaths, what: string, config: AppConfig, warn: (text: string) => void): DeployLog {
  mustStand(paths);
  const { uid, gid } = runAs(config.application.user);
  return deployLog(paths.deployLog, { what, warn, ...(uid === null || gid === null ? {} : { owner: { uid, gid } }) });
}

/**
 * Where candidates are checked out to be tested: not under `.git`, which some test runners pass over. A user other than
 * Huddle's cannot look into the state folder; for it there is one in the folder for large temporary files.
 */
function candidatesFolder(paths: AppPaths, hash: string, name: string, { uid }: RunAs): string {
  return uid === null
    ? join(paths.directory, 'candidates')
    : join('/var/tmp', `huddle-${hash}-${encodeURIComponent(name)}`);
}

/**
 * Makes that folder, where it is another user's. It is given away once, when it is new: later the user could have put a
 * link in its place.
 */
export function makeCandidatesFolder(folder: string, { uid, gid }: RunAs): void {
  if (uid === null || gid === null) return;
  try {
    mkdirSync(folder, { mode: 0o700 });
    lchownSync(folder, uid, gid);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const found = lstatSync(folder);
    if (found.isDirectory() && found.uid === uid) return;
    throw new Failure('path-occupied', {
      doing: 'making a checkout in',
      subject: folder,
      reason: 'it is not a folder of the app’s user',
      hint: 'Remove it.',
      cause: error,
    });
  }
}
