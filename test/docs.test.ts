import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { suite, test } from 'node:test';
import { configReference } from '../src/config/json-schema.ts';

const root = join(import.meta.dirname, '..');
const pages = ['README.md', 'ARCHITECTURE.md'];
const places = ['src', 'machines', 'test', 'examples', '.ci', '.github'];

/** Everything in the repository that a page could name, as paths from its root. */
function filesOf(folder: string): string[] {
  const inside = places.flatMap((place) =>
    existsSync(join(folder, place)) ? readdirSync(join(folder, place), { recursive: true, withFileTypes: true }) : [],
  );
  const entries = [...readdirSync(folder, { withFileTypes: true }), ...inside];
  return entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

/**
 * The paths of this repository that a page names: in backticks or as the target of a link, beginning with one of its
 * folders, or source files and pages by their names alone (`app.ts`, `control/prose.ts`, `CHANGELOG.md`). A user's
 * files (`shop.json`, `DIR/.huddle/token`) are none.
 */
function pathsIn(page: string): string[] {
  const quoted = [...page.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map(([, text = '']) => text);
  const linked = [...page.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target);
  const named = quoted.flatMap((text) => text.split(/\s+/)).filter(isPath);
  return [...new Set([...named, ...linked.filter((target) => !/^[a-z]+:/.test(target))])];
}

function isPath(word: string): boolean {
  if (!/^[\w.@/-]+$/.test(word)) return false;
  return places.some((place) => word.startsWith(`${place}/`)) || /^[\w.-][\w.@/-]*\.(ts|cjs|md)$/.test(word);
}

/** A path from the root, or the end of one where the page speaks of a file by its name. */
function names(path: string, files: readonly string[]): boolean {
  const plain = path.replace(/^\.\//, '').replace(/\/$/, '');
  return files.some((file) => file === plain || file.endsWith(`/${plain}`));
}

suite('Docs', () => {
  for (const page of pages) {
    test(`every path that ${page} names exists`, () => {
      const files = filesOf(root);
      const absent = pathsIn(readFileSync(join(root, page), 'utf8')).filter((path) => !names(path, files));
      assert.deepEqual(absent, []);
    });
  }

  test('the config reference of the README is what the schema says, row by row', () => {
    const page = readFileSync(join(root, 'README.md'), 'utf8').split('\n');
    const rows = configReference().trimEnd().split('\n');
    assert.deepEqual(
      rows.filter((row) => !page.includes(row)),
      [],
    );
    // A key of the schema that is no longer one would stay in the page unseen.
    const sections = new Set(rows.map((row) => row.split(' | ')[0]));
    const keyRows = page.filter((row) => sections.has(row.split(' | ')[0] ?? ''));
    assert.deepEqual(
      keyRows.filter((row) => !rows.includes(row)),
      [],
    );
  });

  test('the page check sees paths in backticks and links, and leaves commands and users’ files alone', () => {
    const page = [
      'See `src/wire.ts`, `./machines/`, `protocol.ts` and [the tests](test/e2e), not [this](https://example.org/a.ts).',
      'Run `huddle -c examples/web`, edit `shop.json` in `DIR/.huddle/apps`, set `repository.executable`.',
      '```sh\ncat src/none.ts\n```',
    ].join('\n');
    const found = pathsIn(page).toSorted();
    assert.deepEqual(found, ['examples/web', 'protocol.ts', 'src/wire.ts', 'test/e2e']);
    const files = ['src/wire.ts', 'machines/protocol.ts', 'test', 'test/e2e'];
    assert.deepEqual(
      found.filter((path) => !names(path, files)),
      ['examples/web'],
    );
  });
});
