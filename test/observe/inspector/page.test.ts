import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { StatelyActorEvent, StatelyInspectionEvent } from '@statelyai/inspect';
import type { Browser, Frame, Page } from 'playwright-core';
import { inspectorPage } from '../../../src/observe/inspector/page.ts';
import { eventually } from '../../e2e/harness.ts';
import { servedOnTcp } from '../../control/visitor.ts';
import { appConfig } from '../../machines/config.ts';
import { openBrowser, skip } from '../dashboard/browser.ts';
import { standInFile } from './stand-in.ts';
import { openTheatre, serve } from './theatre.ts';

// A real browser on the real page; the viewer is a stand-in on an origin of its own, with the package's own receiver.

const standIn: RequestListener = ({ url = '/' }, response) => {
  const { contentType, body } = standInFile(url);
  response.setHeader('content-type', contentType).end(body);
};

async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const sockets = (requests: readonly string[]) => requests.filter((url) => url.startsWith('ws:'));

suite('The page of the inspector', { skip }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  /** The page in a browser, on a played Huddle; what it asks for and complains of is written down. */
  async function open(t: TestContext, viewer: string, fragment = '#token=abc') {
    const theatre = await openTheatre(t);
    await theatre.put('shop', appConfig());
    const { html, headers } = inspectorPage(viewer);
    const url = await serve(t, theatre.inspector, (_request, response) => response.writeHead(200, headers).end(html));
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('websocket', (socket) => requests.push(socket.url()));
    page.on('console', (message) => {
      // Chromium says so of every such frame; it holds only for one of the page's own origin.
      if (!message.text().startsWith('An iframe which has both allow-scripts')) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    const address = url.replace('ws:', 'http:').replace('/inspect', '/inspector');
    await page.goto(address + fragment);
    return { theatre, page, requests, complaints, address, url };
  }

  const viewerIn = (page: Page): Frame => page.frames().at(-1) ?? page.mainFrame();

  const heardBy = async (page: Page) =>
    ((await viewerIn(page).evaluate('window.heard ?? []')) as StatelyInspectionEvent[]) ?? [];

  const untilTold = (page: Page, name: string) =>
    eventually(`${name} to be told of`, async () => {
      const heard = await heardBy(page).catch(() => []);
      return heard.some((event) => event.type === '@xstate.actor' && event.name === name) ? heard : undefined;
    });

  test('hands every live actor and a deployment to the viewer, and asks nobody else for anything', async (t) => {
    const viewer = await listen(t, standIn);
    const { theatre, page, requests, complaints, address, url } = await open(t, `${viewer}/inspect`);
    const heard = await untilTold(page, '0.process');
    assert.deepEqual(
      heard.filter((event) => event.type === '@xstate.actor').map(({ name }: StatelyActorEvent) => name),
      ['huddle', 'configs', 'app:shop', 'blue', 'process', '0.process'],
    );
    await theatre.pass(3);
    theatre.world.tip = 'b';
    theatre.root.send({ type: 'check all' });
    await theatre.pass(5);
    const deployed = (event: StatelyInspectionEvent) =>
      event.type === '@xstate.snapshot' && JSON.stringify(event.snapshot).includes('"good":"b"');
    await eventually('the deployment', async () => (await heardBy(page)).some(deployed));

    assert.equal(page.url(), address);
    assert.equal(await page.evaluate('sessionStorage.getItem("huddle.token")'), 'abc');
    assert.ok(requests.includes(`${url}?token=abc`));
    assert.deepEqual(
      new Set(requests.map((each) => new URL(each).host)),
      new Set([url, viewer].map((each) => new URL(each).host)),
    );
    assert.deepEqual(complaints, []);
    assert.ok(await page.locator('#notice').isHidden());
  });

  test('gives a viewer that loads itself anew, and one after a restart of Huddle, everything again', async (t) => {
    const viewer = await listen(t, standIn);
    const { theatre, page } = await open(t, `${viewer}/inspect`);
    await untilTold(page, 'process');
    await viewerIn(page).evaluate('window.heard = []; location.reload()');
    await untilTold(page, 'process');

    await viewerIn(page).evaluate('window.isOld = true');
    theatre.inspector.close();
    await eventually(
      'a new viewer',
      async () =>
        (await viewerIn(page)
          .evaluate('!window.isOld')
          .catch(() => false)) === true,
    );
    const heard = await untilTold(page, '0.process');
    assert.equal(heard[0]?.type === '@xstate.actor' && heard[0].name, 'huddle');
    assert.ok(await page.locator('#notice').isHidden());
  });

  test('believes no handshake but that of its viewer', async (t) => {
    const handshake = `{ type: '@statelyai.connected' }`;
    const forger = `<!doctype html><script>parent.postMessage(${handshake}, '*')</script>`;
    const quiet = await listen(t, ({ url }, response) => {
      response.setHeader('content-type', 'text/html').end(url === '/forger' ? forger : '');
    });
    const { page, requests } = await open(t, `${quiet}/inspect`);
    // From the page itself, and from another frame of the viewer's origin. Each is awaited, and what comes of it, too.
    const heard = `new Promise((resolve) => addEventListener('message', resolve, { once: true })).then(() => 'heard')`;
    assert.equal(await page.evaluate(`{ postMessage(${handshake}); ${heard} }`), 'heard');
    const frame = `document.body.append(Object.assign(document.createElement('iframe'), { src: '${quiet}/forger' }))`;
    assert.equal(await page.evaluate(`{ ${frame}; ${heard} }`), 'heard');
    assert.equal(await page.evaluate(`{ postMessage('last'); ${heard} }`), 'heard');
    assert.deepEqual(sockets(requests), []);
    assert.match((await page.locator('#notice').textContent()) ?? '', /Waiting for the viewer/);
  });

  test('frames nothing but the viewer, also when that leads elsewhere', async (t) => {
    let visits = 0;
    const elsewhere = await listen(t, (request, response) => {
      visits++;
      standIn(request, response);
    });
    const viewer = await listen(
      t,
      (_request, response) => void response.writeHead(302, { location: `${elsewhere}/inspect` }).end(),
    );
    const { complaints } = await open(t, `${viewer}/inspect`);
    await eventually('the refusal', () => complaints.some((text) => /Content Security Policy/.test(text)));
    assert.equal(visits, 0);
  });

  test('says what it wants when it has no token, and loads nothing', async (t) => {
    const viewer = await listen(t, standIn);
    const { page, requests } = await open(t, `${viewer}/inspect`, '');
    assert.match((await page.locator('#notice').textContent()) ?? '', /huddle open/);
    assert.equal(requests.filter((url) => !url.endsWith('/inspector') && !url.endsWith('/favicon.ico')).length, 0);
  });

  test('says that the token is wrong where that is why it is not let in', async (t) => {
    const viewer = await listen(t, standIn);
    const { url, source } = await servedOnTcp(t);
    const { html, headers } = inspectorPage(`${viewer}/inspect`);
    source.pages.set('/inspector', { headers, plain: Buffer.from(html), packed: gzipSync(html) });
    const page = await (await browser.newContext()).newPage();
    t.after(() => page.context().close());
    await page.goto(`${url}/inspector#token=${'W'.repeat(43)}`);
    await page.getByText('Huddle does not take this token').waitFor();
    assert.equal(page.url(), `${url}/inspector`);
  });

  test('names the hosted viewer where no other is named', () => {
    const { html, headers } = inspectorPage();
    assert.match(html, /data-address="https:\/\/stately\.ai\/inspect"/);
    assert.match(headers['content-security-policy'] ?? '', /default-src 'none'.*frame-src https:\/\/stately\.ai;/);
  });
});
