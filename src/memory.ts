import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// A supervisor lives for months beside the programs that the memory is for. V8 is made for the opposite: by itself it
// keeps twice what a Huddle with a hundred apps needs, and looks for garbage in a process at rest.

/** Milliseconds from the start to the first look at how much is held: who lives no longer need not give back. */
export const moment = 10_000;

/** Milliseconds between two looks. */
const minute = 60_000;

/** Bytes by which it may grow before it is given back. */
const leeway = 10 * 1_048_576;

/**
 * Gives back what the start has taken, and from then on what bursts of work have; never while something is being done,
 * as it takes some 50 ms. Never settles. `atRest` resolves when nothing is being done.
 */
export async function staySmall(atRest: () => Promise<unknown>): Promise<never> {
  // V8's own looks for more, 30 ms each, come half a minute after the start and seconds after each collection.
  setFlagsFromString('--memory-reducer-gc-count=0');
  for (let most = 0, wait = moment; ; wait = minute) {
    await pause(wait, undefined, { ref: false });
    if (held() < most) continue;
    await atRest();
    giveBack();
    most = held() + leeway;
  }
}

/** Bytes that the heap takes of the machine. */
function held(): number {
  return getHeapStatistics().total_physical_size;
}

function giveBack(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; execution: 'sync'; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
