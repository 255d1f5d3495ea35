import type { AppContext } from './app-context.ts';
import { asFailure, Failure } from './failure.ts';

// What an event of the flow chart brings along: parameters of its guards and actions.

/** What a slot has answered. */
export const outputOf = <T>({ event }: { event: { output: T } }): T => event.output;

/** Why a slot could not do what it was asked. */
export const failureFrom = ({ event }: { event: { error: unknown } }): Failure => asFailure(event.error);

/** What a program tells of its failure. */
export const failureIn = ({ event }: { event: { failure: Failure } }): Failure => event.failure;

/** Why the program on trial is none to turn to any more; while it is being swept it has not told of its end. */
export const lossIn = ({ context: { name, other } }: { context: AppContext }): Failure =>
  other.failure ??
  new Failure('not-accepted', {
    doing: 'running',
    subject: name,
    reason: 'it ended by itself while it was to be handed over to',
    hint: 'Its own output is in logs/app.log.',
  });
