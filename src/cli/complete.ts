import { homedir } from 'node:os';
import type { ArgDef } from 'citty';
import { appNames } from './app-names.ts';
import { root, verbs, type Command } from './commands.ts';
import { shells } from './completion.ts';
import { tokensOf } from './front.ts';

/** What a shell may put where the cursor is. */
interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** In place of candidates: the shell knows best what folders there are. */
const folders = ':folders';

/**
 * What `huddle completion` has a shell ask at each Tab: the words of the command line after `huddle`, up to the cursor.
 * The answer is a line for each candidate (a tab before its description), or `:folders`. Reads no more than the names
 * of the config files, and never fails.
 */
export function complete(words: readonly string[]): string {
  // bash parts words at `=`.
  const current = (words.at(-1) ?? '').replace(/^=$/, '');
  const found = candidates(
    words.slice(0, -1).filter((word) => word !== '='),
    current,
  );
  if (found === folders) return `${folders}\n`;
  const fitting = found.filter(({ word }) => word.startsWith(current));
  return fitting.map(({ word, description }) => `${word}\t${description}\n`).join('');
}

function candidates(before: readonly string[], current: string): readonly Candidate[] | typeof folders {
  const tokens = tokensOf(before);
  const given = tokens.filter((token) => token.kind === 'option');
  const [verb, ...after] = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const command = verb === undefined ? root : verbs.find(({ meta }) => meta.name === verb);
  const open = tokens.at(-1);
  if (command === undefined) return [];
  if (open?.kind === 'option' && open.value === undefined) {
    const wanted = command.args[open.name];
    if (wanted !== undefined && wanted.type !== 'boolean') return valuesOf(wanted);
  }
  const [, inline] = /^--([^=]+)=/.exec(current) ?? [];
  if (inline !== undefined) return inlineValuesOf(inline, command);
  if (current.startsWith('-')) return optionsOf(command, new Set(given.map(({ name }) => name)));
  if (verb === undefined) return verbs.map(({ meta }) => ({ word: meta.name, description: meta.description }));
  const folder = given.findLast(({ name }) => name === 'config')?.value ?? '.';
  return wordsOf(command, after, folder.replace(/^~(?=\/|$)/, homedir()));
}

/** `--for=windows` in one word; folders are for the shell, which completes them only where they stand alone. */
function inlineValuesOf(name: string, { args }: Command): readonly Candidate[] {
  const wanted = args[name];
  const values = wanted === undefined ? folders : valuesOf(wanted);
  return values === folders ? [] : values.map(({ word }) => plain(`--${name}=${word}`));
}

function valuesOf(wanted: ArgDef): readonly Candidate[] | typeof folders {
  if ('options' in wanted && wanted.options !== undefined) return wanted.options.map(plain);
  return wanted.valueHint === 'DIR' ? folders : [];
}

function optionsOf({ args }: Command, given: ReadonlySet<string>): readonly Candidate[] {
  const left = Object.entries(args).filter(([name, { type }]) => type !== 'positional' && !given.has(name));
  return left.map(([name, { description = '' }]) => ({ word: `--${name}`, description }));
}

/** What may stand at the place that comes next. */
function wordsOf({ args }: Command, before: readonly string[], folder: string): readonly Candidate[] {
  const places = Object.keys(args).filter((name) => args[name]?.type === 'positional');
  const place = places.includes('app…') ? 'app…' : places[before.length];
  if (place === 'shell') return shells.map(plain);
  if (place !== 'app' && place !== 'app…') return [];
  return appNames(folder)
    .filter((name) => !before.includes(name))
    .map(plain);
}

function plain(word: string): Candidate {
  return { word, description: '' };
}
