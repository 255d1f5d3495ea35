import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { eventually, plain, scene } from './harness.ts';

/** What each forge sends along; of it all only the signature counts. */
function signedBy(secret: string, body: string) {
  const signature = hmac(secret, body);
  const sha1 = `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`;
  return {
    GitHub: {
      'user-agent': 'GitHub-Hookshot/044aadd',
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature': sha1,
      'x-hub-signature-256': `sha256=${signature}`,
    },
    Gitea: {
      'content-type': 'application/json',
      'x-gitea-event': 'push',
      'x-gitea-signature': signature,
      'x-gogs-signature': signature,
      'x-hub-signature': sha1,
      'x-hub-signature-256': `sha256=${signature}`,
    },
    Forgejo: {
      'content-type': 'application/json',
      'x-forgejo-event': 'push',
      'x-forgejo-signature': signature,
      'x-gitea-signature': signature,
    },
    GitLab: {
      'user-agent': 'GitLab/18.4',
      'content-type': 'application/json',
      'x-gitlab-event': 'Push Hook',
      'x-gitlab-instance': 'https://gitlab.example.org',
      'x-gitlab-token': secret,
    },
    Bitbucket: {
      'user-agent': 'Bitbucket-Webhooks/2.0',
      'content-type': 'application/json',
      'x-event-key': 'repo:push',
      'x-hook-uuid': '8d0f4bb7-0b7e-4b0a-9a0d-2b4a0a5c9f3e',
      'x-hub-signature': `sha256=${signature}`,
    },
    'a proxy in front of GitHub': {
      host: 'hooks.example.org',
      'x-forwarded-for': '192.0.2.7',
      'content-type': 'application/x-www-form-urlencoded',
      'x-hub-signature-256': `sha256=${signature}`,
    },
  };
}

const hmac = (secret: string, body: string) => createHmac('sha256', secret).update(body).digest('hex');

const pushed = JSON.stringify({ ref: 'refs/heads/main', after: 'whatever it says' });

suite('A forge', { concurrency: 2 }, () => {
  test('of each kind wakes an app by a push that it signs its way, long before the next check', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    const webhook = { 'secret file': './shop.secret' };
    await stage.app('shop', repo.remote, { timing: { minimum: 3600 }, webhook });
    const early = await stage.run('webhook', 'shop', '-c', stage.dir);
    assert.equal(early.code, 0, early.stderr);
    assert.match(
      early.stdout,
      /http\(s\):\/\/THIS-HOST:PORT\/hooks\/shop\n.*secret +[\da-f]{64}\n[^]*No Huddle listens on a port here yet/,
    );
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.live('shop', first);

    const printed = await stage.run('webhook', 'shop', '-c', stage.dir, '--json');
    assert.equal(printed.code, 0, printed.stderr);
    const { url, secret } = JSON.parse(printed.stdout) as { url: string; secret: string };
    const file = stage.file('shop.secret');
    assert.equal(readFileSync(file, 'utf8'), `${secret}\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match((await stage.run('webhook', 'shop', '-c', stage.dir)).stdout, new RegExp(secret));

    await repo.publish(plain('v2'));
    assert.equal(await post(url, pushed, { 'x-hub-signature-256': `sha256=${hmac('guessed', pushed)}` }), 401);
    assert.equal((await huddle.app('shop')).revision, first);

    for (const [forge, headers] of Object.entries(signedBy(secret, pushed))) {
      const revision = await repo.publish(plain(`a push to ${forge}`));
      assert.equal(await post(url, pushed, headers), 202, forge);
      await huddle.live('shop', revision);
    }
    assert.doesNotMatch(huddle.log, new RegExp(secret));
    await huddle.stop();
  });

  test('that says the same again and again has the remote asked once a second at most', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    writeFileSync(stage.file('shop.secret'), 'known to both\n');
    const [git, asked] = [join(stage.root, 'git'), join(stage.root, 'asked')];
    writeFileSync(git, `#!/bin/sh\ncase "$*" in *" fetch "*) echo "$*" >> ${asked} ;; esac\nexec /usr/bin/git "$@"\n`, {
      mode: 0o755,
    });
    await stage.app('shop', repo.remote, {
      repository: { executable: git },
      timing: { minimum: 3600 },
      webhook: { 'secret file': './shop.secret' },
    });
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.live('shop', first);
    const { url } = JSON.parse((await stage.run('webhook', 'shop', '-c', stage.dir, '--json')).stdout) as {
      url: string;
    };
    const checks = () => readFileSync(asked, 'utf8').split('\n').length;
    const before = checks();
    const begun = performance.now();
    const { GitHub } = signedBy('known to both', pushed);
    while (performance.now() - begun < 3000) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => post(url, pushed, GitHub)));
      assert.deepEqual([...new Set(answers)], [202]);
    }
    // The last of a flood may be the one that counts.
    const last = await repo.publish(plain('v2'));
    await post(url, pushed, GitHub);
    await huddle.live('shop', last);
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(checks() - before <= 2 + seconds, `${checks() - before} checks in ${seconds} s`);
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
