import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createWebSocketReceiver } from '@statelyai/inspect';
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { eventually, plain, scene } from './harness.ts';

suite('The live statecharts of a running Huddle', () => {
  test('are seen by an official receiver, a late one too, through a deployment, without a secret', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, {
      test: { command: 'grep -q v version' },
      application: { environment: { JOURNAL: stage.journalFile, PASSWORD: 'xyzzy-secret' } },
    });
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.live('shop', first);
    const { url } = await eventually('it listens', () => urlIn(huddle.log));
    const token = readFileSync(stage.file('.huddle/token'), 'utf8').trim();
    const viewer = `${url.replace('http', 'ws')}/inspect?token=${token}`;

    const seen: { state: string; text: string }[] = [];
    const raw = new WebSocket(viewer);
    t.after(() => raw.terminate());
    let bytes = '';
    raw.on('message', (data: Buffer) => (bytes += data.toString()));
    const receiver = createWebSocketReceiver({ server: viewer });
    receiver.subscribe((event) => {
      if (event.type !== '@xstate.snapshot') return;
      const { value } = event.snapshot as { value?: string | object };
      if (value === undefined) return;
      const state = typeof value === 'string' ? value : (Object.keys(value)[0] ?? '');
      seen.push({ state, text: JSON.stringify(event) });
    });
    await eventually('the replay has come', () => bytes.includes('app:shop'));

    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    const states = ['checking', 'testing', 'stopping', 'pulling', 'restarting', 'running'];
    await eventually('every state was seen', () => states.every((state) => seen.some((one) => one.state === state)));
    assert.doesNotMatch(bytes, /xyzzy/);
    assert.doesNotMatch(JSON.stringify(seen), /xyzzy/);

    const page = await fetch(`${url}/inspector`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /frame-src https:\/\/stately\.ai;/);
    assert.equal((await fetch(`${url}/api/apps`)).status, 401);
    await huddle.stop();
  });
});

function urlIn(log: string): { url: string } | undefined {
  const url = /listening on (http:\/\/\S+?);/.exec(log)?.[1];
  return url === undefined ? undefined : { url };
}
