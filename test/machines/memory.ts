import type { AnyEventObject } from 'xstate';
import type { Outcome } from './player.ts';

/**
 * What one machine of a model has been played through. Snapshots of the same text are one, and what an event makes of one
 * is played once: in a graph most transitions leave most machines as they are.
 */
export class Memory<S extends object> {
  private readonly textOf: (snapshot: S) => string;
  private readonly firsts = new Map<string, S>();
  private readonly numbers = new WeakMap<S, number>();
  private readonly outcomes = new WeakMap<S, Map<string, Outcome<S>>>();

  /** Two snapshots of the same text must have the same future. */
  constructor(textOf: (snapshot: S) => string) {
    this.textOf = textOf;
  }

  /** Tells a snapshot from all others; -1: there is none. */
  number(snapshot: S | null): number {
    return snapshot === null ? -1 : (this.numbers.get(snapshot) ?? -1);
  }

  /** An outcome whose snapshot is the first one of its text. */
  keep(outcome: Outcome<S>): Outcome<S> {
    const text = this.textOf(outcome.snapshot);
    const first = this.firsts.get(text);
    if (first !== undefined) return { ...outcome, snapshot: first };
    this.firsts.set(text, outcome.snapshot);
    this.numbers.set(outcome.snapshot, this.firsts.size);
    return outcome;
  }

  /** What an event of this text makes of a snapshot. */
  recall(before: S, event: string, play: () => Outcome<S>): Outcome<S> {
    let known = this.outcomes.get(before);
    if (known === undefined) this.outcomes.set(before, (known = new Map()));
    let outcome = known.get(event);
    if (outcome === undefined) known.set(event, (outcome = this.keep(play())));
    return outcome;
  }
}

const moments = new Set(['at', 'since', 'ran']);

/** Events by what they say, but for when; those that a memory has handed out are read once. */
export class EventTexts {
  private readonly known = new WeakMap<object, string>();
  private readonly replace: (key: string, value: unknown) => unknown;

  /** `nameOf` names what is too long to be written out: a config. */
  constructor(nameOf: (config: never) => string) {
    this.replace = (key, value) => {
      if (moments.has(key)) return undefined;
      return key === 'config' ? nameOf(value as never) : value;
    };
  }

  of(event: AnyEventObject): string {
    let text = this.known.get(event);
    if (text === undefined) this.known.set(event, (text = JSON.stringify(event, this.replace)));
    return text;
  }
}
