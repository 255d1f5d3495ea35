import { lstatSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { asFailure, Failure } from '../../machines/failure.ts';
import { openFeed, type Feed } from './feed.ts';
import { answer, type Answer } from './routes.ts';
import type { Source } from './source.ts';

/** Not by `import`: see `src/control/client.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

/** The control API while it is served. */
export interface Control {
  /** Ends every event stream and connection at once, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves the control API over HTTP on a unix socket that only its owner may open. The caller holds the lock of this
 * Huddle: a socket that is there and that nobody answers is a dead Huddle's, and is replaced.
 * Fails with `path-occupied`, `permission-denied` or `internal` where the path cannot be listened on.
 */
export async function serveControl(
  source: Source,
  path: string,
  options: { heartbeat?: number } = {},
): Promise<Control> {
  await removeStale(path);
  const feed = openFeed(source, options.heartbeat);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 20_000, maxHeaderSize: 16_384 });
  server.on('request', (request, response) => void respond(request, response, source, feed));
  await listen(server, path);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      feed.close();
      // The ends of the streams are on their way by then; whoever still holds a connection loses it.
      setImmediate(() => server.closeAllConnections());
      await closed;
    },
  };
}

/** Names of Windows: they are gone with the process that listened, and only one can at a time. */
const pipes = '\\\\.\\pipe\\';

/** What is left of a Huddle that was killed says ECONNREFUSED to a client and EADDRINUSE to `listen`. */
async function removeStale(path: string): Promise<void> {
  if (path.startsWith(pipes)) return;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const alive = found.isSocket() && (await answers(path));
  if (alive || !found.isSocket()) {
    const reason = alive ? 'somebody listens there already' : 'something that is not a socket is there';
    throw new Failure('path-occupied', { doing: 'listening on', subject: path, reason, hint: 'Remove it.' });
  }
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const tell = (alive: boolean) => () => {
      probe.destroy();
      resolve(alive);
    };
    probe.once('connect', tell(true)).once('error', tell(false));
  });
}

/** Nobody but the owner may ever open the socket, not even for the instant between `bind` and a `chmod`. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once('listening', listening.resolve).once('error', listening.reject);
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await listening.promise;
  } catch (error) {
    throw cannotListen(path, error);
  }
}

function cannotListen(path: string, error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  const denied = code === 'EACCES' || code === 'EPERM';
  const reason = error instanceof Error ? error.message : String(error);
  const hint = 'Name a folder of this user with --state DIR.';
  const parts = { doing: 'listening on', subject: path, reason, hint, cause: error };
  return new Failure(denied ? 'permission-denied' : 'internal', parts);
}

async function respond(request: IncomingMessage, response: ServerResponse, source: Source, feed: Feed): Promise<void> {
  if (!(await bodyRead(request))) return;
  try {
    const found = await answer(request.method ?? '', request.url ?? '', source);
    if (found === 'events') feed.add(response);
    else write(response, found);
  } catch (error) {
    const { code, message, hint } = asFailure(error);
    write(response, { status: 500, body: { error: { code, message, hint } } });
  }
}

/** No route takes a body yet: one is read and forgotten, or the answer could get lost; this many bytes of it. */
const longestBody = 64 * 1024;

/** False where the connection has ended: the client left, or its body was too long and it is cut off. */
async function bodyRead(request: IncomingMessage): Promise<boolean> {
  const { socket } = request;
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > longestBody) throw new Error('the body is too long');
    }
    return true;
  } catch {
    // The end of the iteration detaches the request from its socket, and leaves that open.
    socket.destroy();
    return false;
  }
}

function write(response: ServerResponse, { status, body, headers }: Answer): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  const length = Buffer.byteLength(text);
  response.writeHead(status, {
    'content-type': type,
    'content-length': length,
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(text);
}
