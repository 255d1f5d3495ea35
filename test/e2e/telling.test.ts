import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { eventually, plain, scene } from './harness.ts';

suite('A forge', { concurrency: 2 }, () => {
  test('wakes an app by a signed push, long before its next check', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const webhook = { 'secret file': './shop.secret' };
    await stage.app('shop', repo.remote, { timing: { minimum: 3600 }, webhook });
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.live('shop', first);

    const printed = await stage.run('webhook', 'shop', '-c', stage.dir, '--json');
    assert.equal(printed.code, 0, printed.stderr);
    const { url, secret } = JSON.parse(printed.stdout) as { url: string; secret: string };
    const file = stage.file('shop.secret');
    assert.equal(readFileSync(file, 'utf8'), `${secret}\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match((await stage.run('webhook', 'shop', '-c', stage.dir)).stdout, new RegExp(secret));

    const second = await repo.publish(plain('v2'));
    const body = JSON.stringify({ ref: 'refs/heads/main', after: 'whatever it says' });
    const sign = (key: string) => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
    assert.equal(await post(url, body, { 'x-hub-signature-256': sign('guessed') }), 401);
    assert.equal((await huddle.app('shop')).revision, first);
    assert.equal(await post(url, body, { 'x-hub-signature-256': sign(secret) }), 202);
    await huddle.live('shop', second);
    assert.doesNotMatch(huddle.log, new RegExp(secret));
    await huddle.stop();
  });

  test('has to be given an app whose file names a secret', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    await stage.app('shop', repo.remote);
    const unnamed = await stage.run('webhook', 'shop', '-c', stage.dir);
    assert.equal(unnamed.code, 1);
    assert.match(unnamed.stderr, /shop\.json: it has no webhook\.secret file\n.*"webhook": \{ "secret file"/);
    assert.equal((await stage.run('webhook', 'shp', '-c', stage.dir)).code, 2);
    assert.equal((await stage.run('webhook', '-c', stage.dir)).code, 2);
    await stage.app('shop', repo.remote, { webhook: { 'secret file': './shop.secret' } });
    writeFileSync(stage.file('shop.secret'), '\n');
    const empty = await stage.run('webhook', 'shop', '-c', stage.dir);
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /the file is empty/);
  });
});

suite('Who wants to be told', { concurrency: 2 }, () => {
  test('hears by URL and by command of deployments, rejections, and of a program given up and recovered', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const heard: Record<string, string>[] = [];
    const chat = createServer((incoming, response) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      incoming.on('end', () => {
        heard.push(JSON.parse(text) as Record<string, string>);
        response.end('ok');
      });
    }).listen(0, '127.0.0.1');
    await once(chat, 'listening');
    t.after(() => chat.close());
    const told = stage.file('_told');
    await stage.app('shop', repo.remote, {
      test: { command: 'grep -q v version' },
      application: { 'crash limit': 1, retry: 0.5, settle: 0.1 },
      notify: {
        url: `http://127.0.0.1:${(chat.address() as AddressInfo).port}/T0K3N`,
        command: `echo "$HUDDLE_EVENT" >> ${told}`,
      },
    });
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    const bad = await repo.publish({ version: 'broken\n' });
    await huddle.logged(/is rejected/);
    const { program } = await huddle.app('shop');
    process.kill(program?.pid ?? 0, 'SIGKILL');
    const events = () => heard.map(({ event }) => event);
    await eventually('all is told', () => events().includes('recovered'));
    assert.deepEqual(events(), ['deployed', 'rejected', 'given up', 'recovered']);
    assert.deepEqual([heard[0]?.['revision'], heard[1]?.['revision']], [first, bad]);
    assert.match(heard[1]?.['text'] ?? '', /^shop: .* is rejected: /);
    await eventually('the command has told too', () => readFileSync(told, 'utf8').split('\n').length === 5);
    assert.doesNotMatch(huddle.log, /T0K3N/);
    await huddle.stop();
  });
});

async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const sent = request(url, { method: 'POST', headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
}
