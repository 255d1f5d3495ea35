import { setTimeout as pause } from 'node:timers/promises';
import type { Failure } from '../../machines/failure.ts';
import type { GitPlace } from './place.ts';

export interface Limits {
  readonly place: GitPlace;
  readonly signal: AbortSignal;
  /** null: as long as it takes. */
  readonly seconds: number | null;
  readonly timedOut: (seconds: number) => Failure;
}

/**
 * Waits for a command of this call; when the time is up or the signal aborts, all that carries the call's mark is
 * ended, and only then does this reject. A command that is only about to be spawned is caught as well.
 */
export async function untilEnded<T>(command: Promise<T>, { place, signal, seconds, timedOut }: Limits): Promise<T> {
  const { promise: stop, resolve: stopNow } = Promise.withResolvers<'stop'>();
  let reason: unknown;
  const end = (why: unknown): void => {
    reason ??= why;
    stopNow('stop');
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const timer = seconds === null ? undefined : setTimeout(() => end(timedOut(seconds)), seconds * 1000);
  try {
    const settled = command.then(
      () => 'settled' as const,
      () => 'settled' as const,
    );
    if ((await Promise.race([settled, stop])) === 'settled') return await command;
    do await place.endMarked(place.mark);
    while ((await Promise.race([settled, pause(20)])) !== 'settled');
    await place.endMarked(place.mark);
    throw reason;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
