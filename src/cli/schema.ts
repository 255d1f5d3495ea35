import { jsonSchema } from '../config/json-schema.ts';

/** `huddle schema`: the JSON Schema of a config file, for an editor's `"$schema"`. */
export async function schema(): Promise<number> {
  process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return 0;
}
