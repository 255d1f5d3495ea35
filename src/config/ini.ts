import type { Mistake, Position } from './problem.ts';
import { fileStart, type Entry, type Parsed, type Tree } from './tree.ts';

/** Whether commas separate items in the value of a key. */
export type Separates = (section: string, key: string) => boolean;

/**
 * Parses INI: `[section]`, `key = value` or `key: value`, comments (`#`, `;`) only where a line begins. Quotes and
 * backslashes mean nothing. A line that cannot be read is told and passed over. Never throws.
 */
export function parseIni(text: string, separates: Separates): Parsed {
  const sections: Section[] = [];
  const mistakes: Mistake[] = [];
  for (const [index, content] of text.split(/\r\n|\r|\n/).entries()) {
    const line = lineOf(content, index + 1);
    if (line.kind === 'section') sections.push({ ...line, entries: [] });
    if (line.kind === 'mistake') mistakes.push({ ...line, key: sections.at(-1)?.name ?? '' });
    if (line.kind !== 'key') continue;
    const section = sections.at(-1);
    if (section !== undefined) section.entries.push(entryOf(line, separates(section.name, line.name)));
    else if (!/^[_$]/.test(line.name)) mistakes.push({ at: line.at, key: '', ...beforeSections });
  }
  if (sections.length === 0 && mistakes.length === 0) mistakes.push({ at: fileStart, key: '', ...empty });
  const entries = sections.map(({ name, at, entries }): Entry => ({
    key: name,
    at,
    value: { kind: 'table', at, entries },
  }));
  return { root: sections.length === 0 ? null : { kind: 'table', at: fileStart, entries }, mistakes };
}

interface Section {
  readonly name: string;
  readonly at: Position;
  readonly entries: Entry[];
}

interface KeyLine {
  readonly kind: 'key';
  readonly name: string;
  readonly at: Position;
  readonly value: string;
  readonly valueAt: Position;
}

type Line =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'section'; readonly name: string; readonly at: Position }
  | KeyLine
  | { readonly kind: 'mistake'; readonly at: Position; readonly message: string; readonly hint: string };

const empty = {
  message: 'the file is empty',
  hint: 'write [repository], and below it remote path = … and local path = …',
};
const beforeSections = {
  message: 'a key stands before the first section',
  hint: 'write a line like [repository] above it',
};

function lineOf(content: string, line: number): Line {
  const trimmed = content.trim();
  const start = { line, column: content.length - content.trimStart().length + 1 };
  if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) return { kind: 'nothing' };
  if (trimmed.startsWith('[')) return sectionLine(trimmed, start);
  const middle = content.search(/[=:]/);
  if (middle < 0) {
    const hint = 'write key = value; a value cannot go on in the next line';
    return { kind: 'mistake', at: start, message: 'is neither a [section] nor a key with its value', hint };
  }
  const name = content.slice(0, middle).trim();
  if (name === '') return { kind: 'mistake', at: start, message: 'a key is missing', hint: 'write key = value' };
  const rest = content.slice(middle + 1);
  const column = middle + 2 + (rest.trim() === '' ? 0 : rest.length - rest.trimStart().length);
  return { kind: 'key', name, at: start, value: rest.trim(), valueAt: { line, column } };
}

function sectionLine(trimmed: string, start: Position): Line {
  const name = trimmed.slice(1, -1).trim();
  if (!trimmed.endsWith(']') || /[[\]]/.test(name) || name === '') {
    const hint = 'write [section] alone on its line';
    return { kind: 'mistake', at: start, message: 'is not a section as INI writes it', hint };
  }
  return { kind: 'section', name, at: start };
}

function entryOf(line: KeyLine, separated: boolean): Entry {
  const value: Tree =
    separated && line.value !== ''
      ? { kind: 'list', at: line.valueAt, items: itemsOf(line.value, line.valueAt) }
      : { kind: 'leaf', at: line.valueAt, value: line.value };
  return { key: line.name, at: line.at, value };
}

/** Empty items (a comma at the end) are none. */
function itemsOf(value: string, at: Position): readonly Tree[] {
  return [...value.matchAll(/[^,]+/g)].flatMap(({ 0: item, index }): readonly Tree[] => {
    const lead = item.length - item.trimStart().length;
    const place = { line: at.line, column: at.column + index + lead };
    return item.trim() === '' ? [] : [{ kind: 'leaf', at: place, value: item.trim() }];
  });
}
