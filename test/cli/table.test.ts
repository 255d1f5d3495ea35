import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { span, statusLine, statusLines, type Layout } from '../../src/cli/table.ts';
import { cut, displayWidth, fit, type Paint } from '../../src/cli/terminal.ts';
import type { AppStatus } from '../../src/control/status.ts';
import { appStatus } from '../control/fake-source.ts';

const plain: Paint = (_style, text) => text;
const now = Date.parse('2026-01-31T12:00:30.000Z');
const down = { state: 'down', pid: null, since: null, restarts: 0, adopted: false } as const;

const apps: readonly AppStatus[] = [
  appStatus('shop'),
  appStatus('blog-of-the-whole-company', {
    state: 'waiting',
    branch: 'feature/a-new-look-for-everything',
    program: down,
    health: 'unknown',
    nextCheck: '2026-01-31T12:05:33.000Z',
    error: {
      code: 'remote-unreachable',
      message: 'asking https://example.org/blog.git: connection refused',
      hint: 'Is the address right, and the network up?',
    },
  }),
  appStatus('日本語アプリ', {
    pinned: true,
    paused: true,
    program: { state: 'up', pid: 123_456, since: '2026-01-28T07:00:30.000Z', restarts: 12, adopted: true },
    health: 'unhealthy',
    nextCheck: null,
  }),
  appStatus('new', {
    state: 'cloning',
    branch: null,
    revision: null,
    program: down,
    health: 'unknown',
    nextCheck: null,
  }),
];

const layout = (width: number): Layout => ({ width, now, paint: plain, place: { folder: '.', state: undefined } });

suite('The table of status', () => {
  test('has every column where there is room', () => {
    assert.deepEqual(statusLines(apps, layout(Infinity)), [
      'APP                        STATE                    PROGRAM          HEALTH     REVISION                                   NEXT      RESTARTS  ERROR',
      'shop                       running                  up 4711 30s      healthy    9c8d7e6 main                               in 30s    0',
      'blog-of-the-whole-company  waiting                  down             –          9c8d7e6 feature/a-new-look-for-everything  in 5m 3s  0         remote-unreachable',
      '日本語アプリ               running, paused, pinned  up 123456 3d 5h  unhealthy  9c8d7e6 main                                         12',
      'new                        cloning                  down             –                                                               0',
      '',
      'blog-of-the-whole-company: asking https://example.org/blog.git: connection refused (remote-unreachable)',
      '  Is the address right, and the network up?',
    ]);
  });

  test('shows what runs beside the program that leads', () => {
    const beside = { revision: 'd'.repeat(40), state: 'starting', pid: 4712 } as const;
    assert.match(statusLine(appStatus('shop', { beside }), now), /^shop: running, up 4711 30s \+ starting 4712, /);
  });

  const golden = {
    60: [
      'APP        STATE       PROGRAM       HEALTH     REVISION',
      'shop       running     up 4711 30s   healthy    9c8d7e6 main',
      'blog-of-…  waiting     down          –          9c8d7e6 fea…',
      '日本語ア…  running, …  up 123456 3…  unhealthy  9c8d7e6 main',
      'new        cloning     down          –',
      '',
      'blog-of-the-whole-company: asking',
      'https://example.org/blog.git: connection refused',
      '(remote-unreachable)',
      '  Is the address right, and the network up?',
    ],
    80: [
      'APP            STATE          PROGRAM        HEALTH     REVISION        NEXT',
      'shop           running        up 4711 30s    healthy    9c8d7e6 main    in 30s',
      'blog-of-the-…  waiting        down           –          9c8d7e6 featu…  in 5m 3s',
      '日本語アプリ   running, pau…  up 123456 3d…  unhealthy  9c8d7e6 main',
      'new            cloning        down           –',
      '',
      'blog-of-the-whole-company: asking https://example.org/blog.git: connection',
      'refused (remote-unreachable)',
      '  Is the address right, and the network up?',
    ],
    120: [
      'APP               STATE             PROGRAM          HEALTH     REVISION           NEXT      RESTARTS  ERROR',
      'shop              running           up 4711 30s      healthy    9c8d7e6 main       in 30s    0',
      'blog-of-the-who…  waiting           down             –          9c8d7e6 feature/…  in 5m 3s  0         remote-unreachab…',
      '日本語アプリ      running, paused…  up 123456 3d 5h  unhealthy  9c8d7e6 main                 12',
      'new               cloning           down             –                                       0',
      '',
      'blog-of-the-whole-company: asking https://example.org/blog.git: connection refused (remote-unreachable)',
      '  Is the address right, and the network up?',
    ],
  };
  for (const [width, lines] of Object.entries(golden)) {
    test(`is aligned in ${width} columns`, () => {
      const drawn = statusLines(apps, layout(Number(width)));
      assert.deepEqual(drawn, lines);
      for (const line of drawn) assert.ok(displayWidth(line) <= Number(width), line);
    });
  }

  test('stays within any width', () => {
    for (let width = 40; width < 200; width += 1) {
      const widest = Math.max(...statusLines(apps, layout(width)).map(displayWidth));
      assert.ok(widest <= width, `${widest} in ${width}`);
    }
  });

  test('leaves out what no app has', () => {
    assert.deepEqual(statusLines([appStatus('shop')], layout(Infinity)), [
      'APP   STATE    PROGRAM      HEALTH   REVISION      NEXT    RESTARTS',
      'shop  running  up 4711 30s  healthy  9c8d7e6 main  in 30s  0',
    ]);
  });

  test('says so where there is no app', () => {
    assert.deepEqual(statusLines([], layout(80)), ['No apps yet: `huddle init` writes an example config.']);
  });

  test('lets no name or message play tricks on the terminal', () => {
    const error = { code: 'internal', message: 'a\u001b[2Jb\nc', hint: '' } as const;
    const [, row, , complaint] = statusLines([appStatus('sh\u001b[31mop', { error })], layout(Infinity));
    assert.match(row ?? '', /^sh\\x1b\[31mop {2}running/);
    assert.equal(complaint, 'sh\\x1b[31mop: a\\x1b[2Jb c (internal)');
  });

  test('paints cells, not their columns', () => {
    const paint: Paint = (style, text) => `<${style}>${text}</>`;
    const [, row] = statusLines([appStatus('shop')], { ...layout(Infinity), paint });
    assert.equal(
      row,
      '<bold>shop</>  <green>running</>  <green>up 4711 30s</>  <green>healthy</>  9c8d7e6 main  in 30s  0',
    );
  });

  test('has a form of one line', () => {
    const lines = apps.map((app) => statusLine(app, now));
    assert.deepEqual(lines, [
      'shop: running, up 4711 30s, healthy, 9c8d7e6 main',
      'blog-of-the-whole-company: waiting, down, 9c8d7e6 feature/a-new-look-for-everything, remote-unreachable',
      '日本語アプリ: running, paused, pinned, up 123456 3d 5h, unhealthy, 9c8d7e6 main',
      'new: cloning, down',
    ]);
  });
});

suite('Widths in a terminal', () => {
  test('are two for what is wide, and none for marks', () => {
    const widths = { abc: 3, 日本: 4, 한국: 4, 'e\u0301': 1, ｶﾅ: 2, Ａ: 2, '👍': 2, '👩‍👩‍👧': 2, '❤️': 2, '…→': 2, '': 0 };
    for (const [text, width] of Object.entries(widths)) assert.equal(displayWidth(text), width, text);
  });

  test('are kept when a text is cut or filled', () => {
    assert.equal(fit('shop', 6), 'shop  ');
    assert.equal(fit('shopping', 6), 'shopp…');
    assert.equal(fit('日本語', 5), '日本…');
    assert.equal(fit('日本語', 4), '日… ');
    assert.equal(cut('日本語', 4), '日…');
    assert.equal(cut('shop', 4), 'shop');
  });
});

test('A span of time is short', () => {
  const spans = {
    0: '0s',
    400: '0s',
    42_000: '42s',
    60_000: '1m',
    303_000: '5m 3s',
    3_600_000: '1h',
    277_200_000: '3d 5h',
  };
  for (const [milliseconds, text] of Object.entries(spans)) assert.equal(span(Number(milliseconds)), text);
  assert.equal(span(-5000), '0s');
});
