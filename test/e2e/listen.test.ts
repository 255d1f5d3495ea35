import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { eventually, program, scene, type Sections } from './harness.ts';
import { ask, ended, load } from './load.ts';
import { alive, freePort } from './proc.ts';
import type { Files } from './repository.ts';

const release = (version: string): Files => ({
  'listening.mjs': program('listening.mjs'),
  'start.sh': `exec ${process.execPath} listening.mjs\n`,
  version: `${version}\n`,
});

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

const hasSystemd = spawnSync('systemd-socket-activate', ['--version']).status === 0;

const isHere = 'BoundSocket' in process.getBuiltinModule('node:net') || 'this Node has no BoundSocket';

suite('An app with a socket of Huddle’s', { concurrency: 2, skip: isHere !== true && isHere }, () => {
  test('loses no request while releases go live beside each other, nor to one that does not come up', async (t) => {
    // By a shell, which ends long before it could count as settled, however busy the machine is.
    const { stage, repo, port, huddle } = await served(t, { start: ['sh', 'start.sh'], settle: 1 });
    const visits = load(t, port, 3);
    const second = await repo.publish(release('v2'));
    const before = await huddle.live('shop', second);
    await stage.historyOf('shop', await repo.publish({ ...release('bad'), 'start.sh': 'exit 1\n' }));
    const after = await huddle.live('shop', second);
    assert.equal(after.program?.pid, before.program?.pid);
    await huddle.live('shop', await repo.publish(release('v3')));
    assert.deepEqual(await ended(visits), [[], ['v1', 'v2', 'v3']]);
    await huddle.stop();
    assert.deepEqual(stage.livePrograms(), []);
  });

  test('loses none to a Huddle that was killed, nor to the deployment by the next one', async (t) => {
    const { repo, stage, port, huddle, before } = await served(t);
    const visits = load(t, port, 3);
    await huddle.kill9();
    const next = stage.startHuddle();
    const taken = await next.until('shop', (app) => app.program?.adopted === true, 'taken over');
    assert.equal(taken.program?.pid, before.program?.pid);
    await next.live('shop', await repo.publish(release('v2')));
    await eventually('the old one has ended', () => !alive(before.program?.pid ?? 0));
    assert.deepEqual(await ended(visits), [[], ['v1', 'v2']]);
    await next.stop();
    assert.deepEqual(stage.processes(), []);
  });

  test('in place has requests wait while nobody is there to answer; stopped it refuses them', async (t) => {
    const { stage, repo, port, huddle } = await served(t, {}, 'in place');
    const visits = load(t, port, 3);
    await huddle.live('shop', await repo.publish(release('v2')));
    assert.deepEqual(await ended(visits), [[], ['v1', 'v2']]);
    assert.equal((await stage.run('-c', stage.dir, 'stop', 'shop')).code, 0);
    await eventually('it is refused', () => isRefused(port));
    assert.equal((await stage.run('-c', stage.dir, 'start', 'shop')).code, 0);
    await eventually('it answers', async () => !(await isRefused(port)));
    await huddle.stop();
    assert.ok(await isRefused(port));
    assert.deepEqual(stage.processes(), []);
  });

  test('whose address is edited listens there and no longer where it did; without one it leaves no socket behind', async (t) => {
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
    assert.ok(!(await isRefused(path)));
    // Edited while no Huddle runs: the next one has to know of a socket that it has never opened.
    await huddle.kill9();
    await stage.writeConfig('shop', sections({ listen: '', start: ['sleep', '300'] }));
    const next = stage.startHuddle();
    await next.until('shop', (app) => app.state === 'running', 'running');
    await eventually('the socket is gone', () => !existsSync(path));
    await next.stop();
    assert.deepEqual(stage.processes(), []);
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
});

function isRefused(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at);
    socket
      .on('error', () => resolve(true))
      .on('connect', () => {
        socket.destroy();
        resolve(false);
      });
  });
}
