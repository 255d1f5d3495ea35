import { asFailure, type Failure } from './failure.ts';

// What an event of the flow chart brings along: parameters of its guards and actions.

/** What a slot has answered. */
export const outputOf = <T>({ event }: { event: { output: T } }): T => event.output;

/** Why a slot could not do what it was asked. */
export const failureFrom = ({ event }: { event: { error: unknown } }): Failure => asFailure(event.error);

/** What a program tells of its failure. */
export const failureIn = ({ event }: { event: { failure: Failure } }): Failure => event.failure;
