import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { exampleConfig, init } from '../../src/cli/init.ts';
import { validation } from '../../src/cli/validate.ts';
import { Failure } from '../../machines/failure.ts';
import { appName, isConfigFile, readFolder } from '../../src/config/folder.ts';
import { good } from './reading.ts';

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'huddle-folder-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

function app(localPath: string): string {
  return JSON.stringify({ repository: { 'remote path': '/srv/a.git', 'local path': localPath } });
}

async function fill(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(dir, name), text);
}

async function problemsOf(dir: string): Promise<readonly string[]> {
  const { problems } = await readFolder({ folder: dir, home: dir });
  return problems.map(
    ({ file, line, column, key, message }) => `${path.basename(file)}:${line}:${column} ${key} ${message}`,
  );
}

suite('A folder of config files', () => {
  test('knows an app by the name of its file', () => {
    for (const name of ['a.json', 'a.INI', 'a.b.Json', 'json.json']) assert.ok(isConfigFile(name), name);
    for (const name of ['_a.json', '.a.json', '.json', 'a.json~', 'a.jsonc', 'ajson', 'a.json.bak', 'x/a.json', ''])
      assert.ok(!isConfigFile(name), name);
    assert.equal(appName('a.b.Json'), 'a.b');
    assert.equal(appName('shop.INI'), 'shop');
  });

  test('leaves out subfolders and what is no config', async (t) => {
    const dir = await folder(t);
    await fill(dir, { 'b.json': app('b'), 'A.ini': 'x', '_c.json': 'x', '.d.json': 'x', 'notes.txt': 'x' });
    await mkdir(path.join(dir, 'e.json'));
    await mkdir(path.join(dir, 'f'));
    await fill(path.join(dir, 'f'), { 'g.json': 'x' });
    await symlink('f', path.join(dir, 'h.json'));
    const { files } = await readFolder({ folder: dir, home: dir });
    assert.deepEqual(files, ['A.ini', 'b.json']);
  });

  test('refuses the second app of a name, however its letters are cased', async (t) => {
    const dir = await folder(t);
    await fill(dir, {
      'shop.json': app('a'),
      'shop.ini': '[repository]\nremote path = /srv/a\nlocal path = b\n',
      'SHOP.json': app('c'),
    });
    assert.deepEqual(await problemsOf(dir), [
      'shop.ini:1:1  the app has the same name as that of SHOP.json',
      'shop.json:1:1  the app has the same name as that of SHOP.json',
    ]);
  });

  test('refuses the second app at a local path, through symlinks too, and one inside the other', async (t) => {
    const dir = await folder(t);
    await mkdir(path.join(dir, 'real'));
    await symlink('real', path.join(dir, 'link'));
    await fill(dir, {
      '1.json': app('real/x'),
      '2.json': app('./link/../link/x'),
      '3.json': app('link/x/y'),
      '4.json': app('real'),
      '5.json': app('real/xy'),
      '6.json': app('../..x'),
    });
    assert.deepEqual(await problemsOf(dir), [
      '2.json:1:56 repository.local path is the same place as that of 1.json',
      '3.json:1:56 repository.local path lies inside that of 1.json',
      '3.json:1:56 repository.local path lies inside that of 2.json',
      ...['1', '2', '3'].map((other) => `4.json:1:56 repository.local path holds that of ${other}.json`),
      '5.json:1:56 repository.local path lies inside that of 4.json',
    ]);
  });

  test('refuses the second app at an address, and says who has it', async (t) => {
    const dir = await folder(t);
    const start = ['node', 'shop.js'];
    const on = (name: string, application: object) =>
      JSON.stringify({
        repository: { 'remote path': '/srv/a.git', 'local path': name },
        application: { start, ...application },
      });
    await fill(dir, {
      '1.json': on('1', { listen: ['[::1]:80', './shop.sock'] }),
      '2.json': on('2', { proxy: '8080' }),
      '3.json': on('3', { proxy: '[0:0::1]:80' }),
      '4.json': on('4', { listen: '0.0.0.0:8080' }),
      '5.json': on('5', { listen: './x/../shop.sock' }),
      '6.json': on('6', { listen: ['127.0.0.1:80', '0.0.0.0:8081'] }),
    });
    assert.deepEqual(await problemsOf(dir), [
      '3.json:1:111 application.proxy is in use by 1.json (application.listen [::1]:80)',
      '4.json:1:112 application.listen is in use by 2.json (application.proxy [::]:8080)',
      `5.json:1:112 application.listen is in use by 1.json (application.listen ${dir}/shop.sock)`,
    ]);
  });

  test('tells a file that cannot be read, and hangs on none', async (t) => {
    const dir = await folder(t);
    await symlink('nowhere', path.join(dir, 'a.json'));
    await symlink('b.json', path.join(dir, 'b.json'));
    execFileSync('mkfifo', [path.join(dir, 'c.json')]);
    await fill(dir, { 'd.json': ' '.repeat(1_000_001) });
    assert.deepEqual(await problemsOf(dir), [
      'a.json:1:1  cannot be read: no such file or directory',
      'b.json:1:1  cannot be read: too many symbolic links',
      'c.json:1:1  cannot be read: it is no regular file',
      'd.json:1:1  the file is larger than a megabyte',
    ]);
  });

  test('that is not there is a failure that names it', async () => {
    const missing = { folder: '/no/such/folder', home: '/' };
    await assert.rejects(
      readFolder(missing),
      (thrown) =>
        thrown instanceof Failure &&
        thrown.code === 'directory-missing' &&
        /\/no\/such\/folder: no such file/.test(thrown.message),
    );
  });
});

suite('huddle validate', () => {
  test('prints a line for each mistake, and exits 1', async (t) => {
    const dir = await folder(t);
    await fill(dir, { 'a.json': '{ "timing": {\n "minimun": 5 } }', 'b.json': app('b') });
    const { exitCode, stdout, stderr } = await validation({ folder: dir, json: false, home: dir });
    assert.equal(exitCode, 1);
    assert.equal(stderr, '');
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.equal(lines[2], `${dir}/a.json:2:2: timing.minimun: unknown key; did you mean "minimum"?`);
  });

  test('prints the same as JSON', async (t) => {
    const dir = await folder(t);
    await fill(dir, { 'a.json': app('a').replace('}}', '},"logs":{"keep":-1}}') });
    const { exitCode, stdout } = await validation({ folder: dir, json: true, home: dir });
    assert.equal(exitCode, 1);
    const hint = 'write a whole number, such as 5';
    const error = {
      file: path.join(dir, 'a.json'),
      line: 1,
      column: 76,
      key: 'logs.keep',
      message: 'must be at least 0',
      hint,
    };
    assert.deepEqual(JSON.parse(stdout), { errors: [error] });
  });

  test('exits 0 where all is well, and keeps what it only notes apart', async (t) => {
    const dir = await folder(t);
    assert.deepEqual(await validation({ folder: dir, json: false, home: dir }), {
      exitCode: 0,
      stdout:
        'no config files, no mistakes\nA config file ends in .json or .ini and does not begin with _ or a dot; ' +
        `huddle -c ${dir} init writes an example.\n`,
      stderr: '',
    });
    await fill(dir, {
      'a.json': app('a').replace('}}', '},"application":{"start":"x"},"scripts":{"post-pull":"make"}}'),
    });
    const { exitCode, stdout, stderr } = await validation({ folder: dir, json: false, home: dir });
    assert.equal(exitCode, 0);
    assert.equal(stdout, '1 config file, no mistakes\n');
    assert.match(stderr, /^note: .*a\.json:1:\d+: scripts\.post-pull: runs while the program is stopped; .*\n$/);
    assert.equal((await validation({ folder: dir, json: true, home: dir })).stdout, '{"errors":[]}\n');
  });

  test('lets no file name forge a line', async (t) => {
    const dir = await folder(t);
    await fill(dir, { 'a\nb: \u001b[31m.json': '' });
    const { stdout } = await validation({ folder: dir, json: false, home: dir });
    assert.equal(stdout.trimEnd().split('\n').length, 2);
    assert.ok(!stdout.includes('\u001b'));
  });
});

suite('huddle init', () => {
  test('writes an example that starts nothing yet, and never over a file', async (t) => {
    const dir = await folder(t);
    const write = t.mock.method(process.stdout, 'write', () => true);
    assert.equal(await init({ folder: dir }), 0);
    write.mock.restore();
    const said = String(write.mock.calls.at(-1)?.arguments[0]);
    assert.ok(said.endsWith(`rename it after your app, as ${dir}/shop.json\nThen: huddle -c ${dir}\n`), said);
    const file = path.join(dir, '_example.json');
    assert.equal(await readFile(file, 'utf8'), exampleConfig);
    assert.deepEqual((await readFolder({ folder: dir, home: dir })).files, []);
    await writeFile(file, 'mine');
    await assert.rejects(
      init({ folder: dir }),
      (thrown) => thrown instanceof Failure && thrown.code === 'path-occupied',
    );
    assert.equal(await readFile(file, 'utf8'), 'mine');
    await assert.rejects(
      init({ folder: path.join(dir, 'no') }),
      (thrown) => thrown instanceof Failure && thrown.code === 'directory-missing',
    );
  });

  test('its example is without mistakes, with and without what is commented out', async () => {
    const config = await good(exampleConfig);
    assert.equal(config.watchdog?.probe.kind, 'http');
    const more = await good(exampleConfig.replaceAll(/\/\/ (?=")/g, ''));
    assert.equal(more.application.user, 'www-data');
  });
});
