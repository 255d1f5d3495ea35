import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// A supervisor lives for months beside the programs that the memory is for. V8 is made for the opposite: by itself it
// keeps twice what a Huddle with a hundred apps needs.

/**
 * To be called first. By itself V8 looks for more to collect half a minute after the start, and seconds after each
 * collection; in a process at rest there is none, and each look takes some 30 ms.
 */
export function collectOnlyWhenNeeded(): void {
  setFlagsFromString('--memory-reducer-gc-count=0');
}

/** Gives back what the start has taken: once, when all is at rest, as it takes some 50 ms. */
export function giveBack(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; execution: 'sync'; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
