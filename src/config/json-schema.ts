import { sections, type Key } from './keys.ts';
import type { JsonSchema } from './kinds.ts';

/** The JSON Schema (draft 2020-12) of a config file: for editors, and for `huddle schema`. */
export function jsonSchema(): JsonSchema {
  const properties = [...sections].map(([section, keys]) => [section, sectionSchema(keys)] as const);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A config file of Huddle',
    description: 'Each file in the folder of Huddle is one app. Keys that begin with _ or $ are ignored.',
    ...objectOf(Object.fromEntries(properties), ['repository']),
  };
}

function sectionSchema(keys: ReadonlyMap<string, Key<unknown>>): JsonSchema {
  const properties = [...keys].map(([name, key]) => [name, keySchema(key)] as const);
  const required = [...keys].filter(([, key]) => key.required).map(([name]) => name);
  return objectOf(Object.fromEntries(properties), required);
}

function objectOf(properties: JsonSchema, required: readonly string[]): JsonSchema {
  const names = required.length === 0 ? {} : { required };
  return { type: 'object', properties, ...names, patternProperties: { '^[_$]': true }, additionalProperties: false };
}

function keySchema(key: Key<unknown>): JsonSchema {
  const hasDefault = key.default !== null && !key.required;
  const { json } = key.kind;
  const alternatives =
    key.guards || key.required ? json.map(filled) : json.some(isAnyText) ? json : [...json, notGiven];
  const [only = {}] = alternatives;
  return {
    description: key.meaning,
    ...(hasDefault ? { default: key.default } : {}),
    ...(alternatives.length === 1 ? only : { anyOf: alternatives }),
  };
}

/** Blank means "not given", wherever that loosens nothing. */
const notGiven: JsonSchema = { type: 'string', pattern: '^\\s*$' };

function isAnyText(alternative: JsonSchema): boolean {
  return alternative['type'] === 'string' && !('pattern' in alternative);
}

function filled(alternative: JsonSchema): JsonSchema {
  if (alternative['type'] === 'string') return { ...alternative, pattern: '\\S' };
  return alternative['type'] === 'array' ? { ...alternative, minItems: 1 } : alternative;
}

/** The rows of the README's config reference, in Markdown, one key a line, without the table's head. */
export function configReference(): string {
  const rows = [...sections].flatMap(([section, keys]) =>
    [...keys].map(([name, key]) => row([`\`${section}\``, `\`${name}\``, key.meaning, defaultText(key)])),
  );
  return `${rows.join('\n')}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultText(key: Key<unknown>): string {
  return key.without === '' ? `\`${String(key.default)}\`` : key.without;
}
