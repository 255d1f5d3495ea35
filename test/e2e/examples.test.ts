import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { Huddle } from './command.ts';
import { eventually, scene, type Scene } from './harness.ts';
import { freePort } from './proc.ts';
import { git } from './repository.ts';

const examples = join(import.meta.dirname, '../../examples');

/** A copy of the examples, as their README tells to make it; only the port is one that is free. */
async function copied(stage: Scene, port = 8080): Promise<string> {
  const folder = join(stage.root, 'examples');
  await cp(examples, folder, { recursive: true });
  for (const file of ['web/web.json', 'web-ini/web.ini']) {
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), text.replaceAll('8080', String(port)));
  }
  return folder;
}

/** Commits all that is in an app's folder, which becomes a repository with the first commit; the commit's id. */
async function commit(app: string): Promise<string> {
  if (!existsSync(join(app, '.git'))) await git(app, 'init', '--quiet', '-b', 'main');
  await git(app, 'add', '--all');
  await git(app, 'commit', '--quiet', '-m', 'Change');
  return await git(app, 'rev-parse', 'HEAD');
}

function start(stage: Scene, dir: string): Huddle {
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
  return new Huddle(dir, [], stage.environment({ PATH }));
}

suite('The examples', { concurrency: 2 }, () => {
  for (const [example, app] of [
    ['web', 'web'],
    ['web-ini', 'web'],
  ] as const) {
    test(`${example}: a commit whose test passes is served, one whose test fails is not`, async (t) => {
      const stage = await scene(t);
      const port = await freePort();
      const folder = await copied(stage, port);
      const source = join(folder, app, 'app');
      const ask = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text();
      const first = await commit(source);
      const huddle = start(stage, join(folder, example));
      await huddle.live('web', first);
      assert.equal(await ask(), 'Hello from web\n');

      const greeting = join(source, 'greeting.mjs');
      writeFileSync(greeting, readFileSync(greeting, 'utf8').replace('Hello from', 'Hello again from'));
      const second = await commit(source);
      huddle.check();
      const live = await huddle.live('web', second);
      assert.equal(live.health, 'healthy');
      assert.equal(await ask(), 'Hello again from web\n');

      writeFileSync(greeting, readFileSync(greeting, 'utf8').replace('Hello', 'Go away'));
      const bad = await commit(source);
      huddle.check();
      await huddle.until('web', ({ rejected, state }) => rejected.includes(bad) && state === 'running', 'rejected');
      assert.equal(await ask(), 'Hello again from web\n');
      await huddle.stop();
    });
  }

  test('sync: the files follow', async (t) => {
    const stage = await scene(t);
    const folder = join(await copied(stage), 'sync');
    const first = await commit(join(folder, 'app'));
    const huddle = start(stage, folder);
    await huddle.live('site', first);
    writeFileSync(join(folder, 'app/index.html'), '<h1>Second</h1>\n');
    const second = await commit(join(folder, 'app'));
    huddle.check();
    await huddle.live('site', second);
    assert.equal(readFileSync(join(folder, 'live/index.html'), 'utf8'), '<h1>Second</h1>\n');
    await huddle.stop();
  });

  test('worker: its scripts run around each pull, and it goes on where it was', async (t) => {
    const stage = await scene(t);
    const folder = join(await copied(stage), 'worker');
    const live = (file: string) => join(folder, 'live', file);
    const first = await commit(join(folder, 'app'));
    const huddle = start(stage, folder);
    await huddle.live('worker', first);
    assert.equal(readFileSync(live('prepared'), 'utf8'), `prepared ${first}\n`);
    await eventually('it counts', () => existsSync(live('count')));

    writeFileSync(join(folder, 'app/worker.sh'), `# Second\n${readFileSync(join(folder, 'app/worker.sh'), 'utf8')}`);
    const second = await commit(join(folder, 'app'));
    huddle.check();
    await huddle.live('worker', second);
    assert.equal(readFileSync(live('prepared'), 'utf8'), `prepared ${second}\n`);
    const saved = Number(readFileSync(live('saved'), 'utf8'));
    assert.ok(saved >= 1);
    await eventually('it counts on', () => Number(readFileSync(live('count'), 'utf8')) > saved);
    await huddle.stop();
  });

  // `servers` is run by test/process/sockets-servers.test.ts, `switch` by switch.test.ts.
  test('every folder of examples/ is one that is run', () => {
    const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(folders.map(({ name }) => name).toSorted(), [
      'servers',
      'switch',
      'sync',
      'web',
      'web-ini',
      'worker',
    ]);
  });
});
