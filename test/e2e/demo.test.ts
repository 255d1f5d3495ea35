import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from './harness.ts';

const execute = promisify(execFile);
const huddle = join(import.meta.dirname, '..', '..', 'src', 'huddle.cjs');

interface Config {
  readonly repository: { readonly 'remote path': string };
}

suite('The demo', () => {
  test('shows a push going live by what it tells to type, on this machine alone, and leaves nothing behind', async (t) => {
    const demo = spawn(process.execPath, [huddle, 'demo'], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => demo.kill('SIGKILL'));
    let told = '';
    demo.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
    await eventually('the instructions', () => told.includes('Ctrl-C'));

    const typed = /^ {2}(cd .*\n {2}echo .*\n {2}git .*)\n {2}curl (.*)$/m.exec(told);
    assert.ok(typed, told);
    const [, commands = '', url = ''] = typed;
    const answer = async () =>
      await fetch(url)
        .then((response) => response.text())
        .catch(() => '');
    await eventually('the first revision', async () => (await answer()).startsWith('Hello from the first'));
    await execute('sh', ['-c', commands.replaceAll('\n', ' && ')]);
    await eventually('the second revision', async () => (await answer()).startsWith('Hello from the second'));

    const root = dirname(/cd (.*)/.exec(commands)?.[1] ?? '');
    const config = JSON.parse(readFileSync(join(root, 'apps', 'shop.json'), 'utf8')) as Config;
    assert.equal(dirname(config.repository['remote path']), root);
    assert.equal(new URL(url).hostname, '127.0.0.1');
    const ended = new Promise((resolve) => void demo.once('exit', resolve));
    demo.kill('SIGINT');
    assert.equal(await ended, 0);
    assert.equal(existsSync(root), false);
    await assert.rejects(fetch(url), 'its program is gone');
  });
});
