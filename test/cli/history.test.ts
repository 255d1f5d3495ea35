import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { HistoryEntry } from '../../machines/facts.ts';
import { historyLines } from '../../src/cli/history.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { appStatus, historyEntry, temporaryFolder } from '../control/fake-source.ts';
import { Child, huddle as command, start, startOnTerminal } from './command.ts';
import { StandIn } from './stand-in.ts';

const to = '3f2a1b0'.padEnd(40, '0');
const from = '9c8d7e6'.padEnd(40, '0');
const entries: readonly HistoryEntry[] = [
  historyEntry({
    at: '2026-01-31T12:00:05.000Z',
    revision: to,
    from,
    seconds: 0.04,
    downtime: 1.25,
    reason: 'main moved',
  }),
  historyEntry({
    result: 'test failed',
    revision: to,
    from,
    seconds: 75,
    downtime: null,
    reason: 'npm test:\nexit code 1',
  }),
  historyEntry({ revision: from, from: null, seconds: 3, downtime: null, reason: 'first' }),
];

suite('huddle history', () => {
  test('prints a row for each attempt, times by the clock on the wall', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    huddle.history.push(...entries);
    const { code, stdout, stderr } = await new Child(
      process.execPath,
      [command, 'history', 'shop', '-c', huddle.folder],
      { TZ: 'Asia/Tokyo' },
    ).ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(
      stdout,
      [
        'WHEN                 RESULT       REVISION           TOOK   DOWN   REASON',
        '2026-01-31 21:00:05  deployed     3f2a1b0 ← 9c8d7e6  40 ms  1.3 s  main moved',
        '2026-01-31 21:00:00  test failed  3f2a1b0 ← 9c8d7e6  75 s   –      npm test: exit code 1',
        '2026-01-31 21:00:00  deployed     9c8d7e6            3 s    –      first',
        '',
      ].join('\n'),
    );
  });

  test('prints exactly what the API says with --json, and asks for no more than -n', async (t) => {
    const huddle = await StandIn.start(t, appStatus('my shop'));
    huddle.history.push(...entries);
    const { stdout } = await start('history', 'my shop', '-n', '2', '--json', '-c', huddle.folder).ended;
    const asked = '/api/apps/my shop/history?limit=2';
    assert.equal(stdout, `${JSON.stringify({ history: entries, asked })}\n`);
  });

  test('says so when there is none', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const { code, stdout } = await start('history', 'shop', '-c', huddle.folder).ended;
    assert.deepEqual([code, stdout], [0, 'nothing deployed yet\n']);
  });

  test('reads the file where no Huddle is running, also of an app that is gone', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'shop.json'), '');
    const { directory, history } = statePaths(folder).app('blog');
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      history,
      entries
        .toReversed()
        .map((entry) => `${JSON.stringify(entry)}\n`)
        .join('') + '{"half":',
    );
    const { code, stdout, stderr } = await start('history', 'blog', '-c', folder, '--json', '-n', '2').ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(JSON.parse(stdout), { history: entries.slice(0, 2) });
    const none = await start('history', 'shop', '-c', folder).ended;
    assert.deepEqual([none.code, none.stdout], [0, 'nothing deployed yet\n']);
    const wrong = await start('history', 'blogg', '-c', folder).ended;
    assert.deepEqual([wrong.code, wrong.stderr], [2, 'huddle: there is no app blogg\n  Did you mean blog?\n']);
  });

  for (const lines of ['0', '1001'])
    test(`exits 2 for -n ${lines}, and says what is wrong with it`, async (t) => {
      const { code, stderr } = await start('history', 'shop', '-n', lines, '-c', temporaryFolder(t)).ended;
      assert.deepEqual([code, stderr], [2, `huddle: -n needs a number from 1 to 1000, not ${lines}\n  Write -n 10.\n`]);
    });

  test('exits 2 without an app, and for one that there is not', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const none = await start('history', '-c', huddle.folder).ended;
    assert.deepEqual([none.code, none.stdout], [2, '']);
    const wrong = await start('history', 'shopp', '-c', huddle.folder).ended;
    assert.deepEqual([wrong.code, wrong.stderr], [2, 'huddle: there is no app shopp\n  Did you mean shop?\n']);
  });

  test('is coloured on a terminal and fits into it', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    huddle.history.push(historyEntry({ reason: 'x'.repeat(200) }), historyEntry({ result: 'rolled back' }));
    const { stdout } = await startOnTerminal(`history shop -c ${huddle.folder}`).ended;
    assert.ok(stdout.includes('\u001b[32mdeployed   \u001b'), stdout);
    assert.ok(stdout.includes('\u001b[31mrolled back\u001b'), stdout);
    const plain = await startOnTerminal(`history shop -c ${huddle.folder}`, { NO_COLOR: '1' }).ended;
    assert.match(plain.stdout, /x…\r\n/);
    for (const line of plain.stdout.split('\r\n')) assert.ok(line.length <= 80, line);
  });

  test('a terminal too narrow for the reason loses only that', () => {
    const [, row = ''] = historyLines(entries, 40, (_style, text) => text);
    assert.match(row, /1\.3 s {2}…$/);
  });
});
