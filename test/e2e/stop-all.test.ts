import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { takeLock } from '../../src/ledger/lock.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { plain, scene, type Sections } from './harness.ts';

const outcome = 'stopped, and stays so when Huddle starts';

suite('huddle stop --all without a Huddle', { concurrency: 2 }, () => {
  test('ends what a killed Huddle has left, as its config says, and the next one leaves it stopped', async (t) => {
    const application = {
      start: 'echo $$ > "$JOURNAL.pid"; exec sh program.sh',
      'stop command': 'echo "asked blog" >> "$JOURNAL"; kill "$(cat "$JOURNAL.pid")"',
    };
    const stage = await leftBehind(t, { shop: {}, blog: { application } });
    const { code, stdout, stderr } = await stage.run('-c', stage.dir, 'stop', '--all');
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, `blog: ${outcome}\nshop: ${outcome}\n`);
    assert.deepEqual(stage.processes(), []);
    assert.equal(stage.story().filter((line) => line === 'stop v1').length, 2);
    assert.ok(stage.story().includes('asked blog'));
    const next = stage.startHuddle();
    for (const name of ['blog', 'shop']) await next.until(name, ({ state }) => state === 'stopped', 'stopped');
    assert.equal(stage.livePrograms().length, 0);
    await next.stop();
  });

  test('ends the programs of apps whose file is broken or gone, too', async (t) => {
    const stage = await leftBehind(t, { shop: {}, blog: {} });
    writeFileSync(stage.file('shop.json'), '{');
    rmSync(stage.file('blog.json'));
    const { code, stdout } = await stage.run('-c', stage.dir, 'stop', '--all', '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { apps: [{ name: 'shop', ok: true, outcome }] });
    assert.deepEqual(stage.processes(), []);
    // Nobody knows any more how the other one wants to be asked.
    assert.deepEqual(
      stage.story().filter((line) => line.startsWith('stop')),
      ['stop v1'],
    );
  });

  test('refuses where a Huddle has the folder but does not answer', async (t) => {
    const stage = await leftBehind(t, { shop: {} });
    const lock = takeLock(statePaths(stage.dir));
    const { code, stdout, stderr } = await stage.run('-c', stage.dir, 'stop', '--all');
    lock.release();
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /another Huddle \(pid \d+\) is running on it/);
    assert.equal(stage.livePrograms().length, 1);
  });

  test('is no way to stop one app: that needs a Huddle', async (t) => {
    const stage = await leftBehind(t, { shop: {} });
    const { code, stderr } = await stage.run('-c', stage.dir, 'stop', 'shop');
    assert.equal(code, 1);
    assert.match(stderr, /no Huddle is running there/);
    assert.equal(stage.livePrograms().length, 1);
  });
});

/** Apps whose programs run on though their Huddle was killed. */
async function leftBehind(t: TestContext, apps: Readonly<Record<string, Sections>>) {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  for (const [name, sections] of Object.entries(apps)) await stage.app(name, repo.remote, sections);
  const huddle = stage.startHuddle();
  for (const name of Object.keys(apps)) await huddle.live(name, first);
  await huddle.kill9();
  return stage;
}
