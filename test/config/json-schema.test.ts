import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { configReference, jsonSchema } from '../../src/config/json-schema.ts';
import { sections } from '../../src/config/keys.ts';
import type { JsonSchema } from '../../src/config/kinds.ts';
import { exampleConfig } from '../../src/cli/init.ts';
import { parseJson } from '../../src/config/json.ts';
import { plain } from '../../src/config/tree.ts';
import { read, repository } from './reading.ts';

/** As much of JSON Schema as ours uses; an unknown keyword is an error, so that nothing is passed over in silence. */
function fits(value: unknown, schema: JsonSchema | true): boolean {
  if (schema === true) return true;
  return Object.entries(schema).every(([keyword, rule]) => {
    const judge = keywords[keyword];
    assert.ok(judge !== undefined, `unknown keyword ${keyword}`);
    return judge(value, rule as never, schema);
  });
}

type Judge = (value: unknown, rule: never, schema: JsonSchema) => boolean;

const keywords: Readonly<Record<string, Judge>> = {
  $schema: () => true,
  title: () => true,
  description: () => true,
  default: () => true,
  patternProperties: () => true,
  type: (value, rule: string | readonly string[]) => [rule].flat().some((type) => isOfType(value, type)),
  enum: (value, rule: readonly unknown[]) => rule.includes(value),
  anyOf: (value, rule: readonly JsonSchema[]) => rule.some((schema) => fits(value, schema)),
  pattern: (value, rule: string) => typeof value !== 'string' || new RegExp(rule, 'u').test(value),
  minimum: (value, rule: number) => typeof value !== 'number' || value >= rule,
  maximum: (value, rule: number) => typeof value !== 'number' || value <= rule,
  exclusiveMinimum: (value, rule: number) => typeof value !== 'number' || value > rule,
  items: (value, rule: JsonSchema) => !Array.isArray(value) || value.every((item) => fits(item, rule)),
  minItems: (value, rule: number) => !Array.isArray(value) || value.length >= rule,
  required: (value, rule: readonly string[]) => !isObject(value) || rule.every((name) => name in value),
  properties: (value, rule: Readonly<Record<string, JsonSchema>>) =>
    !isObject(value) || Object.entries(value).every(([name, item]) => fits(item, rule[name] ?? true)),
  additionalProperties: (value, rule: JsonSchema | false, schema) =>
    !isObject(value) ||
    Object.entries(value).every(([name, item]) => isNamed(name, schema) || (rule !== false && fits(item, rule))),
};

function isNamed(name: string, schema: JsonSchema): boolean {
  const patterns = Object.keys(schema['patternProperties'] ?? {});
  return (
    Object.hasOwn(schema['properties'] ?? {}, name) || patterns.some((pattern) => new RegExp(pattern, 'u').test(name))
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

/** A value that fits, for keys that are not content with any text. */
const samples: Readonly<Record<string, unknown>> = {
  'repository.type': 'git',
  'repository.remote path': '/a',
  'application.restart': 'never',
  'application.stop signal': 'HUP',
  'test.remote': 'https://a',
  'deployment.strategy': 'in place',
  'application.environment': ['A=1'],
  'test.headers': { A: 'b' },
};

suite('The JSON Schema', () => {
  const schema = jsonSchema();

  test('is of a draft that editors know, and can be written down', () => {
    assert.equal(schema['$schema'], 'https://json-schema.org/draft/2020-12/schema');
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
  });

  test('has every key, with a description, and its default where it has one', () => {
    const top = schema['properties'] as Readonly<Record<string, JsonSchema>>;
    assert.deepEqual(Object.keys(top), [...sections.keys()]);
    for (const [section, keys] of sections) {
      const properties = top[section]?.['properties'] as Readonly<Record<string, JsonSchema>>;
      assert.deepEqual(Object.keys(properties), [...keys.keys()]);
      for (const [name, key] of keys) {
        const described = properties[name];
        assert.ok(String(described?.['description']).includes(key.meaning));
        if (described !== undefined && 'default' in described)
          assert.ok(fits(described['default'], described), `${section}.${name}`);
      }
    }
  });

  test('takes what Huddle takes, and refuses what is of the wrong kind, as Huddle does', async () => {
    const values: readonly unknown[] = [
      null,
      true,
      false,
      0,
      1,
      2.5,
      -1,
      1e9,
      '1',
      ' 2.5 ',
      '-1',
      'true',
      'Yes',
      '',
      ' ',
      'x',
      [],
      [''],
      ['x'],
      [1],
      {},
      { A: 'b' },
      { A: 1 },
      { A: [] },
    ];
    for (const [section, keys] of sections) {
      for (const name of keys.keys()) {
        for (const value of [...values, samples[`${section}.${name}`]].filter((value) => value !== undefined)) {
          const base = section === 'repository' ? repository : {};
          const file = { repository, [section]: { ...base, [name]: value } };
          const { problems } = await read(JSON.stringify(file));
          const isTaken = problems.every(
            (problem) =>
              problem.key !== `${section}.${name}` || /beside|below|needs|belongs|settle/.test(problem.message),
          );
          const says = `${section}.${name} = ${JSON.stringify(value)}: ${problems[0]?.message}`;
          // Whoever writes with the schema's help is never told that a good file is bad.
          if (isTaken && value !== 'Yes') assert.ok(fits(file, schema), says);
          // What a schema cannot say (the name of a signal, the form of a URL) is said by Huddle alone.
          if (!isTaken && typeof value !== 'string' && !JSON.stringify(value).includes('"'))
            assert.ok(!fits(file, schema), says);
        }
      }
    }
  });

  test('takes the example, comments to itself, and no other key', () => {
    const { root } = parseJson(exampleConfig);
    assert.ok(root !== null && fits(plain(root), schema));
    assert.ok(fits({ $schema: 'x', repository: { ...repository, _note: 1 } }, schema));
    assert.ok(!fits({ repository: { ...repository, note: 1 } }, schema));
    assert.ok(!fits({ repository, timings: {} }, schema));
    assert.ok(!fits({ repository: { 'local path': '/a' } }, schema));
    assert.ok(!fits({ timing: {} }, schema));
  });
});

suite('The reference of the README', () => {
  test('has a row of four cells for each key, with its default', () => {
    const rows = configReference().trimEnd().split('\n');
    assert.equal(
      rows.length,
      [...sections.values()].reduce((sum, keys) => sum + keys.size, 0),
    );
    for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 6, row);
    assert.ok(
      rows.includes(
        '| `timing` | `minimum` | shortest wait between two checks; alone, it is the interval (± 10 %) | `60` |',
      ),
    );
  });
});
