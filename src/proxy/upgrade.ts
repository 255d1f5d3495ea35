import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { switchHeaders } from './headers.ts';

/** Calls back when a request has its connection, which may be one that was kept. */
export function connected(request: ClientRequest, then: () => void): void {
  request.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', then);
    else then();
  });
}

/** The head of a `101 Switching Protocols`, as it came. */
export function switchedHead(incoming: IncomingMessage): string {
  const headers = switchHeaders(incoming);
  const lines = [`HTTP/1.1 101 ${incoming.statusMessage ?? ''}`];
  for (let index = 0; index + 1 < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** What either side has said already. */
interface First {
  readonly fromClient: Buffer;
  readonly fromUpstream: Buffer;
}

/** Hands on whatever either side says, until both have ended. Either may end first; if one breaks, so does the other. */
export function joined(client: Socket, upstream: Socket, first: First, onEnd: () => void): void {
  for (const socket of [client, upstream]) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
  }
  if (first.fromClient.length > 0) upstream.write(first.fromClient);
  if (first.fromUpstream.length > 0) client.write(first.fromUpstream);
  upstream.pipe(client);
  client.pipe(upstream);
  client.once('error', () => upstream.destroy());
  upstream.once('error', () => client.destroy());
  upstream.once('close', () => (client.writableEnded ? undefined : client.destroy()));
  client.once('close', () => {
    upstream.destroy();
    onEnd();
  });
}
