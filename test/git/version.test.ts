import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { mustBeFit } from '../../src/git/version.ts';
import { here } from '../../src/platform/here.ts';

suite('A git', () => {
  test('is asked for its version once, and again when another one takes its place', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'huddle-version-'));
    const path = process.env['PATH'];
    t.after(() => {
      process.env['PATH'] = path;
      rmSync(folder, { recursive: true });
    });
    process.env['PATH'] = folder;
    // As Windows finds programs.
    t.mock.method(here, 'fileNames', (program: string) => [`${program}.com`, `${program}.exe`]);
    let asked = 0;
    const ask = () => Promise.resolve(`git version 2.4${asked++}.0`);
    for (const text of ['one', 'another']) {
      const before = asked;
      writeFileSync(join(folder, 'git-of-test.exe'), text);
      for (let time = 0; time < 3; time += 1) await mustBeFit('git-of-test', 'testing', ask);
      assert.equal(asked, before + 1);
    }
  });
});
