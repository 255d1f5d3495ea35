import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { temporaryFolder } from '../control/fake-source.ts';
import { Child, environment, huddle, start, startOnTerminal } from './command.ts';

suite('The command', () => {
  test('prints its version and its help on stdout', async () => {
    const { version } = JSON.parse(readFileSync(join(huddle, '../../package.json'), 'utf8')) as { version: string };
    assert.deepEqual(await start('--version').ended, { code: 0, stdout: `${version}\n`, stderr: '' });
    const help = await start('status', '--help').ended;
    assert.deepEqual([help.code, help.stderr], [0, '']);
    assert.match(help.stdout, /USAGE huddle status \[OPTIONS\] \[APP…\]/);
    for (const option of ['--watch', '--json', '-c, --config=<DIR>', '--state=<DIR>']) {
      assert.ok(help.stdout.includes(option), option);
    }
  });

  test('colours its help on a terminal only', async () => {
    assert.ok((await startOnTerminal('--help').ended).stdout.includes('\u001b['));
    for (const colour of ['1', 'yes']) {
      assert.ok(!(await startOnTerminal('--help', { NO_COLOR: colour }).ended).stdout.includes('\u001b['));
    }
    assert.ok(!(await start('--help').ended).stdout.includes('\u001b['));
  });

  test('exits 2 when it is called wrongly, and says what is right', async () => {
    const { code, stdout, stderr } = await start('status', '--jsn').ended;
    assert.deepEqual([code, stdout], [2, '']);
    assert.equal(stderr, 'huddle: unknown option --jsn of huddle status\n  Did you mean --json?\n');
  });

  test('exits 1 for a folder that is none, without a stack', async (t) => {
    const file = join(temporaryFolder(t), 'shop.json');
    writeFileSync(file, '{}');
    for (const [path, reason] of [
      [file, 'it is not a folder'],
      [`${file}.d`, 'no such file or folder'],
    ] as const) {
      const { code, stderr } = await start('status', '-c', path).ended;
      assert.equal(code, 1);
      const hint = 'Name the folder that holds the config files with -c DIR.';
      assert.equal(stderr, `huddle: opening ${path}: ${reason}\n  ${hint}\n`);
    }
  });
});

suite('The guard before the command', () => {
  test('says which Node is wanted where this one is too old, and exits 78', async (t) => {
    const { run } = packaged(t, { node: '>=99.7', files: ['dist/cli/main.js'] });
    assert.deepEqual(await run(), {
      code: 78,
      stdout: '',
      stderr: `huddle: this is Node ${process.versions.node}, Huddle needs >=99.7\n`,
    });
  });

  test('compares versions by their numbers', async (t) => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const codes = [];
    for (const node of [`>=${major}.${minor}`, `>=${major}.${minor + 1}`, `>=${major - 1}.${minor + 1}`, '>=9.99']) {
      codes.push((await packaged(t, { node, files: ['dist/cli/main.js'] }).run()).code);
    }
    assert.deepEqual(codes, [0, 78, 0, 0]);
  });

  test('is written so that any Node can read it', () => {
    const code = readFileSync(huddle, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    assert.doesNotMatch(code, /=>|\b(const|let|class|async|await)\b|`|\bimport\b|\?\.|\?\?|\.\.\./);
  });

  test('takes the built files of a package', async (t) => {
    const { run } = packaged(t, { files: ['dist/cli/main.js'] });
    assert.equal((await run('a', 'b')).stdout, 'dist/cli/main.js a b 1.2.3\n');
  });

  test('takes the sources of a checkout that was never built', async (t) => {
    const { run } = packaged(t, { files: ['src/cli/main.ts'] });
    assert.equal((await run()).stdout, 'src/cli/main.ts 1.2.3\n');
  });

  test('takes the build of a checkout as long as no source is newer', async (t) => {
    const files = ['dist/cli/main.js', 'src/cli/main.ts', 'machines/deep/app.ts'];
    const { folder, run } = packaged(t, { files });
    const age = (file: string, seconds: number) => utimesSync(join(folder, file), seconds, seconds);
    age('src/huddle.cjs', 1000);
    for (const file of files) age(file, 1000);
    assert.equal((await run()).stdout, 'dist/cli/main.js 1.2.3\n');
    age('machines/deep/app.ts', 1001);
    assert.equal((await run()).stdout, 'src/cli/main.ts 1.2.3\n');
    rmSync(join(folder, 'machines/deep/app.ts'));
    assert.equal((await run()).stdout, 'dist/cli/main.js 1.2.3\n');
  });
});

interface Package {
  readonly node?: string;
  readonly files: readonly string[];
}

/** A package of the real guard, and of entries that say who they are. */
function packaged(t: TestContext, { node = '>=22.22', files }: Package) {
  const folder = temporaryFolder(t);
  const put = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  put('package.json', JSON.stringify({ type: 'module', version: '1.2.3', engines: { node } }));
  for (const file of ['machines/old.ts', ...files]) {
    put(file, `export const main = (args, version) => console.log(${JSON.stringify(file)}, ...args, version);\n`);
  }
  utimesSync(join(folder, 'machines/old.ts'), 1, 1);
  mkdirSync(join(folder, 'src'), { recursive: true });
  copyFileSync(huddle, join(folder, 'src/huddle.cjs'));
  const run = (...args: readonly string[]) =>
    new Child(process.execPath, [join(folder, 'src/huddle.cjs'), ...args], environment).ended;
  return { folder, run };
}
