import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { serveControl } from '../../src/control/server.ts';
import type { AppStatus } from '../../src/control/status.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { appStatus, FakeSource, temporaryFolder } from '../control/fake-source.ts';
import { Child, huddle, start, startOnTerminal } from './command.ts';

suite('huddle status', () => {
  test('prints a table, without colours where there is no terminal', async (t) => {
    const { folder } = await running(t, appStatus('shop'), appStatus('blog', { state: 'waiting' }));
    const { code, stdout, stderr } = await start('-c', folder, 'status').ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stripVTControlCharacters(stdout), stdout);
    assert.match(stdout, /^APP +STATE .*\nshop +running +up 4711 .*\nblog +waiting .*\n$/);
  });

  test('prints exactly what the API says with --json', async (t) => {
    const { folder, source } = await running(t, appStatus('shop'), appStatus('blog'));
    const all = await start('status', '-c', folder, '--json').ended;
    assert.equal(all.stdout, `${JSON.stringify({ apps: source.apps() })}\n`);
    const one = await start('status', 'blog', '-c', folder, '--json').ended;
    assert.equal(one.stdout, `${JSON.stringify({ apps: [appStatus('blog')] })}\n`);
  });

  test('names the nearest app for one that there is not', async (t) => {
    const { folder } = await running(t, appStatus('shop'), appStatus('blog'));
    const near = await start('status', 'shopp', '-c', folder).ended;
    assert.deepEqual([near.code, near.stdout], [2, '']);
    assert.equal(near.stderr, 'huddle: there is no app shopp\n  Did you mean shop?\n');
    const far = await start('status', 'wiki', '-c', folder).ended;
    assert.equal(far.stderr, 'huddle: there is no app wiki\n  There are: shop, blog.\n');
  });

  test('finds its Huddle by --state', async (t) => {
    const { folder } = await running(t, appStatus('shop'));
    const other = temporaryFolder(t);
    const { stdout } = await start('status', '-c', other, '--state', join(folder, '.huddle'), '--json').ended;
    assert.equal(stdout, `${JSON.stringify({ apps: [appStatus('shop')] })}\n`);
  });

  test('says when no Huddle runs, and how to start one', async (t) => {
    const folder = temporaryFolder(t);
    const { code, stdout, stderr } = await start('status', '-c', folder).ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^huddle: .*: no Huddle is running there\n {2}Start one with: huddle -c \/.*\n$/);
    const debug = await start('status', '-dc', folder).ended;
    assert.match(debug.stderr, /\n {4}at .*\ncaused by: .*ENOENT/s);
  });

  test('ends quietly when its reader has seen enough', async (t) => {
    const { folder } = await running(t, ...Array.from({ length: 500 }, (_, index) => appStatus(`app-${index}`)));
    const line = `{ "$0" "$1" status -c "$2"; echo "code $?" >&2; } | { exec <&-; sleep 0.3; }`;
    const { stderr } = await new Child('sh', ['-c', line, process.execPath, huddle, folder]).ended;
    assert.equal(stderr, 'code 0\n');
  });

  test('names commands that reach this Huddle, with --json as without', async (t) => {
    const error = { code: 'timeout', message: 'asking: no end', hint: 'See: huddle history shop' } as const;
    const { folder } = await running(t, appStatus('shop', { error }));
    for (const how of [[], ['--json']]) {
      const { stdout } = await start('status', '-c', folder, ...how).ended;
      assert.ok(stdout.includes(`See: huddle -c ${folder} history shop`), stdout);
    }
    const child = watching(t, 'status', '--watch', '--json', '-c', folder);
    await child.said(({ stdout }) => stdout.includes(`See: huddle -c ${folder} history shop`));
  });

  test('says when its output cannot be written', async (t) => {
    const { folder } = await running(t, appStatus('shop'));
    const line = `"$0" "$1" status -c "$2" > /dev/full`;
    const { code, stderr } = await new Child('sh', ['-c', line, process.execPath, huddle, folder]).ended;
    assert.equal(code, 1);
    assert.match(stderr, /ENOSPC|no space/);
  });

  test('is coloured on a terminal, unless NO_COLOR is set, and fits into it', async (t) => {
    const { folder } = await running(t, appStatus('shop', { branch: 'x'.repeat(100) }));
    const coloured = await startOnTerminal(`status -c ${folder}`).ended;
    assert.ok(coloured.stdout.includes('\u001b[32mrunning'), coloured.stdout);
    const plain = await startOnTerminal(`status -c ${folder}`, { NO_COLOR: '1' }).ended;
    assert.equal(stripVTControlCharacters(plain.stdout), plain.stdout);
    for (const line of plain.stdout.split('\r\n')) assert.ok(line.length <= 80, line);
  });
});

suite('huddle status --watch', () => {
  test('prints a line for each change, also when Huddle leaves and comes back', async (t) => {
    const { folder, source, close } = await running(t, appStatus('shop'), appStatus('blog'));
    const child = watching(t, 'status', 'shop', '--watch', '--json', '-c', folder);
    const line = (but: Partial<AppStatus>) => `${JSON.stringify(appStatus('shop', but))}\n`;
    await child.said(({ stdout }) => stdout === line({}));
    source.put(appStatus('blog', { state: 'checking' }));
    source.put(appStatus('shop', { state: 'checking' }));
    await child.said(({ stdout }) => stdout === line({}) + line({ state: 'checking' }));
    await close();
    await child.said(({ stderr }) => stderr.endsWith('no Huddle is running there; waiting for one\n'));
    const again = new FakeSource(appStatus('shop', { state: 'checking' }));
    const control = await serveControl(again, socketIn(folder));
    t.after(() => control.close());
    await child.said(() => again.listeners === 1);
    again.put(appStatus('shop', { state: 'cloning' }));
    await child.said(({ stdout }) => stdout.endsWith(line({ state: 'cloning' })));
    again.remove('shop');
    await child.said(({ stderr }) => stderr.endsWith('huddle: app shop is gone\n'));
    assert.equal(child.stdout, line({}) + line({ state: 'checking' }) + line({ state: 'cloning' }));
    assert.equal(child.stderr.match(/waiting for one/g)?.length, 1);
  });

  test('prints lines for people without --json', async (t) => {
    const { folder } = await running(t, appStatus('shop'));
    const child = watching(t, 'status', '--watch', '-c', folder);
    const line = /^\d{4}-\S+Z shop: running, up 4711 [^,]+, healthy, 9c8d7e6 main\n$/;
    await child.said(({ stdout }) => line.test(stdout));
  });

  test('refuses an app that there is not', async (t) => {
    const { folder } = await running(t, appStatus('shop'));
    assert.equal((await start('status', 'wiki', '--watch', '-c', folder).ended).code, 2);
  });

  test('shows all of its table on a terminal that does not know its size', async (t) => {
    const { folder } = await running(t, appStatus('shop'), appStatus('wiki'));
    const child = startOnTerminal(`status --watch -c ${folder}`, {}, { columns: 0, rows: 0 });
    t.after(() => child.process.kill());
    await child.said(() => /shop +running[^]*wiki +running/.test(stripVTControlCharacters(child.stdout)));
  });

  test('keeps a table up to date on a terminal', async (t) => {
    const { folder, source, close } = await running(t, appStatus('shop'));
    const child = startOnTerminal(`status --watch -c ${folder}`);
    t.after(() => child.process.kill());
    const screen = () => stripVTControlCharacters(child.stdout.split('\u001b[H').at(-1) ?? '');
    await child.said(() => /shop +running/.test(screen()));
    source.put(appStatus('shop', { state: 'pulling' }));
    await child.said(() => /shop +pulling/.test(screen()));
    await close();
    await child.said(() => /^no Huddle is running there; waiting for one\r\nAPP.*\r\nshop +pulling/.test(screen()));
  });
});

function socketIn(folder: string): string {
  return statePaths(folder).socket;
}

/** A folder whose Huddle is the test's own: the control API on apps that it changes by hand. */
async function running(t: TestContext, ...apps: readonly AppStatus[]) {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, '.huddle'));
  const source = new FakeSource(...apps);
  const control = await serveControl(source, socketIn(folder));
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= control.close());
  t.after(close);
  return { folder, source, close };
}

function watching(t: TestContext, ...args: readonly string[]): Child {
  const child = start(...args);
  t.after(() => child.process.kill());
  return child;
}
