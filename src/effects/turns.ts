import { setTimeout as sleep } from 'node:timers/promises';

/** Takes turns: work that is asked for waits until one of so many places is free. */
export interface Turns {
  /** Rejects with the signal's reason when that aborts, or has aborted, before the turn has come. */
  take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Milliseconds after which whoever holds a place no longer counts: a remote that hangs must not hold up all others. */
const longestHold = 2_000;

export function turns(places: number): Turns {
  let free = places;
  const queue: (() => void)[] = [];
  const leave = (): void => {
    const next = queue.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const enter = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const turn = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        queue.splice(queue.indexOf(turn), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      queue.push(turn);
    });
  return {
    async take(work, signal) {
      signal.throwIfAborted();
      if (free > 0) free -= 1;
      else await enter(signal);
      const done = new AbortController();
      const held = sleep(longestHold, undefined, { signal: done.signal, ref: false }).catch(() => undefined);
      void held.then(leave);
      try {
        return await work();
      } finally {
        done.abort();
      }
    },
  };
}
