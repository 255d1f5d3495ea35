import { fromPromise, setup } from 'xstate';
import type { AppContext, AppEvent } from './app-context.ts';
import { guards } from './app-guards.ts';
import { programMachine } from './program.ts';
import type { AppInput } from './protocol.ts';
import type {
  Asked,
  AskInput,
  CloseInput,
  DrainInput,
  Fetched,
  FetchInput,
  HandOverInput,
  Opened,
  OpenInput,
  Pulled,
  PullInput,
  ScriptInput,
  Slot,
  TestInput,
  Verdict,
} from './slots.ts';

const unfilled = (slot: string) => () => {
  throw new Error(`the slot ${slot} has not been filled`);
};

/** What the flow chart in app.ts is made with: its data, events, slots, guards and delays; its actions come on top. */
export const appSlots = setup({
  types: {
    context: {} as AppContext,
    events: {} as AppEvent,
    input: {} as AppInput,
    tags: {} as 'deploying' | 'leaving',
  },
  actors: {
    program: programMachine,
    open: fromPromise<Opened, OpenInput>(unfilled('open')),
    ask: fromPromise<Asked, AskInput>(unfilled('ask')),
    fetch: fromPromise<Fetched, FetchInput>(unfilled('fetch')),
    test: fromPromise<Verdict, TestInput>(unfilled('test')),
    pull: fromPromise<Pulled, PullInput>(unfilled('pull')),
    script: fromPromise<void, ScriptInput>(unfilled('script')),
    handOver: fromPromise<void, HandOverInput>(unfilled('handOver')),
    drain: fromPromise<void, DrainInput>(unfilled('drain')),
    /** Resolves when every effect that was cut short has ended, and what had to be written is on disk. */
    close: fromPromise<void, CloseInput>(unfilled('close')),
    /** Closes what lets requests in to an app that is stopped. */
    shut: fromPromise<void, Slot>(unfilled('shut')),
  },
  guards,
  delays: {
    nextCheck: ({ context }) => Math.max(0, (context.nextCheck ?? context.now()) - context.now()),
  },
});
