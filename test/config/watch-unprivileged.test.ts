import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FolderReport } from '../../machines/protocol.ts';
import { watchFolder } from '../../src/config/watch.ts';

// What root never meets. A file of its own, since a change of user is one of the whole process.

const nobody = 65_534;
const config = '{ "repository": { "remote path": "/srv/a.git", "local path": "/no/such/app" } }';

test('A file that may not be read is broken until it may', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'huddle-unreadable-'));
  const file = path.join(dir, 'a.json');
  await writeFile(file, config, { mode: 0o000 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    for (const owned of [dir, file]) await chown(owned, nobody, nobody);
    process.seteuid?.(nobody);
  }
  const reports: FolderReport[] = [];
  const watching = await watchFolder(dir, (report) => reports.push(report), { home: '/no' });
  t.after(async () => {
    await watching.close();
    if (isRoot) process.seteuid?.(0);
    await rm(dir, { recursive: true });
  });
  const next = async (count: number) => {
    for (const deadline = Date.now() + 15_000; reports.length < count && Date.now() < deadline;) await sleep(10);
    return reports
      .slice(-1)
      .map((report) => (report.type === 'config.broken' ? report.failure.message : report.type))[0];
  };
  assert.equal(await next(2), 'config.read');
  assert.equal(
    reports[0]?.type === 'config.broken' && reports[0].failure.message,
    'reading a.json:1:1: cannot be read: permission denied',
  );
  await chmod(file, 0o600);
  assert.equal(await next(3), 'config.put');
  await chmod(file, 0o000);
  assert.equal(await next(4), 'reading a.json:1:1: cannot be read: permission denied');
});

suite('Where the system lets nothing be watched', () => {
  test('the folder is looked at every second, and somebody is told', async (t) => {
    // A user namespace has a limit of its own.
    const unwatchable = ['-Ur', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"', 'sh'];
    if (spawnSync('unshare', [...unwatchable, 'true']).status !== 0) return t.skip('no user namespace to be had');
    const dir = await mkdtemp(path.join(os.tmpdir(), 'huddle-unwatchable-'));
    t.after(() => rm(dir, { recursive: true }));
    const script = `
      import { writeFileSync, rmSync } from 'node:fs';
      import { watchFolder } from ${JSON.stringify(new URL('../../src/config/watch.ts', import.meta.url).href)};
      const [dir, config] = process.argv.slice(1);
      const file = dir + '/a.json';
      const watching = await watchFolder(
        dir,
        ({ type }) => {
          console.log(type);
          if (type === 'config.put') rmSync(file);
          if (type === 'config.removed') void watching.close();
        },
        { warn: ({ hint }) => console.log(hint) },
      );
      writeFileSync(file, config);
    `;
    const child = spawnSync(
      'unshare',
      [...unwatchable, process.execPath, '--input-type=module', '-e', script, dir, config],
      {
        encoding: 'utf8',
        timeout: 30_000,
      },
    );
    const [read, warning, ...rest] = child.stdout.trim().split('\n');
    assert.equal(read, 'config.read', child.stderr);
    assert.match(warning ?? '', /looked at every second instead.*inotify/);
    assert.deepEqual(rest, ['config.put', 'config.removed']);
    assert.equal(child.status, 0);
    return undefined;
  });
});
