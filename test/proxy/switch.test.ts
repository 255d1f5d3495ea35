import assert from 'node:assert/strict';
import { type Agent, request } from 'node:http';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drained } from '../../src/proxy/client.ts';
import { ask, keeping, never, type Program, ProxyStage, readAnswer, until } from './stage.ts';

const named =
  (name: string): Program =>
  (incoming, response) => {
    incoming.resume();
    response.end(name);
  };

suite('A switch', { concurrency: 2 }, () => {
  test('is done when it is acknowledged: no request of any client goes to the old release afterwards', async (context) => {
    const stage = new ProxyStage(context);
    const releases = await Promise.all(['blue', 'green'].map((name) => stage.release(name, named(name))));
    const proxy = await stage.proxy({ workers: 4 });
    const agent = keeping(context);
    for (let turn = 0; turn < 40; turn++) {
      const release = releases[turn % 2];
      if (release === undefined) throw new Error('there are two');
      await proxy.point(release);
      const asked = Array.from({ length: 8 }, (_, index) =>
        ask(proxy.port, { agent: index % 2 === 0 ? agent : false }),
      );
      for (const { body } of await Promise.all(asked)) assert.equal(body, release.revision);
    }
  });

  test('never lets anybody see the old release who has seen the new one', async (context) => {
    const stage = new ProxyStage(context);
    const releases = await Promise.all(
      Array.from({ length: 10 }, (_, index) => stage.release(`r${index}`, named(String(index)))),
    );
    const proxy = await stage.proxy({ workers: 4 });
    const [first, ...others] = releases;
    await proxy.point(first ?? null);
    const run = { isOver: false, newest: 0 };
    const stale: string[] = [];
    // Whoever begins to ask after somebody has seen a release must not see one before it.
    const client = async (agent: Agent | false): Promise<void> => {
      while (!run.isOver) {
        const atLeast = run.newest;
        const seen = Number((await ask(proxy.port, { agent })).body);
        if (seen < atLeast) stale.push(`${seen} after ${atLeast}`);
        run.newest = Math.max(run.newest, seen);
      }
    };
    const agent = keeping(context);
    const clients = Array.from({ length: 12 }, (_, index) => client(index % 2 === 0 ? agent : false));
    for (const release of others) {
      await sleep(20);
      await proxy.point(release);
    }
    await until(() => run.newest === 9, 'the last one to be seen');
    run.isOver = true;
    await Promise.all(clients);
    assert.deepEqual(stale, []);
  });

  test('lets open requests end where they began, and tells when they have', async (context) => {
    const stage = new ProxyStage(context);
    const finish = new Map<string | undefined, () => void>();
    const old = await stage.release('old', (incoming, response) => {
      response.write('be');
      finish.set(incoming.url, () => response.end('gun'));
    });
    const fresh = await stage.release('new', named('new'));
    const proxy = await stage.proxy();
    await proxy.point(old);
    const asked = ['/0', '/1'].map((path) => ask(proxy.port, { path }));
    await until(() => finish.size === 2, 'both to begin');
    await proxy.point(fresh);
    assert.equal((await ask(proxy.port)).body, 'new');
    let isDrained = false;
    const waiting = drained(proxy.settings.control, old.port, never).then(() => (isDrained = true));
    const openAt = async (revision: string): Promise<number | undefined> =>
      (await proxy.status()).releases.find((release) => release.revision === revision)?.open;
    await until(async () => (await openAt('new')) === 0, 'the request at the new one to be counted off');
    assert.equal(await openAt('old'), 2);
    assert.deepEqual((await proxy.status()).target, { port: fresh.port, revision: 'new' });
    finish.get('/0')?.();
    assert.equal((await asked[0])?.body, 'begun');
    assert.equal(isDrained, false);
    finish.get('/1')?.();
    assert.equal((await asked[1])?.body, 'begun');
    await waiting;
    await until(async () => (await proxy.status()).releases.length === 1, 'the old one to be forgotten');
    assert.equal((await proxy.status()).cut, 0);
  });

  test('cuts what is still open after the drain timeout, and counts it', async (context) => {
    const stage = new ProxyStage(context);
    let asked = 0;
    const old = await stage.release('old', (incoming, response) => {
      asked += 1;
      if (incoming.url === '/begun') response.write('beginning');
    });
    const fresh = await stage.release('new', (incoming, response) => incoming.url === '/slow' || response.end('new'));
    const proxy = await stage.proxy({ drainTimeout: 1 });
    await proxy.point(old);
    const silent = ask(proxy.port, { path: '/silent' });
    const begun = assert.rejects(ask(proxy.port, { path: '/begun' }), /aborted|hang up/);
    await until(() => asked === 2, 'both to be asked');
    await proxy.point(fresh);
    const spared = request({ port: proxy.port, host: '127.0.0.1', path: '/slow' }).end();
    spared.on('error', () => undefined);
    await drained(proxy.settings.control, old.port, never);
    assert.equal((await silent).status, 504);
    await begun;
    const { cut, releases } = await proxy.status();
    assert.equal(cut, 2);
    assert.deepEqual(
      releases.map(({ revision, open }) => [revision, open]),
      [['new', 1]],
    );
    assert.match(proxy.log(), /2 requests at old are cut after 1 s/);
    spared.destroy();
  });

  test('back to a release before its time is over keeps what is open there', async (context) => {
    const stage = new ProxyStage(context);
    const begun = Promise.withResolvers<() => void>();
    const old = await stage.release('old', (incoming, response) => {
      if (incoming.url === '/slow') begun.resolve(() => response.end('slow'));
      else response.end('old');
    });
    const fresh = await stage.release('new', named('new'));
    const proxy = await stage.proxy({ drainTimeout: 1 });
    await proxy.point(old);
    const slow = ask(proxy.port, { path: '/slow' });
    await until(async () => (await proxy.status()).releases[0]?.open === 1, 'it to be open');
    await proxy.point(fresh);
    await proxy.point(old);
    assert.equal((await ask(proxy.port)).body, 'old');
    await sleep(1500);
    const finish = await begun.promise;
    finish();
    assert.equal((await slow).body, 'slow');
    assert.equal((await proxy.status()).cut, 0);
  });

  test('closes the connections to the old release, those in use when they are done', async (context) => {
    const stage = new ProxyStage(context);
    const begun = Promise.withResolvers<() => void>();
    const old = await stage.release('old', (incoming, response) => {
      if (incoming.url === '/slow') begun.resolve(() => response.end('slow'));
      else response.end('old');
    });
    const fresh = await stage.release('new', named('new'));
    const proxy = await stage.proxy({ workers: 1 });
    await proxy.point(old);
    const agent = keeping(context);
    const slow = ask(proxy.port, { path: '/slow', agent });
    await until(async () => (await proxy.status()).releases[0]?.open === 1, 'it to be open');
    await ask(proxy.port, { agent });
    assert.equal(old.taken.open.size, 2);
    await proxy.point(fresh);
    await until(() => old.taken.open.size === 1, 'the idle one to be closed');
    const finish = await begun.promise;
    finish();
    assert.equal((await slow).body, 'slow');
    await until(() => old.taken.open.size === 0, 'the busy one to be closed');
  });

  test('twenty times under load fails nobody, on new and on kept connections, with bodies and without', async (context) => {
    const stage = new ProxyStage(context);
    const proxy = await stage.proxy({ workers: 2 });
    const run = { isOver: false, asked: 0 };
    let current = await stage.release('r0', echo('r0'));
    await proxy.point(current);
    const failed: string[] = [];
    const seen = new Map<string, number>();
    const client = async (agent: Agent | false, method: string): Promise<void> => {
      while (!run.isOver) {
        const body = method === 'POST' ? `body ${run.asked}` : '';
        run.asked += 1;
        try {
          const answer = await ask(proxy.port, { method, agent, body });
          const [revision = '', echoed] = answer.body.split('\n');
          if (answer.status !== 200 || echoed !== body) failed.push(`${answer.status} ${answer.body}`);
          seen.set(revision, (seen.get(revision) ?? 0) + 1);
        } catch (error) {
          failed.push(String(error));
        }
      }
    };
    const kept = keeping(context);
    const clients = [false as const, kept].flatMap((agent) =>
      ['GET', 'POST'].flatMap((method) => Array.from({ length: 4 }, () => client(agent, method))),
    );
    for (let turn = 1; turn <= 20; turn++) {
      const next = await stage.release(`r${turn}`, echo(`r${turn}`));
      await until(() => (seen.get(current.revision) ?? 0) >= 50, 'the release before to have served');
      await proxy.point(next);
      await drained(proxy.settings.control, current.port, never);
      // As Huddle does with the old program: nothing of it is left.
      await current.close();
      current = next;
    }
    await until(() => seen.has('r20'), 'the last release to serve');
    run.isOver = true;
    await Promise.all(clients);
    assert.deepEqual(failed, []);
    assert.equal(seen.size, 21);
    context.diagnostic(`${run.asked} requests, 20 switches, ${failed.length} failed`);
  });
});

/** Answers late enough that a switch finds requests under way. */
function echo(revision: string): Program {
  return async (incoming, response) => {
    const answer = await readAnswer(incoming);
    await sleep(3);
    response.end(`${revision}\n${answer.body}`);
  };
}
