import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { keepToken, readToken } from '../../src/control/token.ts';
import { here } from '../../src/platform/here.ts';
import { temporaryFolder } from './fake-source.ts';

suite('The token', () => {
  test('is made once, of 32 random bytes, for its owner alone', (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'token');
    assert.equal(readToken(path), null);
    const token = keepToken(path);
    assert.equal(Buffer.from(token, 'base64url').length, 32);
    if (here.hasModes) assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(existsSync(`${path}.new`), false);
    assert.deepEqual([keepToken(path), readToken(path)], [token, token]);
    assert.notEqual(keepToken(join(folder, 'other')), token);
  });

  test('is kept as the file has it, with or without a newline at its end', (t) => {
    const path = join(temporaryFolder(t), 'token');
    const token = 'a'.repeat(43);
    for (const text of [token, `${token}\n`, `${token}\r\n`]) {
      writeFileSync(path, text, { mode: 0o600 });
      assert.equal(keepToken(path), token);
      assert.equal(readFileSync(path, 'utf8'), text);
    }
  });

  for (const [what, text] of [
    ['empty', ''],
    ['too short', 'a'.repeat(42)],
    ['cut off and written on', `${'a'.repeat(43)}\n${'b'.repeat(43)}\n`],
    ['something else', '{"token":"secret"}'],
  ] as const) {
    test(`that is ${what} is an error that says so, and is left as it is`, (t) => {
      const path = join(temporaryFolder(t), 'token');
      writeFileSync(path, text, { mode: 0o600 });
      const error = caught(() => keepToken(path));
      assert.deepEqual([error['code'], error['subject']], ['config-invalid', path]);
      assert.match(String(error['hint']), /remove the file/);
      assert.equal(readFileSync(path, 'utf8'), text);
      // What is in the file may be a secret all the same.
      if (text !== '') assert.ok(!JSON.stringify({ ...error, message: error['message'] }).includes(text.slice(0, 40)));
      rmSync(path);
      assert.equal(keepToken(path).length, 43);
    });
  }

  test('that others may read or write is not used', { skip: !here.hasModes && 'files have no modes here' }, (t) => {
    const path = join(temporaryFolder(t), 'token');
    keepToken(path);
    for (const mode of [0o604, 0o640, 0o620]) {
      chmodSync(path, mode);
      assert.equal(caught(() => keepToken(path))['code'], 'permission-denied');
    }
    chmodSync(path, 0o600);
    assert.equal(keepToken(path), readToken(path));
  });

  test('that was half made by a Huddle that was killed is made anew', (t) => {
    const path = join(temporaryFolder(t), 'token');
    writeFileSync(`${path}.new`, 'abc', { mode: 0o600 });
    assert.equal(keepToken(path).length, 43);
    assert.equal(existsSync(`${path}.new`), false);
  });

  test('is not made in a folder that has gone', (t) => {
    const path = join(temporaryFolder(t), 'nowhere', 'token');
    assert.equal(caught(() => keepToken(path))['code'], 'directory-missing');
  });
});

function caught(work: () => unknown): Record<string, unknown> {
  try {
    work();
  } catch (error) {
    return { ...(error as object), message: (error as Error).message };
  }
  return assert.fail('nothing was thrown');
}
