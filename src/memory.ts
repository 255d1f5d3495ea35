import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// A supervisor lives for months beside the programs that the memory is for. V8 is made for the opposite: by itself it
// keeps twice what a Huddle with a hundred apps needs.

/** Milliseconds after its start by which V8 has looked for more to collect, whatever there is. */
const firstLook = 60_000;

/**
 * To be called first. V8 comes back half a minute after the start, and seconds after a collection, to look for more to
 * collect: each look takes some 30 ms. After `giveBack` there is none; later on they keep a long life as small as a short one.
 */
export function startStill(): void {
  setFlagsFromString('--memory-reducer-gc-count=0');
  setTimeout(() => setFlagsFromString('--memory-reducer-gc-count=2'), firstLook).unref();
}

/** Gives back what the start has taken: once, when all is at rest, as it takes some 50 ms. */
export function giveBack(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; execution: 'sync'; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
