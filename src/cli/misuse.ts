import { isNear, nearest } from '../config/nearest.ts';

/** The command was called wrongly: exit 2. The message names what was given, the hint what is meant instead. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The candidate that was probably meant, or undefined where none is near enough to ask. */
export function meant(given: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const { word, apart } = nearest(given, candidates);
  return isNear(given, apart) ? word : undefined;
}
