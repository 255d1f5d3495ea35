import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import type { News } from '../../machines/news.ts';
import { duration, tell, toldOutcome, type Level } from '../../src/control/prose.ts';

const revision = '9c8d7e6'.padEnd(40, '0');
const from = '3f2a1b0'.padEnd(40, '0');
const failure = new Failure('remote-unreachable', {
  doing: 'asking',
  subject: 'https://example.org/shop.git',
  reason: 'connection refused',
  hint: 'Check the address.',
});
const what = 'asking https://example.org/shop.git: connection refused';
const moved = {
  type: 'moved',
  branch: 'main',
  from,
  to: revision,
  commits: 2,
  authors: ['Ada', 'Bob'],
  subject: 'Mend',
};

type Said = readonly [news: News, level: Level, text: string];

/** Every kind of news, by its name, so that a new one without a line here does not compile. */
const said: Readonly<Record<News['type'], readonly Said[]>> = {
  cloning: [[{ type: 'cloning' }, 'info', 'getting the working copy /srv/my shop']],
  cloned: [
    [{ type: 'cloned', branch: 'main', tip: revision }, 'info', 'main is at 9c8d7e6; testing'],
    [{ type: 'cloned', branch: 'main', tip: null }, 'info', 'the working copy follows main'],
  ],
  booting: [
    [{ type: 'booting', revision }, 'info', 'starting 9c8d7e6, the last good revision; the first check follows'],
  ],
  restoring: [
    [
      { type: 'restoring', revision, reason: 'a pull was cut short' },
      'warn',
      'restoring 9c8d7e6: a pull was cut short',
    ],
  ],
  moved: [
    [moved as News, 'info', 'main moved 3f2a1b0 → 9c8d7e6 (2 commits by Ada and Bob: "Mend"); testing'],
    [
      { ...moved, commits: 1, authors: ['Ada'] } as News,
      'info',
      'main moved 3f2a1b0 → 9c8d7e6 (1 commit by Ada: "Mend"); testing',
    ],
    [
      { ...moved, commits: null, authors: ['Ada', 'Bob', 'Cid'], subject: '' } as News,
      'info',
      'main moved 3f2a1b0 → 9c8d7e6 (by Ada, Bob and Cid); testing',
    ],
    [{ ...moved, commits: null, authors: [], subject: '' } as News, 'info', 'main moved 3f2a1b0 → 9c8d7e6; testing'],
    [{ ...moved, commits: null, authors: [] } as News, 'info', 'main moved 3f2a1b0 → 9c8d7e6 ("Mend"); testing'],
    [{ ...moved, from: null } as News, 'info', 'main is at 9c8d7e6; testing'],
  ],
  unmoved: [[{ type: 'unmoved', branch: 'main', revision }, 'debug', 'main is still at 9c8d7e6']],
  'still rejected': [
    [{ type: 'still rejected', branch: 'main', revision }, 'debug', 'main is still at 9c8d7e6, which is rejected'],
  ],
  testing: [[{ type: 'testing', revision }, 'debug', 'testing 9c8d7e6']],
  'test passed': [[{ type: 'test passed', revision, seconds: 3.21 }, 'info', '9c8d7e6 passed its test in 3.2 s']],
  'test pending': [
    [
      { type: 'test pending', revision, failure },
      'info',
      'the test of 9c8d7e6 has no result yet; asking again at the next check',
    ],
  ],
  rejected: [[{ type: 'rejected', revision, failure }, 'warn', `9c8d7e6 is rejected: ${what}. Check the address.`]],
  saved: [
    [
      { type: 'saved', changes: { ref: 'refs/huddle/saved/1', files: 2 }, commits: [] },
      'warn',
      "2 files that were in the way are saved; to get back: git -C '/srv/my shop' checkout refs/huddle/saved/1 -- .",
    ],
    [
      { type: 'saved', changes: { ref: 'refs/huddle/saved/1', files: 1 }, commits: [] },
      'warn',
      "1 file that was in the way is saved; to get back: git -C '/srv/my shop' checkout refs/huddle/saved/1 -- .",
    ],
    [
      { type: 'saved', changes: null, commits: [{ folder: '/srv/my shop', ref: 'refs/huddle/saved/2' }] },
      'warn',
      "commits that the remote does not have are saved; to get back: git -C '/srv/my shop' branch NAME refs/huddle/saved/2",
    ],
    [
      {
        type: 'saved',
        changes: { ref: 'refs/huddle/saved/1', files: 1 },
        commits: [{ folder: '/srv/lib', ref: 'refs/huddle/saved/2' }],
      },
      'warn',
      "1 file that was in the way is saved; to get back: git -C '/srv/my shop' checkout refs/huddle/saved/1 -- .; " +
        'commits that the remote does not have are saved; to get back: git -C /srv/lib branch NAME refs/huddle/saved/2',
    ],
  ],
  deployed: [
    [
      { type: 'deployed', revision, from, seconds: 4, downtime: 0.25 },
      'info',
      'deployed 9c8d7e6 (was 3f2a1b0) in 4 s, 0.3 s of it without the program',
    ],
    [
      { type: 'deployed', revision, from, seconds: 4, downtime: 0 },
      'info',
      'deployed 9c8d7e6 (was 3f2a1b0) in 4 s, without a gap',
    ],
    [{ type: 'deployed', revision, from: null, seconds: 4, downtime: null }, 'info', 'deployed 9c8d7e6 in 4 s'],
  ],
  'rolling back': [
    [
      { type: 'rolling back', revision, to: from, failure },
      'warn',
      `rolling back from 9c8d7e6 to 3f2a1b0: ${what}. Check the address.`,
    ],
    [
      { type: 'rolling back', revision, to: from, failure: null },
      'info',
      'rolling back from 9c8d7e6 to 3f2a1b0: its operator asked for it',
    ],
  ],
  stayed: [
    [
      { type: 'stayed', revision, at: from, failure },
      'warn',
      `9c8d7e6 is not accepted, and 3f2a1b0 runs on: ${what}. Check the address.`,
    ],
    [
      { type: 'stayed', revision, at: revision, failure },
      'warn',
      `the new config is not accepted, and 9c8d7e6 runs on by the one before: ${what}. Check the address.`,
    ],
  ],
  kept: [
    [{ type: 'kept', revision, failure }, 'error', `9c8d7e6 is not accepted, but stays: ${what}. Check the address.`],
  ],
  failed: [
    [{ type: 'failed', failure, retryIn: 240 }, 'warn', `${what}; next try in 4 min. Check the address.`],
    [
      { type: 'failed', failure, retryIn: null },
      'error',
      `${what}; nothing more is tried until the next command or change. Check the address.`,
    ],
  ],
  'not deployed': [
    [
      { type: 'not deployed', failure },
      'warn',
      `not deployed: ${failure.message}${failure.hint === '' ? '' : `. ${failure.hint}`}`,
    ],
  ],
  recovered: [[{ type: 'recovered' }, 'info', 'recovered: the last attempt succeeded']],
  'program taken over': [
    [
      { type: 'program taken over', pid: 4711, revision },
      'info',
      'program taken over at 9c8d7e6, pid 4711: it ran on without Huddle',
    ],
  ],
  'program up': [[{ type: 'program up', pid: 4711, revision }, 'info', 'program up at 9c8d7e6, pid 4711']],
  'program recovered': [
    [{ type: 'program recovered', pid: 4711, revision }, 'info', 'program has recovered: up at 9c8d7e6, pid 4711'],
  ],
  'program exited': [
    [
      { type: 'program exited', exit: { code: 2, signal: null }, ran: 3.2, retryIn: 0 },
      'warn',
      'program ended with exit code 2 after 3.2 s; starting it again at once',
    ],
    [
      { type: 'program exited', exit: { code: null, signal: 'SIGSEGV' }, ran: 3.2, retryIn: 4 },
      'warn',
      'program ended by SIGSEGV after 3.2 s; starting it again in 4 s',
    ],
    [
      { type: 'program exited', exit: { code: null, signal: null }, ran: 76, retryIn: 0 },
      'warn',
      'program ended with exit code unknown after 76 s; starting it again at once',
    ],
    [
      { type: 'program exited', exit: { code: 0, signal: null }, ran: 3.2, retryIn: null },
      'info',
      'program ended with exit code 0 after 3.2 s',
    ],
    [
      { type: 'program exited', exit: { code: 1, signal: null }, ran: 3.2, retryIn: null },
      'warn',
      'program ended with exit code 1 after 3.2 s; not started again',
    ],
  ],
  'program not started': [
    [{ type: 'program not started', failure, retryIn: 1 }, 'warn', `${what}; next try in 1 s. Check the address.`],
    [{ type: 'program not started', failure, retryIn: null }, 'error', `${what}; not tried again. Check the address.`],
  ],
  'program given up': [[{ type: 'program given up', failure }, 'error', `${what}. Check the address.`]],
  'probe failed': [[{ type: 'probe failed', failure }, 'warn', `probe failed: ${what}. Check the address.`]],
  unhealthy: [
    [{ type: 'unhealthy', failure }, 'warn', `unhealthy: ${what}; restarting the program. Check the address.`],
  ],
  stuck: [[{ type: 'stuck', failure }, 'error', `${what}; nothing is started until it is gone. Check the address.`]],
  'config changed': [
    [{ type: 'config changed', sections: ['timing', 'test'] }, 'info', 'config changed: timing and test'],
  ],
  stopping: [
    [{ type: 'stopping', reason: 'operator' }, 'info', 'stopping: its operator asked for it'],
    [{ type: 'stopping', reason: 'config file gone' }, 'info', 'stopping: its config file is gone'],
    [{ type: 'stopping', reason: 'shutdown' }, 'info', 'stopping: Huddle is leaving'],
  ],
  stopped: [[{ type: 'stopped' }, 'info', 'stopped']],
  paused: [[{ type: 'paused' }, 'info', "paused: no more checks until `huddle resume 'my shop'`"]],
  resumed: [[{ type: 'resumed' }, 'info', 'resumed']],
};

suite('Prose', () => {
  for (const [type, cases] of Object.entries(said)) {
    test(`tells of '${type}' in one line`, () => {
      for (const [news, level, text] of cases) {
        assert.deepEqual(tell(news, { name: 'my shop', localPath: '/srv/my shop', tested: true, once: false }), {
          level,
          text,
        });
      }
    });
  }

  test('says deploying where there is no test', () => {
    const { text } = tell(
      { type: 'cloned', branch: 'main', tip: revision },
      { name: 'shop', localPath: '/srv/shop', tested: false, once: false },
    );
    assert.equal(text, 'main is at 9c8d7e6; deploying');
  });

  test('promises nothing with --once: nobody is there to try again', () => {
    const about = { name: 'shop', localPath: '/srv/shop', tested: true, once: true };
    assert.deepEqual(tell({ type: 'failed', failure, retryIn: 60 }, about), {
      level: 'error',
      text: `${what}. Check the address.`,
    });
    const pending = tell({ type: 'test pending', revision, failure }, about);
    assert.equal(pending.text, 'the test of 9c8d7e6 has no result yet');
    assert.equal(tell({ type: 'booting', revision }, about).text, '9c8d7e6 is in place; the check follows');
  });

  test('gives a failure without a hint no second sentence', () => {
    const bare = new Failure('timeout', { doing: 'asking', subject: 'it', reason: 'no answer' });
    const { text } = tell(
      { type: 'failed', failure: bare, retryIn: 1 },
      { name: 'shop', localPath: '/srv/shop', tested: false, once: false },
    );
    assert.equal(text, 'asking it: no answer; next try in 1 s');
  });

  test('names the app in a command that whoever gave an order is to paste', () => {
    assert.equal(
      toldOutcome({ type: 'rolled back', revision }, 'shop'),
      'rolled back to 9c8d7e6, where it stays until `huddle resume shop`',
    );
    assert.equal(toldOutcome({ type: 'paused' }, 'my shop'), "paused: no more checks until `huddle resume 'my shop'`");
  });

  test('says times as people do', () => {
    const times: readonly (readonly [number, string])[] = [
      [0, '0 ms'],
      [0.0413, '41 ms'],
      [0.0994, '99 ms'],
      [0.1, '0.1 s'],
      [3.21, '3.2 s'],
      [9.96, '10 s'],
      [59.6, '60 s'],
      [99.6, '2 min'],
      [240, '4 min'],
      [3599, '1 h'],
      [3900, '1 h 5 min'],
      [86_400, '1 d'],
      [273_600, '3 d 4 h'],
    ];
    for (const [seconds, text] of times) assert.equal(duration(seconds), text, String(seconds));
  });
});
