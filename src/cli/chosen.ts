import { appNames } from './app-names.ts';
import { meant, Misuse } from './misuse.ts';
import type { Options } from './options.ts';

/** The apps of these names, or all where none is named; an unknown name is a `Misuse`. */
export function chosen<App extends { readonly name: string }>(
  apps: readonly App[],
  names: readonly string[],
): readonly App[] {
  const known = apps.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names.length === 0 ? apps : apps.filter(({ name }) => names.includes(name));
  const right = meant(unknown, known);
  throw new Misuse(`there is no app ${unknown}`, right ? `Did you mean ${right}?` : thereAre(known));
}

/** A verb that does something wants to be told to what: a `Misuse` that says what there is. */
export function mustName(verb: string, { apps, all, folder }: Options, takesAll: boolean): void {
  if (all && apps.length > 0)
    throw new Misuse(`huddle ${verb} takes apps or --all, not both`, 'Leave one of them out.');
  if (all || apps.length > 0) return;
  const hint = `${thereAre(appNames(folder))}${takesAll ? ' --all means all of them.' : ''}`;
  throw new Misuse(`huddle ${verb} needs an app`, hint);
}

function thereAre(names: readonly string[]): string {
  return names.length === 0
    ? 'There are no apps yet: huddle init writes an example.'
    : `There are: ${names.join(', ')}.`;
}
