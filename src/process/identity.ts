import { here } from '../platform/here.ts';
import type { ProcessEntry } from '../platform/platform.ts';

/** One process for all time: pids are used again, and the kernel's start times begin anew with each boot. */
export interface Identity {
  readonly pid: number;
  /** In a unit of the platform's own: see `ProcessEntry`. */
  readonly startTime: number;
  /** The kernel's id of the boot that it was started in. */
  readonly bootId: string;
}

/** The id of the running kernel's boot. */
export const bootId = here.bootId();

/** Who has this pid now; null when nobody does, or only a zombie. */
export function identify(pid: number): Identity | null {
  const entry = here.readEntry(pid);
  return entry === null || entry.isZombie ? null : identityOf(entry);
}

/** A child that Node has not been told the end of yet, so that its pid is its own, dead or alive. */
export function identifyChild(pid: number): Identity {
  const startTime = here.startOfChild(pid);
  if (startTime === null) throw new Error(`process ${pid} has been reaped by somebody else`);
  return { pid, startTime, bootId };
}

/** The identity of a process out of the table. */
export function identityOf(entry: ProcessEntry): Identity {
  return { pid: entry.pid, startTime: entry.startTime, bootId };
}

/** Whether this very process still runs; zombies do not. */
export function isAlive(identity: Identity): boolean {
  if (!here.isSameBoot(identity.bootId)) return false;
  const found = identify(identity.pid);
  return found !== null && here.isSameStart(identity.startTime, found.startTime);
}

/**
 * Sends a signal (`SIGTERM`, …) to this very process, after one more look that it is still the same one. False when it
 * is gone, or when it may not be signalled (it has become another user): whoever waits for its end sees that it stays.
 */
export function sendSignal(identity: Identity, signal: string): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw thrown;
  }
}
