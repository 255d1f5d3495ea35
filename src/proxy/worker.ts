import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { errorCode } from '../platform/error-code.ts';
import { Board } from './board.ts';
import { Exchange, type Hall } from './exchange.ts';
import { Gate } from './gate.ts';
import { hasBody } from './headers.ts';
import { Lanes } from './lanes.ts';
import type { Order, Report, WorkerData } from './crew.ts';

// A thread of the proxy that serves, on a socket of its own at the address of all.

/** Not by `import`: see `src/control/client.ts`. */
const http = process.getBuiltinModule('node:http');

/**
 * What a client may take. Nothing here ends a request that is under way, however long the program is silent, nor a
 * body that comes slowly: a dead client is found by TCP's own keep-alive.
 */
const bounds = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 60_000,
  requestTimeout: 0,
  keepAliveTimeout: 75_000,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  noDelay: true,
  requireHostHeader: true,
  insecureHTTPParser: false,
  // What has a body is a request first of all, and h2c may be declined. Node 22 does not ask.
  shouldUpgradeCallback: (request: IncomingMessage) => !hasBody(request) && request.headers.upgrade !== 'h2c',
};

/** Between the last connection that is taken and the end of those that are idle; milliseconds. */
const politeness = 2000;

const port = parentPort;
if (port === null) throw new Error('this is a thread of the proxy: start main');
const { memory, worker, room, patience, listen } = workerData as WorkerData;
const tell = (report: Report): void => port.postMessage(report);

const board = new Board(memory);
const gate = new Gate(board, worker, room);
const lanes = new Lanes(board, worker, () => tell({ type: 'left' }));
const hall: Hall = { gate, lanes, patience, isClosing: false };

const server = http.createServer(bounds);
// What is cut silently is passed on without; the size is limited anyway.
server.maxHeadersCount = 0;
const meet = (request: IncomingMessage, response: ServerResponse, expects = false, head: Buffer | null = null): void =>
  new Exchange({ request, response, expects, head }, hall).begin();
server.on('request', (request, response) => meet(request, response));
server.on('checkContinue', (request, response) => meet(request, response, true));
server.on('upgrade', (request, socket: Socket, head) => {
  const response = new http.ServerResponse(request);
  response.assignSocket(socket);
  // The server has let go of it.
  socket.on('error', () => socket.destroy());
  response.once('finish', () => socket.end());
  if (!hasBody(request)) return meet(request, response, false, head);
  response.writeHead(501, { connection: 'close' }).end('501 Not Implemented: no upgrade of a request with a body\n');
});
server.on('error', (error) => tell({ type: 'failed', code: errorCode(error), reason: error.message }));
server.on('listening', () => tell({ type: 'listening', address: server.address() as AddressInfo }));
server.listen({
  port: listen.port,
  ...(listen.host !== '' && { host: listen.host }),
  reusePort: listen.isShared,
  backlog: 4096,
});

port.on('message', (order: Order) => {
  if (order.type === 'cut') return lanes.cut(order.place);
  if (order.type === 'close') return close();
  lanes.retire();
  gate.open();
});

/**
 * Takes no more connections, and ends when the open requests have: whoever is on a kept connection is told to come back
 * on another one, who says nothing for a while is not waited for.
 */
function close(): void {
  hall.isClosing = true;
  // Here, between two looks for connections, as few as can be are between the last that was taken and the end. And
  // not by the server's own `close`, which ends what is idle at once.
  setImmediate(() => {
    NetServer.prototype.close.call(server, () => port?.close());
    setTimeout(() => server.closeIdleConnections(), politeness).unref();
  });
}
