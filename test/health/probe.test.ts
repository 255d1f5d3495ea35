import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { Probe } from '../../machines/config.ts';
import { probe, type ProbeContext } from '../../src/health/probe.ts';
import { endMarked } from '../../src/process/end.ts';
import { identify } from '../../src/process/identity.ts';
import { folderMark, newMark } from '../../src/process/mark.ts';
import { runAs } from '../../src/process/user.ts';

interface Listener {
  readonly port: number;
  /** Resolves when whoever has connected has closed the connection. */
  readonly drained: () => Promise<void>;
}

/** Listens on a free port for one test. */
async function listen(t: TestContext, server: Server): Promise<Listener> {
  const open = new Set<Socket>();
  let connected = 0;
  server.on('connection', (socket: Socket) => {
    connected++;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const drained = async () => {
    const deadline = Date.now() + 10_000;
    const isDrained = () => connected > 0 && open.size === 0;
    while (!isDrained() && Date.now() < deadline) await setImmediate();
    assert.ok(isDrained(), `${open.size} of ${connected} connections are still open`);
  };
  return { port: (server.address() as AddressInfo).port, drained };
}

const serveHttp = (t: TestContext, answer: RequestListener) => listen(t, createHttpServer(answer));
const serveTcp = (t: TestContext, answer: (socket: Socket) => void) =>
  listen(
    t,
    createTcpServer((socket) => answer(socket.resume())),
  );

function context(signal: AbortSignal, directory = tmpdir()): ProbeContext {
  const mark = newMark(folderMark(directory), 'shop');
  const environment = { PATH: process.env['PATH'] ?? '', DIRECTORY: directory };
  return { directory, environment, runAs: runAs(null), mark, log: null, signal };
}

function look(kind: Probe, { timeout = 60, signal = new AbortController().signal, directory = tmpdir() } = {}) {
  return probe({ period: 60, timeout, failures: 3, probe: kind }, context(signal, directory));
}

suite('A probe over http', () => {
  const http = (port: number, response: string | null = null): Probe => {
    return { kind: 'http', url: `http://127.0.0.1:${port}/health?deep=1`, response };
  };

  test('finds a program healthy that answers 2xx, and leaves no connection', async (t) => {
    const { port, drained } = await serveHttp(t, (request, answer) => {
      answer.writeHead(request.url === '/health?deep=1' && request.method === 'GET' ? 204 : 400).end();
    });
    await look(http(port));
    await drained();
  });

  for (const status of [199 + 101, 302, 404, 503]) {
    test(`finds a program unhealthy that answers ${status}`, async (t) => {
      const { port } = await serveHttp(t, (_, answer) => answer.writeHead(status, { location: '/' }).end('fine'));
      await assert.rejects(look(http(port)), { name: 'Failure', code: 'not-accepted', reason: `answered ${status}` });
    });
  }

  test('wants the response in the body, where one is configured', async (t) => {
    const { port } = await serveHttp(t, (_, answer) => answer.end('all is fine here'));
    await look(http(port, 'is fine'));
    await assert.rejects(look(http(port, 'is bad')), { code: 'not-accepted', reason: /does not contain/ });
  });

  test('says why nobody answered', async (t) => {
    const { port } = await serveHttp(t, (request) => request.socket.destroy());
    await assert.rejects(look(http(port)), { code: 'not-accepted', reason: /closed without an answer/ });
    await assert.rejects(look(http(1)), { code: 'not-accepted', reason: 'connection refused' });
  });

  test('waits no longer than its time-out, for the head as for the body', async (t) => {
    const silent = await serveHttp(t, () => {});
    const failure = { code: 'timeout', reason: 'no answer in 0.2 s' };
    await assert.rejects(look(http(silent.port), { timeout: 0.2 }), failure);
    await silent.drained();
    const endless = await serveHttp(t, (_, answer) => answer.write('x'));
    await assert.rejects(look(http(endless.port), { timeout: 0.2 }), failure);
    await endless.drained();
  });

  test('ends when it is aborted', async (t) => {
    const { port, drained } = await serveHttp(t, () => {});
    await assert.rejects(look(http(port), { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
    await drained();
  });
});

suite('A probe over tcp', () => {
  const tcp = (port: number, response: string | null = null, request = 'watchdog'): Probe => {
    return { kind: 'tcp', host: '127.0.0.1', port, request, response };
  };

  test('finds a program healthy that accepts a connection, and leaves none', async (t) => {
    const { port, drained } = await serveTcp(t, () => {});
    await look(tcp(port));
    await drained();
  });

  test('sends the request and finds the response, though the peer does not close', async (t) => {
    const { port, drained } = await serveTcp(t, (socket) =>
      socket.on('data', (text: Buffer) => socket.write(`you said ${text.toString()}`)),
    );
    await look(tcp(port, 'said ping', 'ping'));
    await drained();
  });

  test('finds the response in pieces, with the peer closing after it', async (t) => {
    const { port } = await serveTcp(t, (socket) => {
      socket.on('data', () => {
        socket.write('al');
        process.nextTick(() => socket.end('ive'));
      });
    });
    await look(tcp(port, 'alive'));
  });

  test('says when another answer came before the peer closed', async (t) => {
    const { port } = await serveTcp(t, (socket) => socket.end('something else'));
    await assert.rejects(look(tcp(port, 'alive')), { code: 'not-accepted', reason: /does not contain/ });
  });

  test('waits no longer than its time-out for the response', async (t) => {
    const { port, drained } = await serveTcp(t, (socket) => socket.write('something else'));
    await assert.rejects(look(tcp(port, 'alive'), { timeout: 0.2 }), { code: 'timeout', reason: 'no answer in 0.2 s' });
    await drained();
  });

  test('says why nobody answered', async () => {
    await assert.rejects(look(tcp(1)), { code: 'not-accepted', reason: 'connection refused' });
  });

  test('ends when it is aborted, or was', async (t) => {
    const { port, drained } = await serveTcp(t, () => {});
    await assert.rejects(look(tcp(port, 'x'), { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
    await drained();
    await assert.rejects(look(tcp(port), { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  });
});

suite('A probe by command', () => {
  const command = (line: string): Probe => ({ kind: 'command', command: line });

  test('finds a program healthy when it exits 0', async () => {
    await look(command('test -n "$PATH"'));
  });

  test('finds it unhealthy otherwise, with the exit code', async () => {
    await assert.rejects(look(command('exit 3')), { code: 'not-accepted', reason: 'exit code 3' });
  });

  for (const [title, options, code] of [
    ['takes no longer than its time-out', () => ({ timeout: 0.3 }), 'timeout'],
    ['ends when it is aborted', () => ({ signal: AbortSignal.timeout(300) }), 23],
  ] as const) {
    test(`${title}, with all that it has started`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'huddle-probe-'));
      t.after(async () => {
        await endMarked(`${folderMark(directory)}:`);
        rmSync(directory, { recursive: true });
      });
      const line = 'setsid sh -c \'echo $$ >"$DIRECTORY/pid"; exec sleep 300\' & sleep 300';
      await assert.rejects(look(command(line), { ...options(), directory }), { code });
      assert.equal(identify(Number(readFileSync(join(directory, 'pid'), 'utf8'))), null);
    });
  }
});
