import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lines, shownLine } from '../../src/cli/log-lines.ts';
import { scratch } from '../ledger/scratch.ts';
import { Child, start, startOnTerminal } from './command.ts';
import { huddle } from './command.ts';

const escape = '\u001b';

suite('huddle logs', () => {
  test('prints the last ten lines, or as many as are wanted, byte for byte, with no Huddle running', async (t) => {
    const { folder, log } = stage(t, 'shop');
    const lines = Array.from({ length: 30 }, (_, index) => `${index} ${escape}[31m\u0007ünï\r\n`);
    writeFileSync(log('shop'), lines.join(''));
    for (const [args, wanted] of [
      [[], 10],
      [['-n', '3'], 3],
      [['--lines', '0'], 0],
      [['shop', '-n99'], 30],
    ] as const) {
      const ended = await start('-c', folder, 'logs', ...args).ended;
      assert.deepEqual(ended, { code: 0, stdout: lines.slice(lines.length - wanted).join(''), stderr: '' });
    }
  });

  test('prints the deploy log with --deploy', async (t) => {
    const { folder, log } = stage(t, 'shop');
    writeFileSync(log('shop', 'deploy'), '--- testing\nok\n');
    assert.equal((await start('-c', folder, 'logs', '--deploy').ended).stdout, '--- testing\nok\n');
  });

  test('of several apps has the name in front of each line', async (t) => {
    const { folder, log } = stage(t, 'shop', 'a');
    writeFileSync(log('shop'), 'one\ntwo');
    writeFileSync(log('a'), 'three\n');
    assert.equal((await start('-c', folder, 'logs').ended).stdout, 'a    | three\nshop | one\nshop | two\n');
    assert.equal((await start('-c', folder, 'logs', 'shop').ended).stdout, 'one\ntwo');
  });

  test('finds the log of an app that is gone by its name, and says what there is for a name that is none', async (t) => {
    const { folder, log } = stage(t, 'shop');
    mkdirSync(dirname(log('gone')), { recursive: true });
    writeFileSync(log('gone'), 'last words\n');
    assert.equal((await start('-c', folder, 'logs', 'gone').ended).stdout, 'last words\n');
    const wrong = await start('-c', folder, 'logs', 'shopp').ended;
    assert.equal(wrong.code, 2);
    assert.equal(wrong.stderr, 'huddle: there is no app shopp\n  Did you mean shop?\n');
    const none = await start('-c', folder, 'logs').ended;
    assert.deepEqual(none, { code: 0, stdout: '', stderr: 'huddle: shop has no log yet\n' });
  });

  test('-f goes on with what is written, of all apps, until it is interrupted', async (t) => {
    const { folder, log } = stage(t, 'shop', 'blog');
    writeFileSync(log('shop'), 'before\n');
    const child = start('-c', folder, 'logs', '-f');
    t.after(() => child.process.kill('SIGKILL'));
    await child.said(({ stdout }) => stdout === 'shop | before\n');
    appendFileSync(log('shop'), 'half a ');
    writeFileSync(log('blog'), 'first\n');
    await child.said(({ stdout }) => stdout.endsWith('blog | first\n'));
    appendFileSync(log('shop'), 'line\n');
    await child.said(({ stdout }) => stdout.endsWith('shop | half a line\n'));
    child.process.kill('SIGINT');
    await child.ended;
    assert.equal(child.process.signalCode, 'SIGINT');
  });

  test('ends quietly when its reader has seen enough', async (t) => {
    const { folder, log } = stage(t, 'shop');
    writeFileSync(log('shop'), 'x\n'.repeat(2_000_000));
    const line = `"$0" "$1" -c "$2" logs -n 2000000 | head -n 1; echo \${PIPESTATUS[0]}`;
    const ended = await new Child('bash', ['-c', line, process.execPath, huddle, folder]).ended;
    assert.deepEqual(ended, { code: 0, stdout: 'x\n0\n', stderr: '' });
  });

  test('on a terminal lets colours through, and shows what else would be obeyed', async (t) => {
    const { folder, log } = stage(t, 'shop');
    writeFileSync(log('shop'), `a\t${escape}[31mred${escape}[0m\r\n${escape}]0;title\u0007${escape}[2J\n`);
    const { stdout } = await startOnTerminal(`-c ${folder} logs`).ended;
    assert.equal(stdout, `a\t${escape}[31mred${escape}[0m${escape}[0m\r\n\\x1b]0;title\\x07\\x1b[2J\r\n`);
    const plain = await startOnTerminal(`-c ${folder} logs -n 2`, { NO_COLOR: '1' }).ended;
    assert.equal(plain.stdout, 'a\tred\r\n\\x1b]0;title\\x07\\x1b[2J\r\n');
  });
});

suite('A line of a log on a terminal', () => {
  const cases: readonly (readonly [line: string, shown: string])[] = [
    ['plain\r', 'plain'],
    ['tab\tstays', 'tab\tstays'],
    ['50 %\r100 %', '50 %\\x0d100 %'],
    ['\u009b2J', '\\x9b2J'],
    ['abc\u202edef', 'abc\\u{202e}def'],
    [`${escape}[1;38;5;9mx`, `${escape}[1;38;5;9mx${escape}[0m`],
    [`${escape}[6n`, '\\x1b[6n'],
    ['日本 ü 👍', '日本 ü 👍'],
  ];
  for (const [line, shown] of cases) {
    test(`is ${JSON.stringify(shown)} for ${JSON.stringify(line)}`, () => {
      assert.equal(shownLine(Buffer.from(line), true), shown);
    });
  }
});

suite('Lines', () => {
  test('are put together from pieces that break anywhere', () => {
    const text = 'one\n\ntwö\nthree\nfour';
    for (const size of [1, 2, 3, 5, 100]) {
      const lines = new Lines();
      const found: string[] = [];
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size)
        found.push(...lines.take(bytes.subarray(at, at + size)).map(String));
      assert.deepEqual([...found, String(lines.rest())], text.split('\n'));
      assert.equal(lines.rest(), null);
    }
  });

  test('that never end are let go in parts', () => {
    const lines = new Lines();
    const parts = Array.from({ length: 100 }, () => lines.take(Buffer.alloc(10_000, 'x'))).flat();
    const total = Buffer.concat([...parts, lines.rest() ?? Buffer.alloc(0)]);
    assert.equal(total.length, 1_000_000);
    assert.ok(parts.every((part) => part.length < 80_000));
  });
});

/** A folder of config files with the folders of their logs, without any Huddle. */
function stage(t: TestContext, ...names: string[]) {
  const folder = scratch(t);
  const log = (name: string, which = 'app'): string => join(folder, '.huddle/apps', name, `logs/${which}.log`);
  for (const name of names) {
    writeFileSync(join(folder, `${name}.json`), '{}');
    mkdirSync(dirname(log(name)), { recursive: true });
  }
  return { folder, log };
}
