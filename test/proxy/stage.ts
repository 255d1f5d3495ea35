import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pointProxy, proxyStatus } from '../../src/proxy/client.ts';
import type { ProxyStatus } from '../../src/proxy/requests.ts';
import { type ProxySettings, startArgv } from '../../src/proxy/settings.ts';

export const never = new AbortController().signal;

/** A proxy under test: the process that Huddle would start. */
export interface Proxy {
  readonly child: ChildProcess;
  readonly settings: ProxySettings;
  /** Where clients come in. */
  readonly port: number;
  /** What it has logged so far. */
  log(): string;
  point(release: Release | null): Promise<void>;
  status(): Promise<ProxyStatus>;
  /** Its exit code, when it has ended. */
  readonly ended: Promise<number | null>;
}

/** A program behind the proxy. */
export interface Release {
  readonly port: number;
  readonly revision: string;
  readonly server: Server;
  /** Connections that it has taken so far, and those that are open. */
  readonly taken: { count: number; open: Set<Socket> };
  close(): Promise<void>;
}

/** What a program under test does with a request. */
export type Program = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A folder with proxies and programs in it, all of which go with the test. */
export class ProxyStage {
  readonly folder = mkdtempSync(join(tmpdir(), 'huddle-proxy-'));
  readonly #context: TestContext;

  constructor(context: TestContext) {
    this.#context = context;
    context.after(() => rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 }));
  }

  settings(more: Partial<ProxySettings> = {}): ProxySettings {
    return {
      listen: { host: '127.0.0.1', port: 0 },
      control: join(this.folder, 'proxy.sock'),
      memory: join(this.folder, 'proxy.json'),
      drainTimeout: 30,
      workers: 2,
      ...more,
    };
  }

  /** Starts one; what it has logged is in `log` when it could not serve. */
  launch(settings: ProxySettings): { child: ChildProcess; log: () => string; ended: Promise<number | null> } {
    const [program = '', ...args] = startArgv(settings);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    this.#context.after(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return { child, log: () => text, ended };
  }

  async proxy(more: Partial<ProxySettings> = {}): Promise<Proxy> {
    const settings = this.settings(more);
    const { child, log, ended } = this.launch(settings);
    await until(() => log().includes('listening on') || child.exitCode !== null, 'the proxy to serve');
    if (child.exitCode !== null) throw new Error(log());
    const status = () => proxyStatus(settings.control, never);
    const { address } = await status();
    return {
      child,
      settings,
      port: address.port,
      log,
      status,
      ended,
      point: (release) =>
        pointProxy(settings.control, release && { port: release.port, revision: release.revision }, never),
    };
  }

  /** A program; where the port is given, it is one that comes back there. */
  async release(revision: string, listener: Program, port = 0): Promise<Release> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => void listener(request, response));
    const taken = { count: 0, open: new Set<Socket>() };
    server.on('connection', (socket) => {
      taken.count += 1;
      taken.open.add(socket);
      socket.once('close', () => taken.open.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const close = async (): Promise<void> => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const socket of taken.open) socket.destroy();
      await closed;
    };
    this.#context.after(close);
    return { port: (server.address() as AddressInfo).port, revision, server, taken, close };
  }

  /** A program that speaks what a test has it speak; each connection is handed to it. */
  async raw(revision: string, onConnection: (socket: Socket) => void): Promise<Release> {
    const release = await this.release(revision, () => undefined);
    const { port } = release;
    await release.close();
    const open = new Set<Socket>();
    const taken = { count: 0, open };
    const server = createNetServer({ allowHalfOpen: true }, (socket) => {
      taken.count += 1;
      open.add(socket);
      socket.once('close', () => open.delete(socket)).on('error', () => undefined);
      onConnection(socket);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const close = async (): Promise<void> => {
      const closed = server.listening ? once(server, 'close') : null;
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    };
    this.#context.after(close);
    return { ...release, taken, close };
  }

  /** A plain connection on which a test writes what no client would; what comes back is collected. */
  async dial(port: number): Promise<{ socket: Socket; heard: () => string }> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    this.#context.after(() => void socket.destroy());
    await once(socket, 'connect');
    return { socket, heard: () => text };
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly rawTrailers: readonly string[];
  readonly body: string;
}

/** Asks, and reads the whole answer. */
export async function ask(port: number, options: RequestOptions & { body?: string } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  const sent = request({ host: '127.0.0.1', port, agent: false, ...rest });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.end(body);
  const [response] = await answered;
  return readAnswer(response);
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const { statusCode: status = 0, headers, rawHeaders } = response;
  const body = await textOf(response);
  return { status, headers, rawHeaders, body, rawTrailers: response.rawTrailers };
}

export async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

/** An agent that keeps its connections until the test ends. */
export function keeping(context: TestContext): Agent {
  const agent = new Agent({ keepAlive: true });
  context.after(() => agent.destroy());
  return agent;
}

/** Waits for a condition; fails when it does not come true in twenty seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(10);
  }
}
