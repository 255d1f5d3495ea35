import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greeting } from './greeting.mjs';

test('it greets by name', () => {
  assert.match(greeting('web'), /^Hello .*web$/);
});
