import { lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { asFailure, Failure } from '../../machines/failure.ts';
import { refused } from '../ledger/paths.ts';
import type { Crew } from './crew.ts';
import type { Desk } from './desk.ts';
import { pointingIn, portIn, type ProxyStatus } from './requests.ts';

/** Not by `import`: see `src/control/client.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

/** What Huddle says is short; characters. */
const longest = 4096;

/** The control socket of a proxy while it is there. */
export interface Door {
  close(): void;
}

/**
 * Lets the owner of the socket, and nobody else, tell the proxy what to do: `GET /status`, `POST /point` with a target
 * or null, `GET /drained?port=`. The path is taken from a proxy before this one, which nobody can reach any more.
 * Rejects with a `Failure` where the path cannot be listened on.
 */
export async function openDoor(path: string, crew: Crew, desk: Desk): Promise<Door> {
  const isPipe = path.startsWith('\\\\.\\pipe\\');
  // Node removes it by the name by which it was made when the server closes, whosever it is by then.
  const passing = isPipe ? path : path.replace(/.$/, '~');
  const server = createServer((request, response) => void meet(request, response, crew, desk));
  const listening = Promise.withResolvers<void>();
  server.once('listening', listening.resolve).on('error', listening.reject);
  if (!isPipe) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(passing, { force: true });
  }
  // Nobody else may open it, not even for the instant between `bind` and a `chmod`.
  const before = process.umask(0o177);
  server.listen(passing);
  process.umask(before);
  try {
    await listening.promise;
    if (!isPipe) renameSync(passing, path);
  } catch (error) {
    server.close();
    throw refused(error, 'listening on', path);
  }
  const inode = (): bigint | undefined => lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  const ours = isPipe ? undefined : inode();
  return {
    close() {
      if (!isPipe && inode() === ours) rmSync(path, { force: true });
      server.close();
      server.closeAllConnections();
    },
  };
}

async function meet(request: IncomingMessage, response: ServerResponse, crew: Crew, desk: Desk): Promise<void> {
  const answer = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
  };
  try {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://proxy');
    const method = methods[pathname];
    if (method === undefined) return answer(404, errorOf(nothing(pathname)));
    if (request.method !== method) return answer(405, errorOf(nothing(`${request.method} ${pathname}`)));
    if (pathname === '/status') return answer(200, statusOf(crew, desk));
    if (pathname === '/point') {
      const asked = await bodyOf(request);
      desk.point(asked === null ? null : pointingIn(asked));
      return answer(200, statusOf(crew, desk));
    }
    const port = portIn(searchParams.get('port'));
    if (desk.target?.port === port) return answer(409, errorOf(inCharge(port)));
    await drained(desk, port, response);
    return answer(200, statusOf(crew, desk));
  } catch (error) {
    answer(400, errorOf(asFailure(error)));
  }
}

const methods: Readonly<Record<string, string>> = { '/status': 'GET', '/point': 'POST', '/drained': 'GET' };

const errorOf = ({ code, message, hint }: Failure): object => ({ error: { code, message, hint } });

/** Resolves when no request is open there, or nobody wants to know any more. */
function drained(desk: Desk, port: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      stop();
      resolve();
    };
    const stop = desk.whenLeft(() => desk.isDrained(port) && end());
    response.once('close', end);
    if (desk.isDrained(port)) end();
  });
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  request.setEncoding('utf8');
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > longest) throw unreadable(`it is longer than ${longest} characters`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable('it is not JSON');
  }
}

function statusOf(crew: Crew, desk: Desk): ProxyStatus {
  const { address, family, port } = crew.address ?? { address: '', family: '', port: 0 };
  return {
    pid: process.pid,
    address: { host: family === 'IPv6' && address === '::' ? '' : address, port },
    workers: crew.size,
    target: desk.target,
    releases: desk.releases,
    drainTimeout: desk.drainTimeout,
    waiting: crew.board.waiting,
    cut: crew.board.cutSoFar,
    unwritten: desk.unwritten,
  };
}

const asking = { doing: 'asking the proxy for', code: 'config-invalid' } as const;

function nothing(subject: string): Failure {
  const hint = 'There are GET /status, POST /point and GET /drained?port=PORT.';
  return new Failure(asking.code, { doing: asking.doing, subject, reason: 'there is no such call', hint });
}

function unreadable(reason: string): Failure {
  const hint = 'It should be {"port":PORT,"revision":"…"}, or null for none.';
  return new Failure(asking.code, { doing: asking.doing, subject: '/point', reason, hint });
}

function inCharge(port: number): Failure {
  const hint = 'Point the proxy to another release first.';
  const reason = 'that release is in charge';
  return new Failure(asking.code, { doing: asking.doing, subject: `/drained?port=${port}`, reason, hint });
}
