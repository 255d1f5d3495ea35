import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Entry, Folder } from '../machines/folder.ts';
import { namesChanged } from '../src/configs.ts';

const entry = (file: string): Entry => {
  return { file, name: file.replace(/\..*$/, ''), config: null, failure: null, refusal: null };
};
const files = (...entries: readonly Entry[]): Folder['files'] =>
  Object.fromEntries(entries.map((each) => [each.file, each]));

suite('The apps whose files have changed', () => {
  const [blog, shop] = [entry('blog.json'), entry('shop.json')];

  test('are those of files that came, went, or are other ones, and no others', () => {
    assert.deepEqual([...namesChanged(files(blog), files(blog, shop))], ['shop']);
    assert.deepEqual([...namesChanged(files(blog, shop), files(blog))], ['shop']);
    assert.deepEqual([...namesChanged(files(blog, shop), files(blog, entry('shop.json')))], ['shop']);
    assert.deepEqual([...namesChanged(files(blog, shop), files(blog, shop))], []);
  });

  test('are also those of their namesakes, whose status tells of a file that is refused for it', () => {
    assert.deepEqual([...namesChanged(files(blog, shop), files(blog, shop, entry('SHOP.ini')))], ['shop', 'SHOP']);
  });
});
