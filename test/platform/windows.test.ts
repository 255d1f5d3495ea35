import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { entriesIn, windows } from '../../src/platform/windows.ts';

// What can be asked of `src/platform/windows.ts` anywhere.

suite('On Windows', () => {
  test('a line goes to cmd.exe as it is, between quotes that /s takes away', () => {
    const { argv, isVerbatim } = windows.shell('node -e "1 & 2" && dir');
    assert.deepEqual(argv.slice(1), ['/d', '/s', '/c', '"node -e "1 & 2" && dir"']);
    assert.match(argv[0] ?? '', /cmd\.exe$/i);
    assert.equal(isVerbatim, true);
  });

  test('a program is started from where it was found', () => {
    const { argv, isVerbatim } = windows.launch(['node', '-e', '"%PATH%"'], 'C:\\Node\\node.exe');
    assert.deepEqual(argv, ['C:\\Node\\node.exe', '-e', '"%PATH%"']);
    assert.equal(isVerbatim, false);
  });

  test('a batch file is run by cmd.exe, each argument in quotes', () => {
    const { argv, isVerbatim } = windows.launch(['npm', 'run', 'a & b', 'dir\\'], 'C:\\Program Files\\npm.cmd');
    assert.equal(argv.at(-1), '""C:\\Program Files\\npm.cmd" "run" "a & b" "dir\\\\""');
    assert.equal(isVerbatim, true);
  });

  for (const argument of ['a"b', '%PATH%', 'a\nb', 'a\rb']) {
    test(`a batch file is never given ${JSON.stringify(argument)}`, () => {
      assert.throws(() => windows.launch(['npm', argument], 'C:\\npm.CMD'), { code: 'not-supported' });
    });
  }

  test('a program is looked for with the endings of PATHEXT, unless it has one', () => {
    assert.deepEqual(windows.fileNames('npm.cmd').slice(0, 1), ['npm.cmd']);
    assert.ok(windows.fileNames('npm').every((name) => /^npm\.\w+$/.test(name)));
    assert.ok(windows.fileNames('node').includes('node.exe'));
  });

  test('what has a slash, a backslash or a drive is a path', () => {
    assert.deepEqual(
      ['node', 'bin/node', 'bin\\node', 'C:node'].map((name) => windows.isPath(name)),
      [false, true, true, true],
    );
  });

  test('names of variables are the same in any case, and the last one wins', () => {
    assert.deepEqual(windows.environment({ Path: 'a', Home: 'b', x: '1' }, { PATH: 'c' }, { X: '2' }), {
      PATH: 'c',
      Home: 'b',
      X: '2',
    });
  });

  const withoutLinks = process.env['HUDDLE_TEST_WINE'] !== undefined && 'wine has no junctions';
  test('a link to a folder is made to lead to another, also after a kill in between', { skip: withoutLinks }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'huddle-link-'));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const name of ['one', 'two']) mkdirSync(join(folder, name));
    symlinkSync(join(folder, 'one'), join(folder, 'current.huddle-new'), 'junction');
    for (const name of ['one', 'two']) {
      windows.pointLink?.(join(folder, 'current'), join(folder, name));
      assert.equal(realpathSync(join(folder, 'current')), realpathSync(join(folder, name)));
    }
    assert.deepEqual(readdirSync(folder).toSorted(), ['current', 'one', 'two']);
  });

  test('the pipe bears a hash of the state folder, whose name is the same in any case', () => {
    const pipe = windows.controlPipe('C:\\Apps\\.huddle');
    assert.match(pipe ?? '', /^\\\\\.\\pipe\\huddle-[0-9a-f]{24}$/);
    assert.equal(windows.controlPipe('c:\\apps\\.HUDDLE'), pipe);
    assert.notEqual(windows.controlPipe('C:\\Other\\.huddle'), pipe);
  });

  test('a process is the one that was written down when it began within seconds of what was written', () => {
    assert.equal(windows.isSameStart(1_000_000, 1_000_900), true);
    assert.equal(windows.isSameStart(1_000_000, 999_100), true);
    assert.equal(windows.isSameStart(1_000_000, 1_010_000), false);
  });

  test('the listing of processes is read line by line, whatever else PowerShell says', () => {
    const [first, second, ...more] = entriesIn('4 0 1762000000000\r\nWARNING: x\r\n812 4 1762000001234\r\n');
    assert.deepEqual([first?.pid, first?.parent, first?.startTime], [4, 0, 1_762_000_000_000]);
    assert.deepEqual([second?.pid, second?.parent, second?.startTime], [812, 4, 1_762_000_001_234]);
    assert.deepEqual(more, []);
  });
});
