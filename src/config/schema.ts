import * as v from 'valibot';
import { sections, type Key, type KeyName, type Values } from './keys.ts';
import { heard } from './kinds.ts';
import { isNear, nearest } from './nearest.ts';
import type { Mistake, Position, Wrong } from './problem.ts';
import { fileStart, plain, type Entry, type Table, type Tree } from './tree.ts';

/** A file held against the table of keys, each key by itself. */
export interface Checked {
  /** Where a key is wrong, its default stands in. */
  readonly values: Values;
  readonly mistakes: readonly Mistake[];
  /** Where the value of a key stands: its section where it is not given, the file's start where that is not there either. */
  readonly at: (name: KeyName) => Position;
  readonly isGiven: (name: KeyName) => boolean;
  readonly isWrong: (name: KeyName) => boolean;
  readonly hasSection: (section: keyof Values) => boolean;
}

/** Checks every key of a file and reports every mistake. What several keys say together is for `rules.ts`. */
export function check(root: Table): Checked {
  const mistakes: Mistake[] = [];
  const given = new Map<string, Tree>();
  const places = new Map<string, Position>();
  for (const section of known(root, '', [...sections.keys()], mistakes)) {
    places.set(section.key, section.at);
    for (const entry of entriesOf(section, mistakes)) given.set(`${section.key}.${entry.key}`, entry.value);
  }
  const wrong = new Set<string>();
  const values = mapKeys((name, key) => {
    const tree = given.get(name);
    const at = tree?.at ?? places.get(sectionOf(name)) ?? fileStart;
    const reading = readKey(name, key, tree);
    if (!reading.isGiven) given.delete(name);
    if (reading.mistakes.length > 0) wrong.add(name);
    mistakes.push(...reading.mistakes.map((mistake) => ({ at, key: name, ...mistake })));
    return reading.value;
  });
  return {
    values,
    mistakes,
    at: (name) => given.get(name)?.at ?? places.get(sectionOf(name)) ?? fileStart,
    isGiven: (name) => given.has(name),
    isWrong: (name) => wrong.has(name),
    hasSection: (section) => places.has(section),
  };
}

/** The table's shape, filled by a function: the one place where its type has to be vouched for. */
function mapKeys(fill: (name: string, key: Key<unknown>) => unknown): Values {
  const filled = [...sections].map(([section, keys]) => [
    section,
    Object.fromEntries([...keys].map(([name, key]) => [name, fill(`${section}.${name}`, key)])),
  ]);
  return Object.fromEntries(filled) as Values;
}

function sectionOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

// ---------------------------------------------------------------------------------------------------------------
// Which keys there are
// ---------------------------------------------------------------------------------------------------------------

function entriesOf(section: Entry, mistakes: Mistake[]): readonly Entry[] {
  const names = [...(sections.get(section.key)?.keys() ?? [])];
  if (section.value.kind === 'table') return known(section.value, section.key, names, mistakes);
  const hint = `write "${section.key}": { "${names[0]}": … }`;
  mistakes.push({ at: section.value.at, key: section.key, message: 'a section must be an object', hint });
  return [];
}

/** The entries of a table that are known, each once; `_comment` and `$schema` are passed over, all else is a mistake. */
function known(table: Table, section: string, names: readonly string[], mistakes: Mistake[]): readonly Entry[] {
  const found = new Map<string, Entry>();
  for (const entry of table.entries) {
    if (/^[_$]/.test(entry.key)) continue;
    const key = section === '' ? entry.key : `${section}.${entry.key}`;
    const what = section === '' ? 'section' : 'key';
    const first = found.get(entry.key);
    if (!names.includes(entry.key)) {
      mistakes.push({ at: entry.at, key, message: `unknown ${what}`, hint: suggestion(entry.key, section, names) });
    } else if (first === undefined) {
      found.set(entry.key, entry);
    } else {
      const hint = `it stands in line ${first.at.line} already: take one of them away`;
      mistakes.push({ at: entry.at, key, message: `this ${what} is given twice`, hint });
    }
  }
  return [...found.values()];
}

function suggestion(key: string, section: string, names: readonly string[]): string {
  const best = nearest(key, names);
  if (isNear(key, best.apart)) return `did you mean "${best.word}"?`;
  const elsewhere = [...sections].find(([name, keys]) => name !== section && keys.has(key));
  if (elsewhere !== undefined) return `did you mean "${key}" of section "${elsewhere[0]}"?`;
  return `the nearest known one is "${best.word}"; all of them: ${names.join(', ')}`;
}

// ---------------------------------------------------------------------------------------------------------------
// What a key is given
// ---------------------------------------------------------------------------------------------------------------

interface Reading {
  readonly value: unknown;
  readonly isGiven: boolean;
  /** Without `at`: the mistake is the value as a whole. */
  readonly mistakes: readonly (Wrong & { readonly at?: Position })[];
}

function readKey(name: string, key: Key<unknown>, tree: Tree | undefined): Reading {
  const isEmpty = tree !== undefined && isBlank(tree, key.guards);
  if (isEmpty && key.guards) {
    const hint = 'write a value; to do without, take the key away';
    return { value: key.default, isGiven: true, mistakes: [{ message: 'is empty', hint }] };
  }
  if (tree === undefined || isEmpty) {
    const missing = { message: 'is missing', hint: `write the ${name.slice(name.indexOf('.') + 1)}: ${key.meaning}` };
    return { value: key.default, isGiven: false, mistakes: key.required ? [missing] : [] };
  }
  const reading = readValue(key, tree);
  return 'mistakes' in reading
    ? { value: key.default, isGiven: true, ...reading }
    : { ...reading, isGiven: true, mistakes: [] };
}

function readValue(key: Key<unknown>, tree: Tree): Pick<Reading, 'mistakes'> | Pick<Reading, 'value'> {
  const twice = namesTwice(tree);
  if (twice !== null) return { mistakes: [twice] };
  const result = v.safeParse(key.kind.schema, plain(tree));
  if (result.success) return { value: result.output };
  return { mistakes: result.issues.map((issue) => ({ ...heard(issue.message), at: placeOf(issue, tree) })) };
}

/** Blank texts; where emptiness would loosen something, lists of nothing else as well. */
function isBlank(tree: Tree, guards: boolean): boolean {
  if (tree.kind === 'leaf') return typeof tree.value === 'string' && tree.value.trim() === '';
  return guards && tree.kind === 'list' && tree.items.every((item) => isBlank(item, true));
}

function namesTwice(tree: Tree): (Wrong & { readonly at: Position }) | null {
  if (tree.kind !== 'table') return null;
  const names = tree.entries.map((entry) => entry.key);
  const second = tree.entries.find((entry, index) => names.indexOf(entry.key) < index);
  return second === undefined ? null : { at: second.at, message: 'holds a name twice', hint: 'take one of them away' };
}

/** Where in the value an issue is: valibot names the way by keys and indexes. */
function placeOf(issue: v.BaseIssue<unknown>, tree: Tree): Position {
  let place = tree.at;
  let here: Tree | undefined = tree;
  for (const step of issue.path ?? []) {
    if (here?.kind === 'list') {
      here = here.items[Number(step.key)];
      place = here?.at ?? place;
    } else if (here?.kind === 'table') {
      const entry: Entry | undefined = here.entries.find(({ key }) => key === step.key);
      here = entry?.value;
      place = (step.origin === 'key' ? entry?.at : entry?.value.at) ?? place;
    }
  }
  return place;
}
