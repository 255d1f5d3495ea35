import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// A supervisor lives for months beside the programs that the memory is for. V8 is made for the opposite: by itself it
// keeps twice what a Huddle with a hundred apps needs.

/** Milliseconds: more than three weeks. */
const longest = 2 ** 31 - 1;

/** Gives back what the start has taken: once, when all is at rest, as it takes some 50 ms. */
export function giveBack(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; execution: 'sync'; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  // After a collection V8 comes back eight seconds later, up to three times, to look for more: there is none.
  setFlagsFromString(`--gc-memory-reducer-start-delay-ms=${longest}`);
}
