import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import type { Failure } from '../../machines/failure.ts';
import { askRemoteTest } from '../../src/process/gate.ts';

const revision = 'b'.repeat(40);

/** A server for one test; gives its origin and what it was asked. */
async function serve(t: TestContext, answer: RequestListener): Promise<{ origin: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function ask(url: string, more: { headers?: Record<string, string>; timeout?: number; signal?: AbortSignal } = {}) {
  const { headers = {}, timeout = 10, signal = new AbortController().signal } = more;
  const gate = { kind: 'remote', url, pass: '"success"', fail: '"failure"', headers, timeout } as const;
  return askRemoteTest({ gate, revision, branch: 'feature/a b', signal });
}

suite('The remote test', () => {
  test('is asked with revision and branch filled in, and with the headers', async (t) => {
    const { origin, asked } = await serve(t, (_, response) => response.end('{"state":"success"}'));
    const verdict = await ask(`${origin}/{branch}/{revision}?r={revision}`, { headers: { 'PRIVATE-TOKEN': 'x' } });
    assert.deepEqual(verdict, { kind: 'passed' });
    assert.equal(asked[0]?.url, `/feature%2Fa%20b/${revision}?r=${revision}`);
    assert.equal(asked[0]?.headers['private-token'], 'x');
  });

  const verdicts: readonly [status: number, body: string, kind: string][] = [
    [200, '{"state":"success"}', 'passed'],
    [200, '{"state":"failure"}', 'failed'],
    [200, '{"state":"running"}', 'pending'],
    [404, 'not known yet', 'pending'],
  ];
  for (const [status, body, kind] of verdicts) {
    test(`that answers ${status} ${body} is ${kind}`, async (t) => {
      const { origin } = await serve(t, (_, response) => response.writeHead(status).end(body));
      assert.equal((await ask(origin)).kind, kind);
    });
  }

  const errors: readonly [status: number, code: string][] = [
    [500, 'remote-unreachable'],
    [503, 'remote-unreachable'],
    [429, 'remote-unreachable'],
    [401, 'authentication-failed'],
    [403, 'authentication-failed'],
  ];
  for (const [status, code] of errors) {
    test(`that answers ${status} has no verdict, whatever the body says`, async (t) => {
      const { origin } = await serve(t, (_, response) => response.writeHead(status).end('"success" "failure"'));
      await assert.rejects(ask(origin), { name: 'Failure', code });
    });
  }

  test('that cannot be reached is an error', async (t) => {
    const { origin } = await serve(t, () => {});
    const port = Number(new URL(origin).port);
    await assert.rejects(ask(`http://127.0.0.1:${port === 1 ? 2 : 1}/`), { code: 'remote-unreachable' });
    await assert.rejects(ask('http://no-such-host.invalid/'), { code: 'remote-unreachable' });
  });

  test('that does not answer, or not to the end, is a time-out', async (t) => {
    const silent = await serve(t, () => {});
    await assert.rejects(ask(silent.origin, { timeout: 0.2 }), { code: 'timeout', reason: 'no answer in 0.2 s' });
    const slow = await serve(t, (_, response) => response.write('{"state":'));
    await assert.rejects(ask(slow.origin, { timeout: 0.2 }), { code: 'timeout' });
  });

  test('is given up when that is wanted', async (t) => {
    const { origin } = await serve(t, () => {});
    await assert.rejects(ask(origin, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
  });

  test('sends no header along a redirect to another origin', async (t) => {
    const other = await serve(t, (_, response) => response.end('"success"'));
    const same = await serve(t, ({ url }, response) => {
      response.writeHead(302, { location: url === '/' ? '/again' : `${other.origin}/there` }).end();
    });
    const verdict = await ask(`${same.origin}/`, { headers: { 'private-token': 'x', authorization: 'y' } });
    assert.equal(verdict.kind, 'passed');
    assert.deepEqual(
      same.asked.map(({ headers }) => headers['private-token']),
      ['x', 'x'],
    );
    assert.equal(other.asked[0]?.headers['private-token'], undefined);
    assert.equal(other.asked[0]?.headers.authorization, undefined);
  });

  test('that redirects for ever is an error', async (t) => {
    const { origin, asked } = await serve(t, (_, response) => response.writeHead(302, { location: '/' }).end());
    await assert.rejects(ask(origin), { code: 'remote-unreachable', reason: /redirected more than 5 times/ });
    assert.equal(asked.length, 6);
  });

  test('is read for one megabyte and no further', async (t) => {
    const { origin } = await serve(t, (_, response) => {
      const more = () => {
        while (response.writable && response.write('x'.repeat(64 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    assert.equal((await ask(origin)).kind, 'pending');
  });

  test('is named in failures without its query, user and password', async (t) => {
    const { origin } = await serve(t, (_, response) => response.writeHead(500).end());
    const url = `${origin.replace('//', '//user:s3cret@')}/status?token=s3cret`;
    await assert.rejects(ask(url), (failure: Failure) => {
      assert.doesNotMatch(`${failure.message} ${failure.subject} ${failure.hint}`, /s3cret/);
      return true;
    });
  });
});
