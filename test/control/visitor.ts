import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { request as requestTls } from 'node:https';
import { WebSocket } from 'ws';
import { type Listening, serveTcp, type TcpControl } from '../../src/control/tcp.ts';
import type { AppStatus } from '../../src/control/status.ts';
import { FakeSource } from './fake-source.ts';

export const token = 'T'.repeat(43);

/** What a client of the network sees of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Wish {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A certificate to trust. */
  readonly ca?: Buffer;
}

/** Somebody out there: requests exactly as they are written, whatever `Host` and `Origin` they claim. */
export async function ask(url: string, path: string, { method = 'GET', headers = {}, body, ca }: Wish = {}) {
  const { hostname, port, protocol } = new URL(url);
  const open = protocol === 'https:' ? requestTls : request;
  const host = hostname.replace(/^\[|\]$/g, '');
  const sent = open({ host, port, path, method, headers, agent: false, ...(ca && { ca, servername: 'localhost' }) });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  sent.on('response', resolve).on('error', reject).end(body);
  const response = await promise;
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text } satisfies Answer;
}

export const withToken = { authorization: `Bearer ${token}` };

/** The control API on a port of its own, for the length of a test. */
export async function servedOnTcp(t: TestContext, but: Partial<Listening> = {}, ...apps: readonly AppStatus[]) {
  const source = new FakeSource(...apps);
  const listening = { address: { host: '127.0.0.1', port: 0 }, tls: null, allowHosts: [], ...but };
  const control: TcpControl = await serveTcp(source, listening, token);
  t.after(() => control.close());
  return { source, control, url: control.url };
}

/** A WebSocket, or the status that it was refused with. */
export async function knock(t: TestContext, address: string, headers: Readonly<Record<string, string>> = {}) {
  const socket = new WebSocket(address, { headers, perMessageDeflate: false });
  t.after(() => socket.terminate());
  const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
  socket.on('open', () => resolve(socket)).on('error', () => resolve(0));
  socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  return await promise;
}

/** Sends bytes; what came back when the other side has ended it. */
export async function raw(url: string, ...pieces: readonly string[]): Promise<string> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, '')).on('error', () => undefined);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return text;
}
