import * as v from 'valibot';
import type { Wrong } from './problem.ts';

/** A piece of JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a value may be: as valibot checks and turns it, and as JSON Schema says it (any one of the list). */
export interface Kind<T> {
  readonly schema: v.GenericSchema<unknown, T>;
  readonly json: readonly JsonSchema[];
}

/** A message and its hint as the one string that valibot carries; `heard` takes them apart again. */
function say(message: string, hint: string): string {
  return `${message}\n${hint}`;
}

/** Valibot's own messages hold what it received, which may be a secret: none of them gets out. */
export function heard(text: string): Wrong {
  const [message = '', hint] = text.split('\n');
  return hint === undefined ? { message: 'does not fit here', hint: '' } : { message, hint };
}

/** Longest time in seconds: three weeks, and a tenth more, are what timers can count (2^31 ms). */
const longestTime = 1_814_400;

// ---------------------------------------------------------------------------------------------------------------
// Texts
// ---------------------------------------------------------------------------------------------------------------

const string = v.pipe(
  v.string(say('must be a text', 'write it in double quotes')),
  v.check((text) => !text.includes('\0'), say('holds a NUL character', 'take it away')),
);

export const text: Kind<string> = { schema: string, json: [{ type: 'string' }] };

/** A text that a function finds nothing wrong with, and that another one may bring to its usual form. */
export function judged(
  judge: (text: string) => Wrong | null,
  json: JsonSchema = { type: 'string' },
  turn: (text: string) => string = (text) => text,
): Kind<string> {
  return { schema: v.pipe(string, judging(judge), v.transform(turn)), json: [json] };
}

function judging(judge: (text: string) => Wrong | null) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const wrong = dataset.typed ? judge(dataset.value) : null;
    if (wrong !== null) addIssue({ message: say(wrong.message, wrong.hint) });
  });
}

export function choice<const T extends string>(options: readonly T[]): Kind<T> {
  const quoted = options.map((option) => `"${option}"`).join(', ');
  const message = options.length === 1 ? `can only be ${quoted}` : `must be one of ${quoted}`;
  return { schema: v.picklist(options, say(message, 'write it exactly so')), json: [{ enum: options }] };
}

// ---------------------------------------------------------------------------------------------------------------
// Numbers and switches; as texts too, since INI has nothing else
// ---------------------------------------------------------------------------------------------------------------

interface Bounds {
  readonly above?: number;
  readonly min?: number;
  readonly max: number;
  readonly whole?: boolean;
  readonly sample: string;
}

export function integer(min: number, max: number, sample: string): Kind<number> {
  return number({ min, max, whole: true, sample: `write a whole number, such as ${sample}` });
}

/** Seconds, above 0. */
export const interval = number({ above: 0, max: longestTime, sample: 'write seconds, such as 60 or 0.5' });

/** Seconds; 0 is one of them. */
export const duration = number({ min: 0, max: longestTime, sample: 'write seconds, such as 10, or 0' });

export const megabytes = number({ above: 0, max: 1_000_000, sample: 'write megabytes, such as 10' });

function number({ above, min, max, whole, sample }: Bounds): Kind<number> {
  const notOne = say('is not a number', sample);
  const decimal = v.pipe(v.string(), v.trim(), v.regex(/^[+-]?(\d+\.?\d*|\.\d+)$/, notOne), v.transform(Number));
  const low = above ?? min ?? 0;
  const schema = v.pipe(
    v.lazy((value): v.GenericSchema<unknown, number> => (typeof value === 'string' ? decimal : v.number(notOne))),
    v.check((value) => (above === undefined ? value >= low : value > low), say(lowMessage(above, low), sample)),
    v.maxValue(max, say(`must be at most ${max}`, sample)),
    v.check((value) => whole !== true || Number.isInteger(value), say('must be a whole number', sample)),
  );
  const bounds = { ...(above === undefined ? { minimum: low } : { exclusiveMinimum: low }), maximum: max };
  const pattern = whole === true ? '^\\s*\\+?\\d+\\s*$' : '^\\s*\\+?(\\d+\\.?\\d*|\\.\\d+)\\s*$';
  return {
    schema,
    json: [
      { type: whole === true ? 'integer' : 'number', ...bounds },
      { type: 'string', pattern },
    ],
  };
}

function lowMessage(above: number | undefined, low: number): string {
  return above === undefined ? `must be at least ${low}` : `must be above ${above}`;
}

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};
const switchWrong = say('must be true or false', 'write true or false');

export const flag: Kind<boolean> = {
  schema: v.lazy((value): v.GenericSchema<unknown, boolean> =>
    typeof value === 'string'
      ? v.pipe(v.string(), v.toLowerCase(), v.picklist(Object.keys(switches), switchWrong), v.transform(isOn))
      : v.boolean(switchWrong),
  ),
  json: [{ type: 'boolean' }, { enum: Object.keys(switches) }],
};

function isOn(word: string): boolean {
  return switches[word] === true;
}

const port = integer(1, 65_535, '8080');

/** A port, or the one that is a release's own. */
export const ownPort: Kind<number | '{port}'> = {
  schema: v.lazy((value): v.GenericSchema<unknown, number | '{port}'> =>
    value === '{port}' ? v.literal('{port}') : port.schema,
  ),
  json: [...port.json, { enum: ['{port}'] }],
};

// ---------------------------------------------------------------------------------------------------------------
// Lists and maps
// ---------------------------------------------------------------------------------------------------------------

const notBlank = v.check<string, string>(
  (text) => text.trim() !== '',
  say('is empty', 'write a command, or take it away'),
);
const line = v.pipe(string, notBlank);
const listJson = { type: 'array', items: { type: 'string', pattern: '\\S' } };

/** One line for the shell. */
export const shellLine: Kind<string> = { schema: line, json: [{ type: 'string' }] };

/** A line for the shell, or the words of an argv. */
export const program: Kind<string | readonly string[]> = {
  schema: v.lazy((value): v.GenericSchema<unknown, string | readonly string[]> => (Array.isArray(value) ? argv : line)),
  json: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
};

const argv = v.pipe(
  v.array(string),
  v.check(
    (words) => words[0]?.trim() !== '' && words.length > 0,
    say('names no program', 'write ["program", "argument"]'),
  ),
);

/** One command or several. */
export const commands = listOf(line, 'a command, or a list of commands');

/** One text or several, each without a fault. */
export function each(judge: (text: string) => Wrong | null): Kind<readonly string[]> {
  return listOf(v.pipe(string, judging(judge)), 'a text, or a list of texts');
}

/** A text without a fault; a port may be written as a number. */
export function address(judge: (text: string) => Wrong | null): Kind<string> {
  const written = v.lazy((value): v.GenericSchema<unknown, string> =>
    typeof value === 'number' ? v.pipe(v.number(), v.transform(String)) : string,
  );
  return {
    schema: v.pipe(written, judging(judge)),
    json: [{ type: 'string' }, { type: 'integer', minimum: 1, maximum: 65_535 }],
  };
}

/** One such or several, none of them twice. */
export function addresses(
  judge: (text: string) => Wrong | null,
  meant: (text: string) => string,
): Kind<readonly string[]> {
  const item = address(judge).schema;
  const list = v.pipe(
    v.array(item),
    v.check(
      (texts) => new Set(texts.map(meant)).size === texts.length,
      say('holds an address twice', 'take one of them away'),
    ),
  );
  const one = v.pipe(
    item,
    v.transform((text) => [text]),
  );
  return {
    schema: v.lazy((value): v.GenericSchema<unknown, readonly string[]> => (Array.isArray(value) ? list : one)),
    json: [...address(judge).json, { type: 'array', items: { type: ['string', 'integer'] } }],
  };
}

function listOf(item: v.GenericSchema<unknown, string>, what: string): Kind<readonly string[]> {
  const one = v.pipe(
    item,
    v.transform((text) => [text]),
  );
  const notText = v.pipe(
    v.string(say(`must be ${what}`, 'write ["first", "second"]')),
    v.transform((text) => [text]),
  );
  return {
    schema: v.lazy((value): v.GenericSchema<unknown, readonly string[]> => {
      if (Array.isArray(value)) return v.array(item);
      return typeof value === 'string' ? one : notText;
    }),
    json: [{ type: 'string' }, listJson],
  };
}

interface Pairing {
  /** What stands between name and value in the list form. */
  readonly separator: '=' | ':';
  readonly judgeName: (name: string) => Wrong | null;
  readonly judgeValue: (value: string) => Wrong | null;
  readonly sample: string;
}

/** A map of names and values, or a list of texts that hold both. */
export function pairs({ separator, judgeName, judgeValue, sample }: Pairing): Kind<Readonly<Record<string, string>>> {
  const notAMap = say('must be a map, or a list of texts', `write { "name": "value" } or ["${sample}"]`);
  const scalar = v.pipe(
    v.union([string, v.number(), v.boolean()], say('must be a text', 'write it in double quotes')),
    v.transform(String),
    judging(judgeValue),
  );
  const map = v.record(v.pipe(v.string(), judging(judgeName)), scalar, notAMap);
  const item = v.pipe(
    string,
    v.includes(separator, say(`is not written as ${sample}`, `write ["${sample}"]; in INI a comma ends it`)),
    v.transform((text) => split(text, separator)),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const wrong = judgeName(dataset.value[0]) ?? judgeValue(dataset.value[1]);
      if (wrong !== null) addIssue({ message: say(wrong.message, wrong.hint) });
    }),
  );
  const list = v.pipe(
    v.array(item),
    v.check((list) => areDistinct(list), say('holds a name twice', 'take one of them away')),
    v.transform((list) => toMap(list)),
  );
  const one = v.pipe(
    item,
    v.transform((pair) => toMap([pair])),
  );
  return {
    schema: v.lazy((value): v.GenericSchema<unknown, Readonly<Record<string, string>>> => {
      if (Array.isArray(value)) return list;
      return typeof value === 'string' ? one : map;
    }),
    json: [
      { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
      { type: 'array', items: { type: 'string', pattern: separator } },
      { type: 'string', pattern: `${separator}|^$` },
    ],
  };
}

function split(text: string, separator: string): readonly [string, string] {
  const middle = text.indexOf(separator);
  const value = text.slice(middle + 1);
  return [text.slice(0, middle).trim(), separator === ':' ? value.trim() : value];
}

function areDistinct(list: readonly (readonly [string, string])[]): boolean {
  return new Set(list.map(([name]) => name)).size === list.length;
}

/** Not by assignment: that would lose a name like `__proto__`. */
function toMap(list: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(list);
}
