import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { refused } from '../ledger/paths.ts';
import type { Admit, Refusal } from './admission.ts';
import { type Feed, openFeed } from './feed.ts';
import { handUpgrades, isInspection } from './upgrades.ts';
import type { Source } from './source.ts';

/** Who is slow to say what is wanted, or says too much, is cut off. Milliseconds and bytes. */
export const bounds: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  // Any other upgrade (h2c, as Java's client offers it) is declined by being answered as the request that it also is.
  shouldUpgradeCallback: isInspection,
};

export interface Attendance {
  /** From where it is asked: the socket, which only its owner can open, or the network. */
  readonly from: 'socket' | 'network';
  readonly admit: Admit;
  /** Between two signs of life to those who follow the events; milliseconds. */
  readonly heartbeat?: number | undefined;
}

/**
 * Has an HTTP server answer with the control API. Returns what ends that: every stream and connection at once.
 */
export function attend(
  server: Server | SecureServer,
  source: Source,
  { from, admit, heartbeat }: Attendance,
): () => Promise<void> {
  const feed = openFeed(source, heartbeat);
  let answer: Listener | undefined;
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      answer ??= await listener(source, feed, from);
    } catch (thrown) {
      // Without descriptors nothing can be loaded: whoever asks again may find some.
      const { code, message, hint } = refused(thrown, 'answering with', 'the HTTP library');
      decline(response, { status: 500, code, message, hint: hint || 'Ask again in a moment.' });
      return;
    }
    await answer(request, response);
  };
  server.on('request', (request, response) => {
    if (from === 'network') response.setHeaders(strict);
    const refusal = admit(request, 'request');
    if (refusal === null) void respond(request, response);
    else decline(response, refusal);
  });
  const upgrades = handUpgrades(source);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = admit(request, 'upgrade');
    if (refusal === null) upgrades.hand(request, socket, head);
    else turnAway(socket, refusal);
  });
  return async () => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    feed.close();
    upgrades.close();
    // The ends of the streams are on their way by then; whoever still holds a connection loses it.
    setImmediate(() => server.closeAllConnections());
    await closed;
  };
}

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Loads what answers: 5 MB and a third of a start's processor time, which a Huddle that nobody asks does without. */
async function listener(source: Source, feed: Feed, from: Attendance['from']): Promise<Listener> {
  const [{ getRequestListener }, { routes }] = await Promise.all([import('@hono/node-server'), import('./routes.ts')]);
  return getRequestListener(routes(source, feed, from).fetch, { overrideGlobalObjects: false });
}

/** For everything that a browser may be brought to open; a page of Huddle's own names what it needs instead. */
const strict = new Map([
  ['x-content-type-options', 'nosniff'],
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-resource-policy', 'same-origin'],
]);

/** Without an answer of the API: nobody was let in, or it could not be loaded. */
type Declined = Omit<Refusal, 'status'> & { readonly status: number };

function decline(response: ServerResponse, refusal: Declined): void {
  response.writeHead(refusal.status, headersOf(refusal)).end(bodyOf(refusal));
}

/** Who is refused is not kept: a connection costs those who may come in. */
function headersOf({ status }: Declined): Record<string, string> {
  const challenge: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer realm="huddle"' } : {};
  return { ...challenge, 'content-type': 'application/json', connection: 'close' };
}

function bodyOf({ code, message, hint }: Declined): string {
  return JSON.stringify({ error: { code, message, hint } });
}

function turnAway(socket: Duplex, refusal: Refusal): void {
  const body = bodyOf(refusal);
  const headers = { ...headersOf(refusal), 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  const reason = refusal.status === 401 ? 'Unauthorized' : 'Forbidden';
  socket.end(`HTTP/1.1 ${refusal.status} ${reason}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}
