import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { eventually, program, scene, type Sections } from './harness.ts';
import { alive, freePort } from './proc.ts';
import type { Files } from './repository.ts';

const release = (version: string): Files => ({
  'listening.mjs': program('listening.mjs'),
  'start.sh': `exec ${process.execPath} listening.mjs\n`,
  version: `${version}\n`,
});

/** Asks without a pause until it is ended; what it was answered, and what failed. */
function visitor(port: number) {
  const seen = new Set<string>();
  const failed: string[] = [];
  const enough = new AbortController();
  const visit = async () => {
    while (!enough.signal.aborted) {
      try {
        seen.add(await ask(port));
      } catch (error) {
        failed.push(String((error as Error).cause ?? error));
      }
    }
  };
  const visits = [visit(), visit(), visit()];
  return {
    seen,
    async end() {
      enough.abort();
      await Promise.all(visits);
      return { seen: [...seen], failed };
    },
  };
}

/** An app that is to serve on a socket that Huddle opens. */
async function prepared(t: TestContext, more: object = {}, strategy = 'side by side') {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(release('v1'));
  const port = await freePort();
  const usual = stage.sections('shop', repo.remote);
  const start = [process.execPath, 'listening.mjs'];
  const sections = (application: object = {}): Sections => ({
    ...usual,
    application: { ...usual['application'], start, listen: `127.0.0.1:${port}`, ...more, ...application },
    deployment: { strategy },
  });
  return { stage, repo, first, port, sections };
}

/** That app when it serves its first release. */
async function served(...what: Parameters<typeof prepared>) {
  const app = await prepared(...what);
  await app.stage.writeConfig('shop', app.sections());
  const huddle = app.stage.startHuddle();
  const before = await huddle.live('shop', app.first);
  return { ...app, huddle, before };
}

async function ask(port: number): Promise<string> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).text()).trim();
}

const hasSystemd = spawnSync('systemd-socket-activate', ['--version']).status === 0;

const isHere = 'BoundSocket' in process.getBuiltinModule('node:net') || 'this Node has no BoundSocket';

suite('An app with a socket of Huddle’s', { concurrency: 2, skip: isHere !== true && isHere }, () => {
  test('loses no request while it goes live beside the old release, again and again', async (t) => {
    const { stage, repo, port, huddle } = await served(t);
    const visits = visitor(port);
    for (const version of ['v2', 'v3', 'v4']) await huddle.live('shop', await repo.publish(release(version)));
    const { seen, failed } = await visits.end();
    assert.deepEqual([failed, seen.toSorted()], [[], ['v1', 'v2', 'v3', 'v4']]);
    await huddle.stop();
    assert.deepEqual(stage.livePrograms(), []);
  });

  test('loses none to a release that does not come up', async (t) => {
    // By a shell, which ends long before it could count as settled, however busy the machine is.
    const start = ['sh', 'start.sh'];
    const { stage, repo, first, port, huddle, before } = await served(t, { start, settle: 3 });
    const visits = visitor(port);
    await stage.historyOf('shop', await repo.publish({ ...release('bad'), 'start.sh': 'exit 1\n' }));
    const after = await huddle.live('shop', first);
    const { seen, failed } = await visits.end();
    assert.deepEqual([failed, seen, after.program], [[], ['v1'], before.program]);
    await huddle.stop();
  });

  test('loses none to a Huddle that was killed, nor to the deployment by the next one', async (t) => {
    const { repo, stage, port, huddle, before } = await served(t);
    const visits = visitor(port);
    await huddle.kill9();
    const next = stage.startHuddle();
    const taken = await next.until('shop', (app) => app.program?.adopted === true, 'taken over');
    assert.equal(taken.program?.pid, before.program?.pid);
    await next.live('shop', await repo.publish(release('v2')));
    await eventually('the old one has ended', () => !alive(before.program?.pid ?? 0));
    const { seen, failed } = await visits.end();
    assert.deepEqual([failed, seen.toSorted()], [[], ['v1', 'v2']]);
    await next.stop();
    assert.deepEqual(stage.processes(), []);
  });

  test('in place has requests wait while nobody is there to answer', async (t) => {
    const { repo, port, huddle } = await served(t, {}, 'in place');
    const visits = visitor(port);
    await huddle.live('shop', await repo.publish(release('v2')));
    const { seen, failed } = await visits.end();
    assert.deepEqual([failed, seen.toSorted()], [[], ['v1', 'v2']]);
    await huddle.stop();
  });

  test('refuses connections when it is stopped, and when Huddle has ended', async (t) => {
    const { stage, port, huddle } = await served(t);
    assert.equal((await stage.run('-c', stage.dir, 'stop', 'shop')).code, 0);
    await eventually('it is refused', () => isRefused(port));
    assert.equal((await stage.run('-c', stage.dir, 'start', 'shop')).code, 0);
    await huddle.until('shop', (app) => app.program?.pid !== undefined, 'running');
    await eventually('it answers', async () => !(await isRefused(port)));
    await huddle.stop();
    assert.ok(await isRefused(port));
    assert.deepEqual(stage.processes(), []);
  });

  test('whose address is edited listens there, and no longer where it did', async (t) => {
    const { stage, port, huddle, sections, before } = await served(t);
    const path = `${stage.root}/shop.sock`;
    await stage.writeConfig('shop', sections({ listen: path }));
    await huddle.until(
      'shop',
      ({ state, program }) => state === 'running' && program?.pid !== before.program?.pid,
      'it',
    );
    await eventually('the old one has ended', () => !alive(before.program?.pid ?? 0));
    assert.ok(await isRefused(port));
    await new Promise<void>((resolve, reject) => connect(path, resolve).on('error', reject).unref());
    await huddle.stop();
    assert.ok(!existsSync(path));
  });

  test('has the one that systemd opened for Huddle', { skip: !hasSystemd && 'there is no systemd' }, async (t) => {
    const { stage, port, first, sections } = await prepared(t);
    await stage.writeConfig('shop', sections());
    // Starts Huddle at the first connection, which nobody but the program will answer.
    const huddle = stage.startHuddle([], {}, ['systemd-socket-activate', '-l', `127.0.0.1:${port}`]);
    const answer = eventually('it is answered', () => ask(port).catch(() => false as const));
    await huddle.live('shop', first);
    assert.equal(await answer, 'v1');
    await huddle.stop();
  });

  test('that is removed while no Huddle runs leaves no socket behind', async (t) => {
    const { stage, port, huddle, sections } = await served(t);
    await huddle.kill9();
    await stage.writeConfig('shop', sections({ listen: '', start: ['sleep', '300'] }));
    const next = stage.startHuddle();
    await next.until('shop', (app) => app.state === 'running', 'running');
    await eventually('it is refused', () => isRefused(port));
    await next.stop();
    assert.deepEqual(stage.processes(), []);
  });
});

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });
}
