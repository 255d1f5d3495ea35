import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import { suite, test, type TestContext } from 'node:test';
import { controlClient, type ControlEvent } from '../../src/control/client.ts';
import { serveControl } from '../../src/control/server.ts';
import { addressIn, appStatus, FakeSource, historyEntry, temporaryFolder } from './fake-source.ts';

suite('The control client', () => {
  test('gets what Huddle says', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const source = new FakeSource(appStatus('shop'));
    const control = await serveControl(source, path);
    t.after(() => control.close());
    const client = controlClient({ socket: path, folder: '/srv/apps', root: '/srv/apps/.huddle' });
    assert.deepEqual(await client.apps(), source.apps());
    assert.deepEqual(await client.get('/api/apps/shop'), source.app('shop'));
    await assert.rejects(client.get('/api/apps/nobody'), { name: 'Failure', reason: 'there is no app "nobody"' });
  });

  test('says that no Huddle runs, and which command starts one', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const gone = { code: 'not-running', hint: "Start one with: huddle -c '/srv/my apps'" };
    const client = controlClient({ socket: path, folder: '/srv/my apps', root: '/srv/my apps/.huddle' });
    await assert.rejects(client.apps(), gone);
    await assert.rejects(
      client.events(() => undefined, AbortSignal.abort()).then(() => client.get('/healthz')),
      gone,
    );
    await assert.rejects(
      client.events(() => undefined, new AbortController().signal),
      gone,
    );
  });

  test('says that it may not', async (t) => {
    const path = await answering(t, (_request, response) => response.end('{}'));
    chmodSync(path, 0);
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65_534);
    try {
      await assert.rejects(controlClient({ socket: path, folder: '/srv', root: '/srv/.huddle' }).apps(), {
        code: 'permission-denied',
      });
    } finally {
      if (root) process.seteuid?.(0);
    }
  });

  test('calls nonsense nonsense', async (t) => {
    const path = await answering(t, (request, response) => {
      if (request.url === '/api/events') response.end('event: app\ndata: {\n\n');
      else response.end('<html>');
    });
    const client = controlClient({ socket: path, folder: '/srv', root: '/srv/.huddle' });
    await assert.rejects(client.get('/'), { code: 'internal' });
    await assert.rejects(
      client.events(() => undefined, new AbortController().signal),
      { code: 'internal' },
    );
  });

  test('says that Huddle left in the middle of an answer', async (t) => {
    const path = await answering(t, (request) => request.socket.destroy());
    await assert.rejects(controlClient({ socket: path, folder: '/srv', root: '/srv/.huddle' }).apps(), {
      code: 'not-running',
    });
  });

  test('hands on events in order, characters that were torn apart included, until Huddle ends', async (t) => {
    const path = addressIn(temporaryFolder(t));
    const source = new FakeSource(appStatus('größe', { branch: '日本語'.repeat(50_000) }));
    const control = await serveControl(source, path);
    const seen: ControlEvent[] = [];
    await controlClient({ socket: path, folder: '/srv', root: '/srv/.huddle' }).events((event) => {
      seen.push(event);
      if (event.type === 'ready') source.deployed('größe', historyEntry());
      if (event.type === 'deployment') void control.close();
    }, new AbortController().signal);
    assert.deepEqual(seen, [
      { type: 'app', data: source.app('größe') },
      { type: 'ready', data: {} },
      { type: 'deployment', data: { name: 'größe', ...historyEntry() } },
    ]);
  });

  test('ends a stream when it is told to, and when it breaks off', async (t) => {
    const aborter = new AbortController();
    const path = await answering(t, (_request, response) => {
      response.write('event: app\ndata: 1\n\n');
      if (aborter.signal.aborted) setImmediate(() => response.destroy());
    });
    const client = controlClient({ socket: path, folder: '/srv', root: '/srv/.huddle' });
    await client.events(() => aborter.abort(), aborter.signal);
    let seen = 0;
    await client.events(() => (seen += 1), new AbortController().signal);
    assert.equal(seen, 1);
  });
});

/** A server on a socket that answers as the test says. */
async function answering(t: TestContext, listener: RequestListener): Promise<string> {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  const path = addressIn(folder);
  const server = createServer(listener).listen(path);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return path;
}
