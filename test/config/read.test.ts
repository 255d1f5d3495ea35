import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, test } from 'node:test';
import type { AppConfig } from '../../machines/config.ts';
import { heard } from '../../src/config/kinds.ts';
import { describeProblem, problemsToFailure } from '../../src/config/problem.ts';
import { readConfig } from '../../src/config/read.ts';
import { appConfig } from '../machines/config.ts';
import { good, goodJson, problemsWith, read, repository, repositoryIni } from './reading.ts';

/** What the contract says of a config that gives nothing but what is required. */
const defaults = appConfig({
  repository: { remotePath: 'https://example.org/app.git', localPath: '/no/such/app', branch: null },
  application: { start: null },
});

suite('What is not given', () => {
  test('is what the contract says', async () => {
    assert.deepEqual(await goodJson(), defaults);
    assert.deepEqual(await good(repositoryIni, 'app.ini'), defaults);
  });

  test('has defaults in a test and a watchdog as well', async () => {
    const { test, watchdog } = await goodJson({ test: { command: 'make' }, watchdog: {} });
    assert.deepEqual(test, { kind: 'command', commands: ['make'], timeout: 900 });
    assert.deepEqual(watchdog, {
      period: 60,
      timeout: 5,
      failures: 3,
      probe: { kind: 'tcp', host: '127.0.0.1', port: 80, request: 'watchdog', response: null },
    });
  });

  test('can be written as an empty text, where that loosens nothing', async () => {
    const empty = {
      repository: {
        ...repository,
        branch: '',
        remote: '',
        type: '',
        executable: '',
        depth: '',
        submodules: '',
        timeout: '',
        username: '',
      },
      timing: { minimum: '', maximum: ' ' },
      test: { timeout: '', remote: '', 'pass response': '', 'fail response': '', headers: '' },
      scripts: { switch: '', 'pre-pull': '', 'post-pull': '', timeout: '' },
      application: {
        start: '',
        directory: '',
        environment: '',
        'environment file': '',
        'stop signal': '',
        'stop timeout': '',
        'stop command': '',
        restart: '',
        'crash limit': '',
        'crash window': '',
        retry: '',
        settle: '',
        'ready timeout': '',
        listen: '',
        proxy: '',
        'drain timeout': '',
      },
      deployment: { strategy: '', keep: '', shared: '', rollback: '', proving: '' },
      logs: { size: '', keep: '' },
      notify: { command: '', url: '' },
    };
    assert.deepEqual(await goodJson(empty), defaults);
  });

  test('cannot be written so where that loosens something', async () => {
    for (const [section, key] of [
      ['repository', 'ssh key'],
      ['repository', 'known hosts'],
      ['repository', 'password file'],
      ['application', 'user'],
      ['test', 'command'],
      ['webhook', 'secret file'],
    ] as const) {
      const base = section === 'repository' ? repository : {};
      for (const blank of ['', '  ', ...(key === 'command' ? [[], ['']] : [])]) {
        const problems = await problemsWith({ [section]: { ...base, [key]: blank } });
        assert.deepEqual(
          problems.map((problem) => [problem.key, problem.message]),
          [[`${section}.${key}`, 'is empty']],
        );
      }
    }
  });
});

suite('What was printed in the first readme', () => {
  test('loads as JSON, trailing commas and all', async () => {
    const { repository } = await good(`
      { "repository": { "remote path": "https://github.com/slightlynybbled/dummy.git", "local path": "/home/ubuntu/git_example", }, }`);
    assert.equal(repository.remotePath, 'https://github.com/slightlynybbled/dummy.git');
    assert.equal(repository.localPath, '/home/ubuntu/git_example');
  });

  test('loads as INI, a Windows path elsewhere being a folder inside DIR, which is noted', async () => {
    const file = `[repository]
remote path: https://github.com/slightlynybbled/dummy.git
local path: C:/_code/_git_example

[application]
start = /home/ubuntu/py3env/bin/python -m dummy_app.py

[timing]
minimum: 60

[watchdog]
port: 8888
`;
    const { config, problems, notes } = await read(file, 'app.ini');
    assert.deepEqual(problems, []);
    assert.equal(config?.repository.localPath, '/no/such/dir/C:/_code/_git_example');
    assert.equal(config.application.start, '/home/ubuntu/py3env/bin/python -m dummy_app.py');
    assert.deepEqual(
      notes.map(({ line, column, key }) => [line, column, key]),
      [[3, 13, 'repository.local path']],
    );
  });

  test('has numbers written as texts', async () => {
    const { watchdog, timing } = await goodJson({
      watchdog: { port: '8888' },
      timing: { minimum: 60, maximum: ' 90.5 ' },
    });
    assert.deepEqual(watchdog?.probe, {
      kind: 'tcp',
      host: '127.0.0.1',
      port: 8888,
      request: 'watchdog',
      response: null,
    });
    assert.deepEqual(timing, { minimum: 60, maximum: 90.5 });
  });
});

const everyKey = {
  repository: {
    'remote path': 'git@example.org:app.git',
    'local path': '~/app',
    branch: 'release/1',
    remote: 'upstream',
    type: 'git',
    executable: './bin/git',
    depth: 1,
    submodules: true,
    timeout: 0.5,
    'ssh key': '~/.ssh/id',
    'known hosts': 'hosts',
    username: 'bob',
    'password file': '../secret',
  },
  timing: { minimum: 1.5, maximum: 3 },
  test: { command: 'make test, really', timeout: 7 },
  scripts: { switch: 'four', 'pre-pull': ['one', 'two words'], 'post-pull': 'three', timeout: 8 },
  application: {
    start: 'exec ./serve --port=1; # not a comment',
    directory: './a//b/',
    environment: ['A=1=2', 'B='],
    'environment file': '.env',
    user: 'www-data',
    'stop signal': 'int',
    'stop timeout': 0,
    'stop command': 'bye',
    restart: 'on failure',
    'crash limit': 2,
    'crash window': 9,
    retry: 0,
    settle: 0,
    'ready timeout': 4,
    listen: ['8080', './app.sock'],
  },
  deployment: { strategy: 'side by side', keep: 2, shared: ['uploads', 'a/b.json'], rollback: false, proving: 0 },
  watchdog: {
    period: 1,
    host: 'example.org',
    port: 65535,
    request: 'ping',
    response: 'pong, again',
    timeout: 0.1,
    failures: 1,
  },
  logs: { size: 0.5, keep: 0 },
  webhook: { 'secret file': 'shop.secret' },
  notify: { command: 'echo hello, world', url: 'https://chat.example.org/hooks/1' },
};

const everyValue: AppConfig = {
  repository: {
    remotePath: 'git@example.org:app.git',
    localPath: '/no/such/home/app',
    branch: 'release/1',
    remote: 'upstream',
    executable: '/no/such/dir/bin/git',
    depth: 1,
    submodules: true,
    timeout: 0.5,
    sshKey: '/no/such/home/.ssh/id',
    knownHosts: '/no/such/dir/hosts',
    username: 'bob',
    passwordFile: '/no/such/secret',
  },
  timing: { minimum: 1.5, maximum: 3 },
  test: { kind: 'command', commands: ['make test, really'], timeout: 7 },
  scripts: { switch: ['four'], prePull: ['one', 'two words'], postPull: ['three'], timeout: 8 },
  application: {
    start: 'exec ./serve --port=1; # not a comment',
    directory: 'a/b',
    environment: { A: '1=2', B: '' },
    environmentFile: '/no/such/dir/.env',
    user: 'www-data',
    stopSignal: 'SIGINT',
    stopTimeout: 0,
    stopCommand: 'bye',
    restart: 'on failure',
    crashLimit: 2,
    crashWindow: 9,
    retry: 0,
    settle: 0,
    readyTimeout: 4,
    listen: [
      { kind: 'tcp', host: '::', port: 8080 },
      { kind: 'unix', path: '/no/such/dir/app.sock' },
    ],
    proxy: null,
    drainTimeout: 30,
  },
  deployment: { strategy: 'side by side', keep: 2, shared: ['uploads', 'a/b.json'], rollback: false, proving: 0 },
  watchdog: {
    period: 1,
    timeout: 0.1,
    failures: 1,
    probe: { kind: 'tcp', host: 'example.org', port: 65535, request: 'ping', response: 'pong, again' },
  },
  logs: { size: 0.5, keep: 0 },
  webhook: { secretFile: '/no/such/dir/shop.secret' },
  notify: { commands: ['echo hello, world'], url: 'https://chat.example.org/hooks/1' },
};

/** The same config as INI: lists joined with commas. */
function asIni(sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>, delimiter: string): string {
  const lines = Object.entries(sections).flatMap(([section, keys]) => [
    `[${section}]`,
    ...Object.entries(keys).map(
      ([key, value]) => `${key}${delimiter}${Array.isArray(value) ? value.join(', ') : String(value)}`,
    ),
    '',
  ]);
  return lines.join('\r\n');
}

suite('Every key', () => {
  test('arrives where the machines look for it', async () => {
    assert.deepEqual(await good(JSON.stringify(everyKey)), everyValue);
  });

  test('says the same in INI, with either sign between key and value', async () => {
    for (const delimiter of ['=', ' = ', ': '])
      assert.deepEqual(await good(asIni(everyKey, delimiter), 'APP.INI'), everyValue);
  });

  test('says the same with every number and switch as a text', async () => {
    const texts = JSON.stringify(everyKey, (_, value: unknown) =>
      typeof value === 'number' || typeof value === 'boolean' ? String(value) : value,
    );
    assert.deepEqual(await good(texts), everyValue);
  });

  test('that begins with _ or $ is ignored, but not a variable of that name', async () => {
    const { application } = await good(`{
      "$schema": 1, "_later": { "x": 1 }, "_later": 2,
      "repository": { "_was": null, "remote path": "/a", "local path": "/no/such/app" },
      "application": { "$": [], "environment": { "_JAVA_OPTIONS": "-X", "__proto__x": "y" } } }`);
    assert.deepEqual(application.environment, { _JAVA_OPTIONS: '-X', __proto__x: 'y' });
    await good(`_top = 1\n[_section]\nx = 1\nx = 2\n${repositoryIni}$x = 1\n_y: 2\n_y: 3\n`, 'app.ini');
  });
});

suite('INI', () => {
  test('has comments only where a line begins, and no meaning for quotes', async () => {
    const { application } = await good(
      `; one\n  # two\n${repositoryIni}[ application ]\nstart = echo "a" ; b # c\n`,
      'a.ini',
    );
    assert.equal(application.start, 'echo "a" ; b # c');
  });

  test('separates with commas in scripts, environment and headers, and nowhere else', async () => {
    const { scripts, application, test, watchdog } = await good(
      `${repositoryIni}
[scripts]
pre-pull = one, two ,three,
[application]
environment: A=x:y , B=
start = a, b
[test]
remote = https://example.org/a,b
pass response = yes, sir
headers = A: b, C: d:e
[watchdog]
command = a, b
`,
      'a.ini',
    );
    assert.deepEqual(scripts.prePull, ['one', 'two', 'three']);
    assert.deepEqual(application.environment, { A: 'x:y', B: '' });
    assert.equal(application.start, 'a, b');
    assert.deepEqual(test?.kind === 'remote' && [test.url, test.pass, test.headers], [
      'https://example.org/a,b',
      'yes, sir',
      { A: 'b', C: 'd:e' },
    ]);
    assert.deepEqual(watchdog?.probe, { kind: 'command', command: 'a, b' });
  });

  test('knows more words for true and false', async () => {
    for (const [word, value] of [
      ['yes', true],
      ['On', true],
      ['TRUE', true],
      ['no', false],
      ['off', false],
      ['False', false],
    ] as const) {
      const { deployment } = await good(`${repositoryIni}[deployment]\nrollback = ${word}\n`, 'a.ini');
      assert.equal(deployment.rollback, value, word);
    }
  });
});

suite('A watchdog', () => {
  const http = (url: string) => ({ kind: 'http', url, response: null });
  const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port, request: 'watchdog', response: null });
  const cases: readonly (readonly [section: Readonly<Record<string, unknown>>, probe: unknown])[] = [
    [{ host: 'http://a.example/health?x=1' }, http('http://a.example/health?x=1')],
    [{ host: 'http://a.example' }, http('http://a.example/')],
    [{ host: 'https://a.example/x#y' }, http('https://a.example/x')],
    [{ host: 'http://a.example:1/x', port: 2 }, http('http://a.example:2/x')],
    [{ host: 'https://a.example/x', port: '8443' }, http('https://a.example:8443/x')],
    [{ host: 'HTTP://A.example', port: 80 }, http('http://a.example/')],
    [{ host: 'http://[::1]/x', port: 8080 }, http('http://[::1]:8080/x')],
    [{ host: 'localhost', port: 8080 }, tcp('localhost', 8080)],
    [{ host: '::1', port: 8080 }, tcp('::1', 8080)],
    [{ host: '[::1]' }, tcp('::1', 80)],
    [{ host: '10.0.0.1' }, tcp('10.0.0.1', 80)],
    [{ port: 1 }, tcp('127.0.0.1', 1)],
    [{ command: 'true' }, { kind: 'command', command: 'true' }],
  ];
  for (const [section, probe] of cases) {
    test(`with ${JSON.stringify(section)} probes so`, async () => {
      assert.deepEqual((await goodJson({ watchdog: section })).watchdog?.probe, probe);
    });
  }
});

suite('A value that does not fit', () => {
  const bad: readonly (readonly [section: string, key: string, values: readonly unknown[]])[] = [
    ['repository', 'remote path', [5, true, [], {}, 'ext::sh -c true', 'app']],
    ['repository', 'local path', [5, '~bob/app', 'a\0b']],
    ['repository', 'branch', [1, '-x', 'a b', 'refs/heads/main', 'HEAD', 'a..b']],
    ['repository', 'remote', ['-x', 'a b', 'a.lock']],
    ['repository', 'type', ['svn', 'Git', 1]],
    ['repository', 'depth', [0, -1, 1.5, '1.5', 'all', true]],
    ['repository', 'submodules', ['maybe', 1, []]],
    ['repository', 'timeout', [0, -1, '0', 'x', '1e3', '0x10', 1_814_401]],
    ['repository', 'username', ['a:b', 'a\nb']],
    ['timing', 'minimum', [0, '0', '-0', null, [60], '60s']],
    ['application', 'start', [5, {}, [''], [[]], ['node', null]]],
    ['application', 'directory', ['..', '../x', 'a/../../x', '/srv', '~/x', 'a\0']],
    ['application', 'environment', ['A', 5, ['=x'], { '': 'x' }, { 'A B': 'x' }, { A: {} }, { A: 'x\0' }]],
    ['application', 'environment file', ['~bob/.env', 5]],
    ['application', 'user', ['-x', 'a b', 1000, 'a:b']],
    ['application', 'stop signal', ['SIGNONE', 15, 'KILL -9']],
    ['application', 'stop timeout', [-1, 'never']],
    ['application', 'stop command', [['a', 'b'], 5]],
    ['application', 'restart', ['sometimes', true]],
    ['application', 'crash limit', [0, 2.5]],
    ['application', 'crash window', [0]],
    ['application', 'retry', [-1]],
    ['application', 'settle', [-1]],
    ['application', 'ready timeout', [0]],
    ['deployment', 'strategy', ['canary', 'In Place']],
    ['deployment', 'rollback', ['perhaps', 0]],
    ['watchdog', 'host', ['http://', 'http://a b', 'ftp://a', 'localhost:80', 'a/b', '-a', 'tcp://a:1', 5]],
    ['watchdog', 'port', [0, 65536, 'http', 1.5]],
    ['watchdog', 'failures', [0]],
    ['watchdog', 'command', [['true']]],
    ['test', 'command', [5, ['a', 5], {}]],
    ['logs', 'size', [0, -1, 1e12]],
    ['logs', 'keep', [-1, 0.5]],
  ];
  for (const [section, key, values] of bad) {
    test(`at ${section}.${key} is told, with a hint`, async () => {
      for (const value of values) {
        const base = section === 'repository' ? repository : {};
        const problems = await problemsWith({ [section]: { ...base, [key]: value } });
        assert.ok(problems.length > 0, `taken: ${JSON.stringify(value)}`);
        for (const problem of problems) {
          assert.equal(problem.key, `${section}.${key}`);
          assert.notEqual(problem.hint, '', describeProblem(problem));
          assert.notEqual(problem.message, 'does not fit here', JSON.stringify(value));
        }
      }
    });
  }
});

suite('Combinations that are hardly meant', () => {
  const beside = { strategy: 'side by side' };
  const noted: readonly (readonly [
    title: string,
    sections: Readonly<Record<string, unknown>>,
    keys: readonly string[],
  ])[] = [
    [
      'scripts that are downtime',
      { application: { start: 'x' }, scripts: { 'pre-pull': 'a', 'post-pull': 'b' } },
      ['scripts.pre-pull', 'scripts.post-pull'],
    ],
    ['scripts of a mere sync are none', { scripts: { 'post-pull': 'b' } }, []],
    ['settings of a program that is not there', { application: { retry: 5, user: 'bob' } }, ['application.retry']],
    ['a watchdog over nothing', { watchdog: { port: 5 } }, ['watchdog.port']],
    [
      'a request that is never sent',
      { application: { start: 'x' }, watchdog: { request: 'ping' } },
      ['watchdog.request'],
    ],
    ['two releases at once on one port', { application: { start: 'x' }, deployment: beside }, ['deployment.strategy']],
    ...[
      { application: { start: 'exec x', listen: 80 } },
      { application: { start: 'x', proxy: 80 } },
      { application: { start: 'x' }, scripts: { switch: 'turn' } },
    ].map((door) => [`of those none: ${JSON.stringify(door)}`, { ...door, deployment: beside }, []] as const),
    [
      'a watchdog that asks one release about the other',
      { application: { start: 'x', proxy: 80 }, deployment: beside, watchdog: { host: 'http://[::1]/', port: 81 } },
      ['watchdog.host', 'watchdog.port'],
    ],
    [
      'one that asks each release about itself is none',
      { application: { start: 'x', proxy: 80 }, deployment: beside, watchdog: { port: '{port}' } },
      [],
    ],
    [
      'what is for releases, in place',
      { deployment: { keep: 2, shared: 'a' }, application: { start: 'x', 'drain timeout': 1 } },
      ['deployment.keep', 'deployment.shared', 'application.drain timeout'],
    ],
    ['a time for a test that is not there', { test: { timeout: 5 } }, ['test.timeout']],
    ['a time for scripts that are not there', { scripts: { timeout: 5 } }, ['scripts.timeout']],
    [
      'a key for ssh over https',
      { repository: { ...repository, 'ssh key': 'id', 'password file': 'p' } },
      ['repository.ssh key'],
    ],
    [
      'a password over ssh',
      { repository: { ...repository, 'remote path': 'git@a:b', 'ssh key': 'id', 'password file': 'p' } },
      ['repository.password file'],
    ],
    [
      'a password over http',
      { repository: { ...repository, 'remote path': 'http://a/b', 'password file': 'p' } },
      ['repository.password file'],
    ],
  ];
  for (const [title, sections, keys] of noted) {
    test(title, async () => {
      const { notes, problems } = await read(JSON.stringify({ repository, ...sections }));
      assert.deepEqual(problems, []);
      assert.deepEqual(
        notes.map(({ key }) => key),
        keys,
      );
    });
  }

  test('none about what is in place where the strategy is a slip of the pen', async () => {
    const { notes } = await read(JSON.stringify({ repository, deployment: { strategy: 'sidebyside', keep: 2 } }));
    assert.deepEqual(notes, []);
  });
});

suite('Paths', () => {
  test('start at DIR or at home, and the local path has its symlinks resolved as far as they exist', async (t) => {
    const base = await mkdtemp(path.join(os.tmpdir(), 'huddle-paths-'));
    t.after(() => rm(base, { recursive: true }));
    await mkdir(path.join(base, 'real'));
    await symlink('real', path.join(base, 'link'));
    await symlink('real/not/yet', path.join(base, 'dangling'));
    await symlink('ring', path.join(base, 'ring'));
    const cases = [
      ['link/a/b', 'real/a/b'],
      ['./link/../x', 'x'],
      ['dangling/c', 'real/not/yet/c'],
      ['ring/d', 'ring/d'],
      ['~/e', 'home/e'],
      ['~', 'home'],
      ['~/../f', 'f'],
    ] as const;
    for (const [written, meant] of cases) {
      const content = JSON.stringify({ repository: { 'remote path': './r.git', 'local path': written } });
      const place = { folder: base, home: path.join(base, 'home') };
      const { config } = await readConfig({ path: 'a.json', content }, place);
      assert.equal(config?.repository.localPath, path.join(base, meant), written);
      assert.equal(config.repository.remotePath, path.join(base, 'r.git'));
    }
  });

  test('a missing remote path is named in the hint where a clone is there, without its password', async (t) => {
    const base = await mkdtemp(path.join(os.tmpdir(), 'huddle-clone-'));
    t.after(() => rm(base, { recursive: true }));
    await mkdir(path.join(base, 'app/.git'), { recursive: true });
    const gitConfig =
      '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://bob:hunter2@example.org/app.git\n[branch "main"]\n\turl = no\n';
    await writeFile(path.join(base, 'app/.git/config'), gitConfig);
    const content = '{ "repository": { "local path": "app" } }';
    const { problems } = await readConfig({ path: 'a.json', content }, { folder: base, home: base });
    assert.deepEqual(
      problems.map(({ key }) => key),
      ['repository.remote path'],
    );
    assert.match(problems[0]?.hint ?? '', /follows https:\/\/example\.org\/app\.git: write that/);
    assert.doesNotMatch(problems[0]?.hint ?? '', /hunter2|bob/);
  });
});

suite('No secret', () => {
  const secret = 'hunter2';
  const values: readonly unknown[] = [
    secret,
    `-${secret}`,
    `~${secret}`,
    `https://bob:${secret}@`,
    `ext::${secret}`,
    `${secret}:${secret}\n`,
    `a=${secret}\0`,
    `{${secret}}`,
    [secret, 5],
    [[secret]],
    { [`A`]: { b: secret } },
    { A: `${secret}\n\0` },
    [`A=${secret}`, `A=${secret}\0`],
    `/../${secret}`,
  ];
  test('of any value gets into a problem or a note, whatever key it stands at', async () => {
    const { sections } = await import('../../src/config/keys.ts');
    for (const [section, keys] of sections) {
      for (const key of keys.keys()) {
        for (const value of values) {
          const { problems, notes } = await read(JSON.stringify({ repository, [section]: { [key]: value } }));
          const told = [...problems, ...notes].map(describeProblem).join('\n');
          assert.ok(!told.includes(secret), told);
        }
        const { problems } = await read(`[${section}]\n${key} = ${secret} ${secret}\n${secret}\n`, 'a.ini');
        assert.ok(!problems.map(describeProblem).join('\n').includes(secret));
      }
    }
  });

  test('gets out with a message of the library that checks', () => {
    const { message, hint } = heard(`Invalid type: Expected number but received "${secret}"`);
    assert.deepEqual([message, hint], ['does not fit here', '']);
  });

  test('gets out of a file that cannot be parsed', async () => {
    for (const text of [
      `{ "a": ${secret} }`,
      `{ "a": "${secret} }`,
      `{ "a" "${secret}" }`,
      `[${secret}`,
      `"${secret}"`,
    ]) {
      const { problems } = await read(text);
      assert.ok(problems.length > 0);
      assert.ok(!JSON.stringify(problems).includes(secret), text);
    }
  });
});

suite('Garbage', () => {
  /** A small generator (mulberry32), so that a failure can be had again. */
  function randomFrom(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  test('never throws, and always has a place in the file', async () => {
    const whole = JSON.stringify(everyKey, null, 1) + asIni(everyKey, '=');
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '=',
      '\n',
      '\r',
      '//',
      '/*',
      '*/',
      '\\u',
      '\0',
      '\uFEFF',
      'é',
      '😀',
      '__proto__',
      'null',
      '1e999',
      ...Object.keys(everyKey),
    ];
    for (let seed = 0; seed < 1500; seed++) {
      const random = randomFrom(seed);
      let text = whole.slice(Math.floor(random() * whole.length)).slice(0, Math.floor(random() * 400));
      for (let edits = Math.floor(random() * 8); edits > 0; edits--) {
        const at = Math.floor(random() * text.length);
        text =
          text.slice(0, at) +
          (pieces[Math.floor(random() * pieces.length)] ?? '') +
          text.slice(at + Math.floor(random() * 5));
      }
      const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
      for (const file of ['a.json', 'a.ini']) {
        const { problems, config } = await read(text, file);
        assert.equal(config === null, problems.length > 0, `seed ${seed}`);
        for (const { line, column } of problems) {
          assert.ok(
            line >= 1 && line <= lines.length && column >= 1 && column <= (lines[line - 1] ?? '').length + 1,
            `seed ${seed}: ${line}:${column}`,
          );
        }
      }
    }
  });

  test('of bytes never throws', async () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = randomFrom(seed);
      const bytes = Uint8Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256));
      for (const file of ['a.json', 'a.ini']) assert.ok((await read(bytes, file)).problems.length > 0);
    }
  });

  test('as a config of any shape never throws', async () => {
    const shapes: readonly unknown[] = [
      null,
      true,
      0,
      -1,
      1e300,
      '',
      'x',
      [],
      [[]],
      [null],
      {},
      { '': null },
      { constructor: 1, toString: 2 },
      ['a', { b: [] }],
    ];
    const { sections } = await import('../../src/config/keys.ts');
    for (const shape of shapes) {
      await read(JSON.stringify(shape));
      for (const [section, keys] of sections) {
        await read(JSON.stringify({ [section]: shape }));
        for (const key of keys.keys()) await read(JSON.stringify({ repository, [section]: { [key]: shape } }));
      }
    }
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      const { problems } = await read(`{ "${name}": {}, "timing": { "${name}": 1 } }`);
      assert.ok(
        problems.some(({ key }) => key === name || key === `timing.${name}`),
        name,
      );
    }
  });
});

suite('The mistakes of a file as one failure', () => {
  test('name the first in full, and the number of the others', async () => {
    const { problems } = await read(JSON.stringify({ repository, timing: { minimum: 0, maximum: 'x' } }), 'shop.json');
    const failure = problemsToFailure(problems);
    assert.equal(failure.code, 'config-invalid');
    assert.match(
      failure.message,
      /^reading shop\.json:1:\d+: timing\.minimum: must be above 0 \(and 1 more mistake: see huddle validate\)$/,
    );
    assert.match(failure.hint, /write seconds/);
    assert.equal(problemsToFailure(problems.slice(1)).message.includes('more'), false);
  });
});
