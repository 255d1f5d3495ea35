import type { AppStatus } from '../control/status.ts';
import { meant, Misuse } from './misuse.ts';

/** The apps of these names, or all where none is named; an unknown name is a `Misuse`. */
export function chosen(apps: readonly AppStatus[], names: readonly string[]): readonly AppStatus[] {
  const known = apps.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names.length === 0 ? apps : apps.filter(({ name }) => names.includes(name));
  const right = meant(unknown, known);
  throw new Misuse(`there is no app ${unknown}`, right ? `Did you mean ${right}?` : `There are: ${known.join(', ')}.`);
}
