import { basename } from 'node:path';
import type { Failure } from '../../machines/failure.ts';
import { refused } from './paths.ts';

/** Writing one file: what came of it last, and that it is tried again until it goes well. */
export interface Attempts {
  /** Why the file is not what it should be; null: it is. */
  readonly failure: Failure | null;
  /** Takes what an attempt threw, null where it went well, and says it as a failure. */
  settle(thrown: unknown): Failure | null;
  /** Awaits an attempt, and settles it. Never rejects. */
  of(attempt: Promise<void>): Promise<Failure | null>;
}

/** How long after an attempt that failed the next one follows, milliseconds; and every time after that. */
const retryAfter = 2_000;

/**
 * Follows the attempts to write the file at `path`. `again` is called for as long as they fail; the timer keeps no process
 * alive. `warn` is told when they begin to fail and when they go well again, not every time in between.
 */
export function attemptsAt(
  path: string,
  { warn, again }: { readonly warn: (text: string) => void; readonly again: () => void },
): Attempts {
  let failure: Failure | null = null;
  let timer: NodeJS.Timeout | undefined;

  function settle(thrown: unknown): Failure | null {
    const before = failure;
    failure = thrown === null ? null : refused(thrown, 'writing', path);
    clearTimeout(timer);
    if (failure === null) {
      if (before !== null) warn(`${basename(path)} is written again`);
      return null;
    }
    timer = setTimeout(again, retryAfter).unref();
    if (before === null) {
      warn(`${failure.message}; Huddle goes on with what it has in memory. ${failure.hint}`.trimEnd());
    }
    return failure;
  }

  return {
    get failure() {
      return failure;
    },
    settle,
    of: (attempt) => attempt.then(() => settle(null), settle),
  };
}
