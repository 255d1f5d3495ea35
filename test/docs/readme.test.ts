import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { withMadeParts } from './update.ts';

test('the config reference of the README is that of the code', async () => {
  const readme = await readFile(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  assert.equal(readme, withMadeParts(readme), 'run `npm run docs`');
});
