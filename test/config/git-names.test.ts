import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { judgeBranch, judgeRemoteName } from '../../src/config/git-names.ts';

const parts = [
  'a',
  'B',
  '1',
  '-',
  '.',
  '..',
  '/',
  '//',
  '@',
  '@{',
  '{',
  '~',
  '^',
  ':',
  '?',
  '*',
  '[',
  ']',
  '\\',
  ' ',
  '\t',
  '\x7f',
  '.lock',
  'HEAD',
  'é',
  '+',
  '#',
];

/** Every name of up to three parts that an argv can hold; some 20,000, of which git is asked about each 23rd. */
function names(): readonly string[] {
  const all = parts.flatMap((a) => [a, ...parts.flatMap((b) => [a + b, ...parts.map((c) => a + b + c)])]);
  return all.filter((_, index) => index < parts.length || index % 23 === 0);
}

/** git-check-ref-format(1); the names go through a shell loop, since a process for each would take a minute. */
function gitAllows(names: readonly string[], prefix: string): readonly boolean[] {
  const loop = 'for name; do if git check-ref-format "$0$name"; then echo y; else echo n; fi; done';
  const { stdout, status } = spawnSync('sh', ['-c', loop, prefix, ...names], { encoding: 'utf8' });
  assert.equal(status, 0);
  return stdout
    .trim()
    .split('\n')
    .map((answer) => answer === 'y');
}

suite('The name of a branch or a remote', () => {
  test('is allowed exactly where git allows it, except for what could be mistaken', () => {
    const all = names();
    const asBranch = gitAllows(all, 'refs/heads/');
    const asRemote = gitAllows(all, 'refs/remotes/');
    for (const [index, name] of all.entries()) {
      // A dash reads as an option, @ and HEAD as the current branch.
      const isMistakable = name.startsWith('-') || name === '@';
      assert.equal(
        judgeBranch(name) === null,
        asBranch[index] === true && !isMistakable && name !== 'HEAD',
        JSON.stringify(name),
      );
      assert.equal(judgeRemoteName(name) === null, asRemote[index] === true && !isMistakable, JSON.stringify(name));
    }
  });

  test('says which rule it breaks', () => {
    assert.match(judgeBranch('-b')?.message ?? '', /begins with a dash/);
    assert.match(judgeBranch('a b')?.message ?? '', /holds a space/);
    assert.match(judgeBranch('refs/heads/main')?.hint ?? '', /without refs\/heads\//);
    assert.equal(judgeBranch('feature/größe-1.2'), null);
  });
});
