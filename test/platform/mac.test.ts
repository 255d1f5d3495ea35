import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { entriesIn } from '../../src/platform/mac.ts';

// In the form of `ps -A -E -ww -o pid=,ppid=,pgid=,stat=,lstart=,command=` of macOS 14, with LC_ALL=C and TZ=UTC.
const output = `    1     0     1 Ss   Sat Nov  1 08:15:03 2025     /sbin/launchd
  501     1   501 S    Sun Nov  2 01:46:12 2025     node server.js PATH=/usr/bin:/bin HUDDLE_MARK=0123456789ab:my%20shop:fedcba HOME=/Users/u
  502   501   501 S    Sun Nov 23 01:46:13 2025     sh -c sleep 300 HUDDLE_MARK=0123456789ab:my%20shop:fedcba
  503   501   501 Z    Sun Nov 23 01:46:14 2025     (sh)
  504     1   504 R+   Sun Nov 23 01:46:14 2025     grep NOT_HUDDLE_MARK=x
`;

suite('What ps of macOS prints', () => {
  test('is read as processes, each with its parent, its group, its start and its mark', () => {
    const entries = entriesIn(output);
    assert.deepEqual(
      entries.map(({ pid, parent, session }) => [pid, parent, session]),
      [
        [1, 0, 1],
        [501, 1, 501],
        [502, 501, 501],
        [503, 501, 501],
        [504, 1, 504],
      ],
    );
    assert.deepEqual(entries[1], {
      pid: 501,
      parent: 1,
      session: 501,
      startTime: Date.UTC(2025, 10, 2, 1, 46, 12) / 1000,
      isZombie: false,
      mark: '0123456789ab:my%20shop:fedcba',
    });
  });

  test('tells zombies apart, and who carries no mark', () => {
    const [launchd, , child, zombie, stranger] = entriesIn(output);
    assert.deepEqual([launchd?.mark, child?.mark, stranger?.mark], ['', '0123456789ab:my%20shop:fedcba', '']);
    assert.deepEqual([child?.isZombie, zombie?.isZombie], [false, true]);
  });

  test('may be empty, and hold lines that are none of its own', () => {
    assert.deepEqual(entriesIn(''), []);
    assert.deepEqual(entriesIn('second line of a command\n'), []);
  });
});
