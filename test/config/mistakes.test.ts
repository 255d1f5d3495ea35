import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { describeProblem } from '../../src/config/problem.ts';
import { placesIn } from '../../src/config/tree.ts';
import { read, repositoryIni } from './reading.ts';

/** What is expected at each ¦ of a file, in reading order: the key, and what its message and hint say. */
type Expected = readonly [key: string, says: RegExp];

interface Case {
  readonly title: string;
  /** Each ¦ marks a place where a mistake is told; it is not part of the file. */
  readonly file: string;
  readonly expected: readonly Expected[];
}

const rest = '"repository": { "remote path": "https://example.org/a.git", "local path": "/srv/a" }';

/** A JSON file that is good but for one section. */
function beside(section: string): string {
  return `{\n  ${rest},\n  ${section}\n}\n`;
}

const json: readonly Case[] = [
  { title: 'an empty file', file: '¦', expected: [['', /file is empty; write/]] },
  { title: 'white space alone', file: '¦ \n\n', expected: [['', /file is empty/]] },
  { title: 'comments alone', file: '¦// none\n/* here */\n', expected: [['', /file is empty/]] },
  { title: 'a list', file: '\n  ¦[1, 2]\n', expected: [['', /must hold one object/]] },
  { title: 'a text', file: '¦"repository"', expected: [['', /must hold one object/]] },
  {
    title: 'no section at all',
    file: '¦¦{}',
    expected: [
      ['repository.remote path', /missing/],
      ['repository.local path', /missing/],
    ],
  },
  {
    title: 'an empty section',
    file: '{\n ¦¦"repository": {} }',
    expected: [
      ['repository.remote path', /missing/],
      ['repository.local path', /missing/],
    ],
  },
  {
    title: 'a required key that is blank',
    file: '{ "repository": { "remote path": ¦" ", "local path": "/srv/a" } }',
    expected: [['repository.remote path', /missing/]],
  },
  {
    title: 'a section that is a text',
    file: beside('"timing": ¦"often"'),
    expected: [['timing', /must be an object; write "timing": \{ "minimum"/]],
  },
  { title: 'a section that is null', file: beside('"timing": ¦null'), expected: [['timing', /must be an object/]] },
  {
    title: 'an unknown section',
    file: beside('¦"watchdogs": {}'),
    expected: [['watchdogs', /unknown section; did you mean "watchdog"\?/]],
  },
  {
    title: 'a key outside of its section',
    file: beside('¦"minimum": 5'),
    expected: [['minimum', /unknown section; did you mean "minimum" of section "timing"\?/]],
  },
  {
    title: 'a key of another section',
    file: beside('"timing": { ¦"port": 5 }'),
    expected: [['timing.port', /unknown key; did you mean "port" of section "watchdog"\?/]],
  },
  {
    title: 'a misspelt key',
    file: beside('"timing": {\n    "maximum": 90,\n\t¦"minimun": 5 }'),
    expected: [['timing.minimun', /did you mean "minimum"\?/]],
  },
  {
    title: 'a key in camel case',
    file: beside('"scripts": { ¦"postPull": "true" }'),
    expected: [['scripts.postPull', /did you mean "post-pull"\?/]],
  },
  {
    title: 'a key that is like none',
    file: beside('"timing": { ¦"zzzzzzzzz": 5 }'),
    expected: [['timing.zzzzzzzzz', /nearest known one is "minimum"; all of them: minimum, maximum/]],
  },
  {
    title: 'a key given twice',
    file: beside('"timing": { "minimum": 5,\n ¦"minimum": 6 }'),
    expected: [['timing.minimum', /given twice; it stands in line 3 already/]],
  },
  {
    title: 'a section given twice',
    file: beside('"logs": {}, ¦"logs": {}'),
    expected: [['logs', /section is given twice/]],
  },
  {
    title: 'a name given twice in a map',
    file: beside('"application": { "environment": { "A": "1", ¦"A": "2" } }'),
    expected: [['application.environment', /a name twice/]],
  },
  {
    title: 'several mistakes at once',
    file: beside('"timing": { "minimum": ¦"soon", "maximum": ¦-1 },\n  ¦"tset": {}, "logs": { "size": ¦0 }'),
    expected: [
      ['timing.minimum', /not a number/],
      ['timing.maximum', /above 0/],
      ['tset', /"test"/],
      ['logs.size', /above 0/],
    ],
  },
  {
    title: 'a missing comma, and what else is wrong',
    file: beside('"timing": { "minimum": 5 ¦"maximum": ¦false }'),
    expected: [
      ['', /comma is missing before this/],
      ['timing.maximum', /not a number/],
    ],
  },
  {
    title: 'a text that is not closed',
    file: '{\n  "repository": {\n    "remote path": ¦"https://example.org\n  }\n}',
    expected: [['', /not closed on its line/]],
  },
  {
    title: 'a value without quotes',
    file: '{ "repository": { "local path": ¦here } }',
    expected: [['', /no JSON; keys and texts stand in double quotes/]],
  },
  { title: 'a key in single quotes', file: "{\n ¦'repository': {} }", expected: [['', /double quotes/]] },
  { title: 'half a file', file: '{ "repository": { "remote path":¦', expected: [['', /value is expected/]] },
  { title: 'a missing brace', file: '{ "repository": {\n¦', expected: [['', /closing brace/]] },
  { title: 'text after the end', file: '{}\n¦}', expected: [['', /nothing may follow/]] },
  { title: 'a comment that is not closed', file: '{\n¦/* }', expected: [['', /comment is not closed/]] },
  {
    title: 'null',
    file: beside('"repository": 1'.replace('repository', '_r') + ', "timing": { "minimum": ¦null }'),
    expected: [['timing.minimum', /not a number/]],
  },
  {
    title: 'CRLF and CR line ends',
    file: `{\r\n ${rest},\r "timing":\n { "minimum": ¦[] } }`,
    expected: [['timing.minimum', /not a number/]],
  },
  {
    title: 'letters beyond ASCII, which are one column each',
    file: `{ ${rest}, "_ö": "ä", "timing": { "minimum": ¦{} } }`,
    expected: [['timing.minimum', /not a number/]],
  },
  {
    title: 'an item of a list',
    file: beside('"scripts": { "pre-pull": ["true", ¦"", ¦7] }'),
    expected: [
      ['scripts.pre-pull', /is empty/],
      ['scripts.pre-pull', /must be a text/],
    ],
  },
  {
    title: 'an argv that names no program',
    file: beside('"application": { "start": ¦[] }'),
    expected: [['application.start', /names no program/]],
  },
  {
    title: 'an argv of other things than texts',
    file: beside('"application": { "start": ["node", ¦8080] }'),
    expected: [['application.start', /must be a text/]],
  },
  {
    title: 'a variable that Huddle sets',
    file: beside('"application": { "environment": { ¦"HUDDLE_MARK": "1" } }'),
    expected: [['application.environment', /HUDDLE_MARK is set by Huddle/]],
  },
  {
    title: 'a variable that is null',
    file: beside('"application": { "environment": { "A": ¦null } }'),
    expected: [['application.environment', /must be a text/]],
  },
  {
    title: 'a variable without a value in a list',
    file: beside('"application": { "environment": ["A=1", ¦"B"] }'),
    expected: [['application.environment', /NAME=value/]],
  },
  {
    title: 'a list that names a variable twice',
    file: beside('"application": { "environment": ¦["A=1", "A=2"] }'),
    expected: [['application.environment', /a name twice/]],
  },
  {
    title: 'a header over two lines',
    file: beside('"test": { "remote": "https://ci.example.org", "pass response": "ok", "headers": { "A": ¦"b\\nc" } }'),
    expected: [['test.headers', /does not allow in a header/]],
  },
  {
    title: 'test.command beside test.remote',
    file: beside('"test": { "command": "true", "pass response": "ok",\n "remote": ¦"https://ci.example.org" }'),
    expected: [['test.remote', /beside test.command/]],
  },
  {
    title: 'test.remote without what passes',
    file: beside('"test": { "remote": ¦"https://ci.example.org" }'),
    expected: [['test.remote', /needs a pass response/]],
  },
  {
    title: 'what belongs to test.remote without it',
    file: beside('"test": { "pass response": ¦"a", "fail response": ¦"b", "headers": ¦{ "A": "b" } }'),
    expected: [
      ['test.pass response', /belongs to test.remote/],
      ['test.fail response', /belongs/],
      ['test.headers', /belongs/],
    ],
  },
  {
    title: 'an unknown placeholder',
    file: beside('"test": { "pass response": "ok", "remote": ¦"https://ci.example.org/{commit}" }'),
    expected: [['test.remote', /unknown placeholder; only \{revision\} and \{branch\}/]],
  },
  {
    title: 'a maximum below the minimum',
    file: beside('"timing": { "minimum": 9, "maximum": ¦8 }'),
    expected: [['timing.maximum', /below timing.minimum \(9\)/]],
  },
  {
    title: 'a maximum below the default minimum',
    file: beside('"timing": { "maximum": ¦8 }'),
    expected: [['timing.maximum', /below timing.minimum \(60\)/]],
  },
  {
    title: 'a ready timeout that nothing can settle in',
    file: beside('"application": { "ready timeout": ¦3, "settle": 4 }'),
    expected: [['application.ready timeout', /settle for 4 seconds within/]],
  },
  {
    title: 'a settle beyond the default ready timeout',
    file: beside('"application": { "settle": ¦61 }'),
    expected: [['application.settle', /ready timeout of 60/]],
  },
  {
    title: 'watchdog.command beside a host',
    file: beside('"watchdog": { "command": "true", "host": ¦"a", "port": ¦1, "request": ¦"b", "response": ¦"c" }'),
    expected: [
      ['watchdog.host', /beside watchdog.command/],
      ['watchdog.port', /beside/],
      ['watchdog.request', /beside/],
      ['watchdog.response', /beside/],
    ],
  },
  {
    title: 'what is shared by all releases',
    file: beside('"deployment": { "keep": ¦0, "shared": [¦"/etc", ¦"../x", ¦"a/.git/b", ¦".", ¦"", ¦"a\\nb"] }'),
    expected: [
      ['deployment.keep', /at least 1/],
      ['deployment.shared', /must be relative/],
      ['deployment.shared', /leads out/],
      ['deployment.shared', /part of git/],
      ['deployment.shared', /whole working copy/],
      ['deployment.shared', /is empty; write a path/],
      ['deployment.shared', /control character; write a path/],
    ],
  },
  {
    title: 'sockets for a shell, and a switch in place',
    file: beside('"application": { "start": "node x.js", "listen": ¦8080 }, "scripts": { "switch": ¦"point" }'),
    expected: [
      ['application.listen', /a list, or begins with exec/],
      ['scripts.switch', /belongs to the strategy side by side/],
    ],
  },
  {
    title: 'a local path in the state folder',
    file: '{ "repository": { "remote path": "/srv/a", "local path": ¦".huddle/app" } }',
    expected: [['repository.local path', /own folder \.huddle/]],
  },
];

const ini: readonly Case[] = [
  { title: 'an empty file', file: '¦', expected: [['', /file is empty; write \[repository\]/]] },
  { title: 'comments alone', file: '¦; none\n# here\n', expected: [['', /file is empty/]] },
  {
    title: 'a key before any section',
    file: '¦port = 1\n' + repositoryIni,
    expected: [['', /before the first section/]],
  },
  {
    title: 'a line that is nothing',
    file: repositoryIni + '\n  ¦what is this\n',
    expected: [['repository', /neither a \[section\] nor a key/]],
  },
  {
    title: 'a section that is not closed',
    file: repositoryIni + '¦[timing\nbranch = main',
    expected: [['repository', /not a section as INI/]],
  },
  {
    title: 'a section with something behind',
    file: repositoryIni + '¦[timing] # often\n',
    expected: [['repository', /alone on its line/]],
  },
  { title: 'a key without a name', file: repositoryIni + '  ¦= 1\n', expected: [['repository', /key is missing/]] },
  {
    title: 'an unknown section and key',
    file: repositoryIni + '¦[time]\n[timing]\n  ¦minimun = 1\n',
    expected: [
      ['time', /"timing"/],
      ['timing.minimun', /"minimum"/],
    ],
  },
  {
    title: 'a key given twice',
    file: repositoryIni + 'branch = a\n¦branch = b\n',
    expected: [['repository.branch', /given twice; it stands in line 4/]],
  },
  { title: 'a section given twice', file: repositoryIni + '[logs]\n¦[logs]\n', expected: [['logs', /given twice/]] },
  {
    title: 'a value',
    file: repositoryIni + '[timing]\nminimum   :   ¦soon\n',
    expected: [['timing.minimum', /not a number/]],
  },
  {
    title: 'a comment behind a value',
    file: repositoryIni + '[timing]\nminimum=¦5 ; often\n',
    expected: [['timing.minimum', /not a number/]],
  },
  {
    title: 'an item of a list',
    file: repositoryIni + '[application]\nenvironment = A=1, ¦B , C=3\n',
    expected: [['application.environment', /in INI a comma/]],
  },
  {
    title: 'an empty value that would loosen something',
    file: repositoryIni + '[application]\nuser =¦ \n[test]\ncommand =¦\n',
    expected: [
      ['application.user', /is empty/],
      ['test.command', /is empty/],
    ],
  },
  {
    title: 'a value that goes on in the next line, whose colon makes it a key',
    file: '¦[repository]\n¦https://example.org/a.git\nlocal path = /srv/a\n',
    expected: [
      ['repository.remote path', /missing/],
      ['repository.https', /unknown key/],
    ],
  },
  {
    title: 'a signal',
    file: repositoryIni + '[application]\nstop signal = ¦SIGNONE\n',
    expected: [['application.stop signal', /no signal/]],
  },
];

function withoutMarks(file: string): { text: string; places: readonly string[] } {
  const text = file.replaceAll('¦', '');
  const place = placesIn(text);
  const places = [...file.matchAll(/¦/g)].map(({ index }, before) => {
    const { line, column } = place(index - before);
    return `${line}:${column}`;
  });
  return { text, places };
}

for (const [name, cases] of [
  ['app.json', json],
  ['app.ini', ini],
] as const) {
  suite(`A mistake in ${name} is told where it stands`, () => {
    for (const { title, file, expected } of cases) {
      test(title, async () => {
        const { text, places } = withoutMarks(file);
        const { config, problems } = await read(text, name);
        const told = problems.map(describeProblem).join('\n');
        assert.equal(config, null);
        assert.deepEqual(
          problems.map(({ line, column }) => `${line}:${column}`),
          places,
          told,
        );
        assert.deepEqual(
          problems.map(({ key }) => key),
          expected.map(([key]) => key),
          told,
        );
        for (const [index, [, says]] of expected.entries()) {
          const { message = '', hint = '' } = problems[index] ?? {};
          assert.match(`${message}; ${hint}`, says);
          assert.equal(problems[index]?.file, name);
        }
      });
    }
  });
}

suite('Bytes that are no text', () => {
  const cases: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
    ['a Latin-1 letter', Buffer.from('{\n "a": "\xe4" }', 'latin1'), '2:8', /not UTF-8 from here/],
    [
      'a Latin-1 letter behind a replacement character and a byte order mark',
      Buffer.concat([Buffer.from('\uFEFF"\uFFFD'), Buffer.from([0xff])]),
      '1:3',
      /not UTF-8/,
    ],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), '1:1', /not UTF-8/],
    ['a NUL', Buffer.from('{\n\0}'), '2:1', /NUL/],
    ['more than a megabyte', Buffer.alloc(1_000_001, ' '), '1:1', /larger than a megabyte/],
  ];
  for (const [title, bytes, place, says] of cases) {
    test(title, async () => {
      for (const path of ['a.json', 'a.ini']) {
        const { problems } = await read(bytes, path);
        assert.deepEqual(
          problems.map(({ line, column }) => `${line}:${column}`),
          [place],
        );
        assert.match(problems[0]?.message ?? '', says);
      }
    });
  }

  test('a byte order mark is none of them', async () => {
    const { problems } = await read(`\uFEFF{ ${rest} }`);
    assert.deepEqual(problems, []);
  });

  test('brackets without end overflow nothing', async () => {
    const { problems } = await read('{"a":'.repeat(100_000));
    assert.match(problems[0]?.message ?? '', /nested too deeply/);
  });
});

suite('A file name that cannot be an app', () => {
  const names = [
    '-rf.json',
    'a:b.json',
    'a\nb.ini',
    'a\\b.json',
    ' a.json',
    'a .json',
    'a..json',
    `${'x'.repeat(201)}.json`,
    'a\uFFFD.json',
  ];
  for (const name of names) {
    test(JSON.stringify(name), async () => {
      const text = name.endsWith('ini') ? repositoryIni : `{ ${rest} }`;
      const { problems, config } = await read(text, name);
      assert.equal(config, null);
      assert.deepEqual(
        problems.map(({ line, column }) => `${line}:${column}`),
        ['1:1'],
      );
      assert.match(problems[0]?.message ?? '', /cannot be an app's name/);
    });
  }

  test('most others can', async () => {
    for (const name of ['shop.json', 'my shop.JSON', 'größe.json', 'a.b.json', 'a--b_c.Json']) {
      assert.deepEqual((await read(`{ ${rest} }`, name)).problems, [], name);
    }
  });
});
