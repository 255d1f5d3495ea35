import assert from 'node:assert/strict';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { WebSocket } from 'ws';
import type { AppConfig } from '../../../machines/config.ts';
import { Failure } from '../../../machines/failure.ts';
import { plain } from '../../../src/observe/inspector/plain.ts';
import { eventually } from '../../e2e/harness.ts';
import { appConfig } from '../../machines/config.ts';
import { openTheatre } from './theatre.ts';

let seeds = 0;
/** A secret of its own for each place where one may stand. */
const seed = () => `hush${++seeds}hush`;

/** A config with a secret in every text that may hold one. */
const secretive = (): AppConfig => ({
  ...appConfig({
    repository: {
      remotePath: `https://${seed()}:${seed()}@example.org/shop.git?token=${seed()}#${seed()}`,
      username: seed(),
      passwordFile: `/run/secrets/${seed()}`,
      sshKey: `/run/secrets/${seed()}`,
    },
    test: {
      kind: 'remote',
      url: `https://${seed()}@ci.example.org/${seed()}/{revision}?key=${seed()}`,
      pass: seed(),
      fail: seed(),
      headers: { Authorization: `Bearer ${seed()}`, name: seed(), type: seed() },
      timeout: 9,
    },
    scripts: { prePull: [`TOKEN=${seed()} make`], postPull: [`make ${seed()}`] },
    application: {
      start: ['env', `TOKEN=${seed()}`, 'shop', seed()],
      stopCommand: `stop ${seed()}`,
      environment: { API_KEY: seed(), branch: seed(), revision: seed(), state: seed() },
      environmentFile: `/run/secrets/${seed()}`,
    },
    watchdog: {
      period: 60,
      timeout: 5,
      failures: 3,
      probe: { kind: 'http', url: `http://${seed()}:${seed()}@localhost/${seed()}`, response: seed() },
    },
  }),
  webhook: { secretFile: `/run/secrets/${seed()}` },
  notify: { commands: [`tell ${seed()}`], url: `https://chat.example.org/${seed()}` },
});

/** All that a plain client is sent, byte for byte, from its first word on. */
async function listen(url: string): Promise<() => string> {
  const socket = new WebSocket(url);
  const chunks: Buffer[] = [];
  socket.on('message', (data) => chunks.push(data as Buffer));
  await once(socket, 'message');
  return () => Buffer.concat(chunks).toString();
}

const leaked = (bytes: string) => [...new Set(bytes.match(/hush\d+hush/g))];

suite('What the inspector sends', () => {
  test('holds no secret of a config, through deployments, edits, failures, a death and a stop', async (t) => {
    const theatre = await openTheatre(t);
    const early = await listen(theatre.url);
    const { world } = theatre;
    const check = async () => {
      theatre.root.send({ type: 'check all' });
      await theatre.pass(5);
    };
    await theatre.put('shop', secretive());
    await theatre.pass(3);
    // A failure that names the command that failed, one of git's, and what is no failure of Huddle's.
    const failing = { doing: 'running', subject: `shop --token ${seed()}`, reason: 'exit code 1' };
    world.tip = 'b';
    world.script = () => new Failure('script-failed', failing);
    await check();
    world.tip = new Failure('remote-unreachable', {
      doing: 'asking',
      subject: `https://example.org/${seed()}`,
      reason: `unable to access 'https://${seed()}:${seed()}@example.org/x?token=${seed()}'`,
      hint: `Look at https://example.org/?token=${seed()}.`,
    });
    await check();
    world.tip = Object.assign(new Error(`${seed()} is not valid JSON`), { stderr: seed(), command: seed() });
    await check();
    await theatre.put('shop', secretive());
    await theatre.pass(3);
    const late = await listen(theatre.url);
    world.news.push = () => {
      throw new Error(`a fault with ${seed()}`);
    };
    theatre.actor('app:shop').send({ type: 'pause' });
    world.news.push = Array.prototype.push;
    await theatre.pass(5);
    theatre.root.send({ type: 'shutdown' });
    await theatre.pass(5);
    const isOver = (bytes: string) => /"status":"done"[^\n]*"value":"gone"/.test(bytes);
    await eventually('the end', () => isOver(early()) && isOver(late()));
    assert.deepEqual(leaked(early() + late()), []);
    // Names, places and reasons are there all the same: it is a list of what is shown, not an empty one.
    for (const word of ['API_KEY', 'Authorization', 'https://***@example.org/shop.git', '/srv/shop', 'exit code 1'])
      assert.ok(early().includes(word), word);
    assert.ok(early().includes("unable to access 'https://***@example.org/x'"));
    assert.ok(early().includes('script-failed') && early().includes('remote-unreachable'));
  });
});

suite('What is shown of a value', () => {
  test('is plain data: functions, errors, instances and actors become something plain', () => {
    class Secret {
      readonly name = 'inside';
    }
    const cause = new TypeError('inside');
    const failure = new Failure('timeout', {
      doing: 'asking',
      subject: 'inside',
      reason: 'no end',
      hint: 'Wait.',
      cause,
    });
    const shown = plain({
      now: Date.now,
      instance: new Secret(),
      error: cause,
      failure,
      none: undefined,
      big: 5n,
      map: new Map(),
    });
    assert.deepEqual(shown, {
      now: { type: 'now' },
      instance: { type: 'Secret' },
      error: { name: 'TypeError' },
      failure: { name: 'Failure', code: 'timeout', doing: 'asking', reason: 'no end', hint: 'Wait.' },
      none: undefined,
      big: '***',
      map: { type: 'Map' },
    });
  });

  test('is text only under the keys that are known to hold none that is secret', () => {
    assert.deepEqual(
      plain({ revision: 'a', secret: 'b', list: ['c'], authors: ['d'], at: 5, paused: true, none: null }),
      {
        revision: 'a',
        secret: '***',
        list: ['***'],
        authors: ['***'],
        at: 5,
        paused: true,
        none: null,
      },
    );
    assert.equal(plain('alone'), '***');
  });

  test('is not the reason of a fault inside Huddle, which anything may have worded', () => {
    const internal = new Failure('internal', { doing: 'running', subject: 'Huddle itself', reason: 'words of others' });
    assert.equal((plain(internal) as { reason: string }).reason, '***');
  });

  test('is an end where something holds itself', () => {
    const ring: Record<string, unknown> = { name: 'ring' };
    ring['ring'] = ring;
    assert.match(JSON.stringify(plain(ring)), /^(\{"name":"ring","ring":){8}"…"\}{8}$/);
  });

  test('is one line without control and direction characters', () => {
    assert.deepEqual(plain({ branch: 'a\u001b[2J\nb\u202e' }), { branch: 'a\\x1b[2J b\\u{202e}' });
  });
});
