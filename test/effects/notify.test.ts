import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDesk } from '../../src/effects/desk.ts';
import { openNotifier, type Patience, type Told } from '../../src/effects/notify.ts';
import { turns } from '../../src/effects/turns.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { appConfig } from '../machines/config.ts';

const told: Told = { event: 'deployed', app: 'shop', revision: 'a'.repeat(40), text: 'shop: deployed aaaaaaa in 1 s' };
const quick: Patience = { retries: [10, 10], most: 3, per: 60_000, waiting: 20 };

suite('Who is notified', () => {
  test('by URL gets JSON with a text', async (t) => {
    const { chat, notifier } = await office(t);
    notifier.tell(told, appConfig({ notify: { url: chat.url } }));
    const { host, at, ...rest } = await chat.heard(1);
    assert.deepEqual(rest, { ...told });
    assert.ok(host);
    assert.ok(!Number.isNaN(Date.parse(String(at))));
  });

  test('by command finds it in the environment', async (t) => {
    const { folder, notifier } = await office(t);
    const out = join(folder, 'out');
    const command = `printf '%s|' "$HUDDLE_EVENT" "$HUDDLE_APP" "$HUDDLE_TEXT" "$HUDDLE_NOTICE" > ${out}.new; mv ${out}.new ${out}`;
    notifier.tell(told, appConfig({ notify: { commands: [command] } }));
    await until(() => existsSync(out));
    assert.deepEqual(readFileSync(out, 'utf8').split('|').slice(0, 4), [
      told.event,
      told.app,
      told.text,
      JSON.stringify(told),
    ]);
  });

  test('is told again when it does not answer well, and given up with a warning that keeps its address secret', async (t) => {
    const { chat, notifier, warnings } = await office(t);
    chat.status = 503;
    notifier.tell(told, appConfig({ notify: { url: chat.url } }));
    await until(() => warnings.length === 1);
    assert.equal(chat.bodies.length, 3);
    assert.match(warnings[0] ?? '', /notifying 127\.0\.0\.1:\d+: it answered with 503/);
    assert.doesNotMatch(warnings.join(), /T0K3N/);
    chat.status = 200;
    notifier.tell(told, appConfig({ notify: { url: chat.url } }));
    await chat.heard(4);
  });

  test('of a failing command reads why in deploy.log', async (t) => {
    const { folder, notifier, warnings } = await office(t);
    notifier.tell(told, appConfig({ notify: { commands: ['echo no such channel; exit 3'] } }));
    await until(() => warnings.length === 1);
    assert.match(warnings[0] ?? '', /notify command.*exit code 3/);
    const log = readFileSync(join(folder, '.huddle/apps/shop/logs/deploy.log'), 'utf8');
    assert.equal(log.split('no such channel').length, 4);
  });

  test('gets a few a minute, and how many more there were with the next one', async (t) => {
    const { chat, notifier } = await office(t, { ...quick, per: 300 });
    const config = appConfig({ notify: { url: chat.url } });
    for (let count = 0; count < 8; count += 1) notifier.tell(told, config);
    await chat.heard(3);
    await sleep(400);
    assert.equal(chat.bodies.length, 3);
    notifier.tell(told, config);
    assert.equal((await chat.heard(4))['text'], `${told.text} (5 more were not told)`);
  });

  test('and is away for long gets a few of them when he is back, and how many more there were', async (t) => {
    const { chat, notifier } = await office(t, { ...quick, retries: Array(999).fill(10), most: 100, waiting: 3 });
    const config = appConfig({ notify: { url: chat.url } });
    chat.status = 503;
    for (let count = 0; count < 8; count += 1) notifier.tell({ ...told, text: `${count}` }, config);
    await chat.heard(1);
    chat.status = 200;
    const texts = () => [...new Set(chat.bodies.map(({ text }) => text))];
    await until(() => texts().length === 3);
    const again = () => notifier.tell({ ...told, text: 'again' }, config);
    again();
    await until(() => texts().length === 4);
    assert.deepEqual(texts(), ['0', '1', '2', 'again (5 more were not told)']);
  });

  test('and never answers holds up nothing, and ends with the notifier', async (t) => {
    const { chat, notifier, warnings } = await office(t);
    chat.status = 0;
    notifier.tell(told, appConfig({ notify: { url: chat.url } }));
    await until(() => chat.bodies.length === 1);
    notifier.close();
    await until(() => chat.open() === 0);
    assert.deepEqual(warnings, []);
  });

  test('where nobody is configured is nobody', async (t) => {
    const { notifier, folder } = await office(t);
    notifier.tell(told, appConfig());
    assert.equal(existsSync(join(folder, '.huddle/apps/shop/logs/deploy.log')), false);
  });
});

async function office(t: TestContext, patience = quick) {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-notify-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const warnings: string[] = [];
  const paths = statePaths(folder, undefined);
  mkdirSync(paths.root, { mode: 0o700 });
  const warn = (_app: string, text: string) => void warnings.push(text);
  const desk = openDesk('shop', { paths, remains: [], warn, network: turns(1), local: turns(1) });
  const notifier = openNotifier(() => desk, patience);
  t.after(() => notifier.close());
  return { folder, warnings, notifier, chat: await startChat(t) };
}

/** A chat's hook; with status 0 it never answers. */
async function startChat(t: TestContext) {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      bodies.push(JSON.parse(text) as Record<string, unknown>);
      if (chat.status !== 0) response.writeHead(chat.status).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    socket.on('close', () => (open -= 1));
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const chat = {
    status: 200,
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/T0K3N`,
    open: () => open,
    async heard(count: number) {
      await until(() => bodies.length >= count);
      return bodies[count - 1] ?? {};
    },
  };
  return chat;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, 'it did not happen');
    await sleep(5);
  }
}
