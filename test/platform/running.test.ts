import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { type Child, start } from '../cli/command.ts';

// A whole Huddle on an empty folder: what it takes to be the only one, and to be spoken to, differs with the system.

/** A folder, and what starts a Huddle on it; at the end of the test all of them are ended before it is removed. */
function setUp(t: TestContext): { folder: string; run: () => Promise<Child> } {
  const folder = realpathSync.native(mkdtempSync(join(tmpdir(), 'huddle-running-')));
  const started: Child[] = [];
  t.after(async () => {
    for (const each of started) await kill(each);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  const run = async () => {
    const huddle = start('-c', folder);
    started.push(huddle);
    await huddle.said(({ stderr }) => stderr.includes('running the apps of'));
    const deadline = Date.now() + 30_000; // It answers a moment after it has said so.
    while ((await start('status', '-c', folder).ended).code !== 0 && Date.now() < deadline);
    return huddle;
  };
  return { folder, run };
}

/** Not by a signal: on Windows that is the end at once, which is what a dead Huddle is like everywhere. */
async function kill({ process }: Child): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  process.kill('SIGKILL');
  await once(process, 'exit');
}

suite('A Huddle', () => {
  test(
    'is asked for its status over the control socket, and says so when it is gone',
    { timeout: 120_000 },
    async (t) => {
      const { folder, run } = setUp(t);
      const huddle = await run();
      const asked = await start('status', '-c', folder, '--json').ended;
      assert.deepEqual([asked.code, asked.stdout.trim(), asked.stderr], [0, '{"apps":[]}', '']);
      await kill(huddle);
      const gone = await start('status', '-c', folder).ended;
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /no Huddle is running there/);
    },
  );

  test('is the only one of its folder, by whatever name that is called', { timeout: 120_000 }, async (t) => {
    const { folder, run } = setUp(t);
    const { process: first } = await run();
    const second = await start('-c', join(folder, '.')).ended;
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`another Huddle \\(pid ${first.pid}\\) is running on it`));
  });

  test('that was killed does not keep its folder from the next one', { timeout: 120_000 }, async (t) => {
    const { folder, run } = setUp(t);
    await kill(await run());
    const huddle = await run();
    const { code } = await start('status', '-c', folder).ended;
    assert.equal(code, 0);
    await kill(huddle);
  });

  test('lists an app whose file is broken, with what is wrong', { timeout: 120_000 }, async (t) => {
    const { folder, run } = setUp(t);
    writeFileSync(join(folder, 'shop.json'), '{ "repository": { "local pat": "app" } }');
    await run();
    let listed: unknown;
    for (const deadline = Date.now() + 30_000; listed === undefined && Date.now() < deadline;) {
      const { stdout } = await start('status', '-c', folder, '--json').ended;
      const { apps } = JSON.parse(stdout) as { apps: { name: string; error: { code: string } | null }[] };
      listed = apps.map(({ name, error }) => [name, error?.code])[0];
    }
    assert.deepEqual(listed, ['shop', 'config-invalid']);
    const { code } = await start('validate', '-c', folder).ended;
    assert.equal(code, 1);
  });
});
