import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { connect } from 'node:tls';
import { startOnTerminal } from '../cli/command.ts';
import { makeCertificate } from '../control/certificate.ts';
import { ask } from '../control/visitor.ts';
import { eventually, plain, scene, type Scene } from './harness.ts';
import { freePort } from './proc.ts';

/** The address and the token of the link that `huddle open` prints. */
async function opened(stage: Scene) {
  const link = await eventually('huddle open prints a link', async () => {
    const { code, stdout } = await stage.run('open', '-c', stage.dir);
    return code === 0 && stdout.trim();
  });
  const [, url = '', token = ''] = /^(https?:\/\/[^/]+)\/#token=([\w-]{43})$/.exec(link) ?? [];
  assert.notEqual(token, '', link);
  return { url, token, headers: { authorization: `Bearer ${token}` } };
}

/** An app that runs, and what there is to see of it. */
async function stageWithShop(t: Parameters<typeof scene>[0]) {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  await stage.app('shop', repo.remote);
  return { stage, repo, first };
}

/** The lines of `/metrics` about a metric. */
async function series({ url, headers }: Awaited<ReturnType<typeof opened>>, name: string): Promise<string[]> {
  const { status, body } = await ask(url, '/metrics', { headers });
  assert.equal(status, 200);
  return body.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
}

suite('Looking in', { concurrency: 3 }, () => {
  test('the link of huddle open leads in; a deployment and its program show in the metrics', async (t) => {
    const { stage, repo, first } = await stageWithShop(t);
    const huddle = stage.startHuddle(['--listen', '0']);
    await huddle.live('shop', first);
    const door = await opened(stage);
    const { url, token, headers } = door;
    assert.equal((await ask(url, '/api/apps')).status, 401);
    const { body } = await ask(url, '/api/apps', { headers });
    assert.equal((JSON.parse(body) as { apps: { name: string }[] }).apps[0]?.name, 'shop');
    assert.equal(statSync(stage.file('.huddle/token')).mode & 0o777, 0o600);
    assert.equal(readFileSync(stage.file('.huddle/token'), 'utf8').trim(), token);

    const revisions = async () => (await series(door, 'huddle_app_revision_info')).join();
    assert.match(await revisions(), new RegExp(first));
    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    assert.match(await revisions(), new RegExp(second));
    assert.doesNotMatch(await revisions(), new RegExp(first));
    const deployed = (await series(door, 'huddle_app_deployments_total')).find((line) => line.includes('"deployed"'));
    assert.match(deployed ?? '', / 2$/);
    const [memory = '0'] = await series(door, 'huddle_app_program_resident_memory_bytes');
    assert.ok(Number(memory.split(' ').at(-1)) > 100_000, memory);
    await eventually('checks are counted', async () =>
      (await series(door, 'huddle_app_checks_total')).some((line) => /"unchanged"\} [1-9]/.test(line)),
    );
    assert.equal((await series(door, 'huddle_app_last_check_timestamp_seconds')).length, 1);

    rmSync(stage.file('shop.json'));
    await huddle.gone('shop');
    assert.equal((await ask(url, '/metrics', { headers })).body.includes('shop'), false);
    assert.ok(!huddle.log.includes(token), huddle.log);
    await huddle.stop();
  });

  test('a Huddle that takes over after kill -9 listens on the same port, by the same token', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const port = String(await freePort());
    const killed = stage.startHuddle(['--listen', port]);
    await killed.live('shop', first);
    const before = await opened(stage);
    // A connection that the kill breaks off must not keep the port.
    assert.equal((await fetch(`${before.url}/api/events`, before)).status, 200);
    await killed.kill9();
    const next = stage.startHuddle(['--listen', port]);
    const taken = await next.live('shop', first);
    assert.equal(taken.program?.adopted, true);
    const after = await opened(stage);
    assert.deepEqual(after, before);
    assert.equal((await ask(after.url, '/api/apps', after)).status, 200);
    await next.stop();
  });

  test('a port that is taken keeps no program from running, and is had when it is free', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as { port: number };
    const huddle = stage.startHuddle(['--listen', String(port)]);
    await huddle.live('shop', first);
    await huddle.logged(new RegExp(`error: listening on 127\\.0\\.0\\.1:${port}: somebody else listens there`));
    const early = await stage.run('open', '-c', stage.dir);
    assert.equal(early.code, 1);
    assert.match(early.stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port} yet`));
    other.close();
    assert.equal((await opened(stage)).url, `http://127.0.0.1:${port}`);
    await huddle.logged(/the network reaches Huddle again/);
    await huddle.stop();
  });

  test('a damaged token keeps no program from running; without it there is a new one, and the old one ends', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const file = stage.file('.huddle/token');
    const before = stage.startHuddle(['--listen', '0']);
    await before.live('shop', first);
    const { token: old, url: oldUrl } = await opened(stage);
    await before.stop();
    writeFileSync(file, 'nonsense', { mode: 0o600 });
    const huddle = stage.startHuddle(['--listen', '0']);
    await huddle.live('shop', first);
    await huddle.logged(/error: reading the token in .*: it holds no token of Huddle/);
    assert.equal(readFileSync(file, 'utf8'), 'nonsense');
    rmSync(file);
    const { token, url } = await opened(stage);
    assert.notEqual([token, url], [old, oldUrl]);
    assert.equal((await ask(url, '/api/apps', { headers: { authorization: `Bearer ${old}` } })).status, 401);
    // A token that has leaked is got rid of in the same way, while Huddle runs.
    rmSync(file);
    await eventually('a new token', () => existsSync(file) && readFileSync(file, 'utf8').trim() !== token);
    const fresh = await opened(stage);
    const answer = async (one: string) =>
      (await ask(fresh.url, '/api/apps', { headers: { authorization: `Bearer ${one}` } })).status;
    assert.deepEqual([await answer(token), await answer(fresh.token)], [401, 200]);
    await huddle.stop();
  });

  test('over TLS on all interfaces; SIGHUP takes a renewed certificate', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const [one, two] = [makeCertificate(stage.root, 'one'), makeCertificate(stage.root, 'two')];
    const [cert, key] = [join(stage.root, 'cert.pem'), join(stage.root, 'key.pem')];
    const install = (from: typeof one) => {
      copyFileSync(from.cert, cert);
      copyFileSync(from.key, key);
    };
    install(one);
    const huddle = stage.startHuddle(['--listen', '0.0.0.0:0', '--tls-cert', cert, '--tls-key', key]);
    await huddle.live('shop', first);
    const { url, headers } = await opened(stage);
    assert.match(url, /^https:\/\/localhost:\d+$/);
    const ca = readFileSync(one.cert);
    assert.equal((await ask(url, '/api/apps', { headers, ca })).status, 200);
    assert.equal(await nameAt(url), 'one');
    install(two);
    huddle.check();
    await huddle.logged(/the TLS certificate has been read anew/);
    assert.equal(await nameAt(url), 'two');
    writeFileSync(cert, 'nonsense');
    huddle.check();
    await huddle.logged(/error: using the certificate .*the one before stays in use/);
    assert.equal(await nameAt(url), 'two');
    await huddle.stop();
  });

  test('without --listen nothing is to be seen from the network, and huddle open says how', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const huddle = stage.startHuddle();
    await huddle.live('shop', first);
    assert.deepEqual(listeningPorts(huddle.pid), []);
    assert.equal(existsSync(stage.file('.huddle/token')), false);
    const { code, stdout, stderr } = await stage.run('open', '-c', stage.dir);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /it listens on no port\n {2}Start it with --listen 7357\.\n$/);
    await huddle.stop();
    assert.equal((await stage.run('open', '-c', stage.dir)).code, 1);
  });

  test('beyond this machine without TLS is a mistake: nothing is started', async (t) => {
    const { stage } = await stageWithShop(t);
    const { code, stderr } = await stage.run('-c', stage.dir, '--listen', '0.0.0.0:0');
    assert.equal(code, 2);
    assert.match(stderr, /beyond this machine/);
    assert.equal(existsSync(stage.file('.huddle')), false);
  });

  test('beyond this machine with --insecure, behind a proxy by its name: one port, and nothing without the token', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const huddle = stage.startHuddle(['--listen', '0.0.0.0:0', '--insecure', '--allow-host', 'huddle.example.org']);
    await huddle.live('shop', first);
    const { url, headers } = await opened(stage);
    assert.equal(listeningPorts(huddle.pid).length, 1);
    const status = async (host: string, more: Readonly<Record<string, string>> = headers, path = '/api/apps') =>
      (await ask(url, path, { headers: { ...more, host } })).status;
    assert.equal(await status('huddle.example.org'), 200);
    assert.equal(await status('evil.example.org'), 403);
    const from = (origin: string) => ({ ...headers, origin });
    assert.equal(await status('huddle.example.org', from('https://huddle.example.org')), 200);
    assert.equal(await status('huddle.example.org', from('https://evil.example.org')), 403);
    assert.equal(await status('huddle.example.org', {}), 401);
    assert.equal(await status('huddle.example.org', {}, '/healthz'), 200);
    assert.equal(await status('huddle.example.org', {}, '/'), 200);
    await huddle.stop();
  });

  test('--inspect prints both addresses, with the token only where somebody looks on', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const huddle = stage.startHuddle(['--inspect', '--listen', '0']);
    await huddle.live('shop', first);
    const { token } = await opened(stage);
    await huddle.stop();
    const { stdout } = await huddle.ended;
    assert.match(stdout, /http:\/\/127\.0\.0\.1:\d+\/inspector\n/);
    assert.match(stdout, /ws:\/\/127\.0\.0\.1:\d+\/inspect\?token=TOKEN\n/);
    assert.ok(!stdout.includes(token));

    const terminal = startOnTerminal(`-c ${stage.dir} --inspect --listen 0`, stage.environment());
    t.after(() => terminal.process.kill());
    await terminal.said(({ stdout }) => stdout.includes('receiver'));
    assert.match(terminal.stdout, new RegExp(`http://127\\.0\\.0\\.1:\\d+/inspector#token=${token}\r\n`));
    assert.match(terminal.stdout, new RegExp(`ws://127\\.0\\.0\\.1:\\d+/inspect\\?token=${token}\r\n`));
    terminal.type('\u0003');
    await terminal.ended;
  });

  test('on a desktop the browser is opened, and no command line shows the token', async (t) => {
    const { stage, first } = await stageWithShop(t);
    const huddle = stage.startHuddle(['--listen', '0']);
    await huddle.live('shop', first);
    const { url, token } = await opened(stage);
    const [browser, seen] = [join(stage.root, 'xdg-open'), join(stage.root, 'seen')];
    writeFileSync(browser, `#!/bin/sh\n{ printf '%s\\n' "$@"; cat "$1"; } > ${seen}.new && mv ${seen}.new ${seen}\n`);
    chmodSync(browser, 0o755);
    const path = `${stage.root}:${process.env['PATH']}`;
    const desktop = { ...stage.environment({ PATH: path, DISPLAY: ':0', SSH_CONNECTION: '', SSH_TTY: '' }) };
    const terminal = startOnTerminal(`open -c ${stage.dir}`, desktop);
    const { code, stdout } = await terminal.ended;
    assert.deepEqual([code, stdout.trim()], [0, `${url}/#token=${token}`]);
    await eventually('the browser has been started', () => existsSync(seen));
    const [file = '', ...page] = readFileSync(seen, 'utf8').split('\n');
    assert.equal(file, stage.file('.huddle/open.html'));
    assert.ok(page.join('').includes(`content="0;url=${url}/#token=${token}"`));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await huddle.stop();
  });
});

/** The name in the certificate that a server shows. */
async function nameAt(url: string): Promise<string> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

/** The TCP sockets that a process listens on, as Linux tells them. */
function listeningPorts(pid: number): string[] {
  const lines = ['tcp', 'tcp6'].flatMap((kind) =>
    readFileSync(`/proc/${pid}/net/${kind}`, 'utf8').split('\n').slice(1),
  );
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A');
  const own = new Set(socketsOf(pid));
  return listening.flatMap((fields) => (own.has(fields[9] ?? '') ? [fields[1] ?? ''] : []));
}

/** The inodes of a process' sockets. */
function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((file) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${file}`))?.[1] ?? [];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}
