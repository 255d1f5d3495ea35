import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';
import { openFeed } from '../../src/control/feed.ts';
import { addressIn, appStatus, FakeSource, temporaryFolder } from './fake-source.ts';

test('A change in the very tick in which somebody joins reaches those who were there before', async (t) => {
  const socketPath = addressIn(temporaryFolder(t));
  const source = new FakeSource(appStatus('shop'));
  const feed = openFeed(source);
  let joined = 0;
  const server = createServer((_request, response) => {
    joined += 1;
    if (joined === 2) source.put(appStatus('shop', { state: 'checking' }));
    feed.add(response);
  }).listen(socketPath);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const enter = async () => {
    const asked = request({ socketPath, agent: false }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response.setEncoding('utf8');
  };
  const early = await enter();
  await once(early, 'data');
  const told = once(early, 'data');
  const late = await enter();
  const [change] = (await told) as [string];
  assert.match(change, /^event: app\ndata: .*"state":"checking"/);
  const [burst] = (await once(late, 'data')) as [string];
  assert.match(burst, /^event: app\ndata: .*"state":"checking".*\n\nevent: ready\n/);
});
