import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { asFailure, Failure } from '../../machines/failure.ts';
import { isHeldByAnother, type Lock, takeLock } from './lock.ts';
import type { StatePaths } from './paths.ts';

/** Told of what becomes of the state folder while Huddle runs. */
export interface Fate {
  /** It has gone, and cannot be made anew yet. Told once. */
  readonly away: (failure: Failure) => void;
  /** It is there again and locked, perhaps as an empty one: what it should hold is to be written. */
  readonly back: () => void;
  /** Another Huddle has it now, and this one must leave. Told once, and nothing after that. */
  readonly taken: (failure: Failure) => void;
}

export interface KeptLock extends Lock {
  /** Looks now: why the folder is another Huddle's. Null: it is ours, or nobody's. */
  lookForOther(): Failure | null;
}

/** Between two looks: what is mounted over a folder raises no event. Milliseconds. */
const period = 5_000;

/** Who removes a folder is to be done before it is made anew under his hands; milliseconds. */
const patience = 1_000;

/**
 * Keeps the lock of a folder for as long as Huddle runs: when the state folder has gone (removed, unmounted, another one
 * in its place), it is made anew and locked as soon as that can be.
 */
export function keepLock(paths: StatePaths, first: Lock, { away, back, taken }: Fate): KeptLock {
  const home = identityOf(paths.folder);
  let lock = first;
  let isAway = false;
  let other: Failure | null = null;
  let watcher: FSWatcher | null = null;
  let soon: NodeJS.Timeout | undefined;

  function look(): void {
    try {
      if (lock.isInPlace()) {
        if (isAway) returned();
      } else if (mayReturn(paths, home)) renew();
      else lost(gone(paths));
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!isHeldByAnother(failure)) lost(failure);
      else {
        other = failure;
        stop();
        taken(failure);
      }
    }
  }
  function renew(): void {
    const fresh = takeLock(paths);
    lock.release();
    lock = fresh;
    returned();
  }
  function returned(): void {
    isAway = false;
    follow();
    back();
  }
  function lost(failure: Failure): void {
    if (!isAway) away(failure);
    isAway = true;
  }
  /** Without a watch (the system's limits on them), the looks from time to time have to do. */
  function follow(): void {
    watcher?.close();
    try {
      watcher = watch(paths.root, () => {
        clearTimeout(soon);
        soon = setTimeout(look, patience).unref();
      });
      watcher.on('error', () => watcher?.close()).unref();
    } catch {
      watcher = null;
    }
  }
  function stop(): void {
    clearInterval(timer);
    clearTimeout(soon);
    watcher?.close();
  }

  const timer = setInterval(look, period).unref();
  follow();
  return {
    isInPlace: () => lock.isInPlace(),
    lookForOther() {
      if (other === null) look();
      return other;
    },
    release() {
      stop();
      lock.release();
    },
  };
}

/**
 * Another folder without any file in the place of DIR, as under an unmounted disk, says nothing: nothing is made there that
 * would stand in the way of its return.
 */
function mayReturn({ folder, root }: StatePaths, home: string | null): boolean {
  if (dirname(root) !== folder) return identityOf(dirname(root)) !== null;
  const now = identityOf(folder);
  return now !== null && (now === home || readdirSync(folder).length > 0);
}

function identityOf(folder: string): string | null {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return found?.isDirectory() === true ? `${found.dev}:${found.ino}:${found.birthtimeNs}` : null;
}

function gone({ folder, root }: StatePaths): Failure {
  return new Failure('directory-missing', {
    doing: 'keeping state in',
    subject: root,
    reason: 'it has gone',
    hint: `What Huddle knows is kept in memory until ${dirname(root) === folder ? folder : dirname(root)} is back.`,
  });
}
