import { createServer } from 'node:http';
import net from 'node:net';

const revision = process.env.HUDDLE_REVISION;
let isLeaving = false;

const server = createServer((request, response) => {
  // Whoever keeps a connection is asked to open another one, which the next release will take.
  if (isLeaving) response.setHeader('connection', 'close');
  response.end(`${revision}\n`);
});

// The first of the sockets that Huddle hands over.
server.listen({ fd: 3 });

process.once('SIGTERM', () => {
  isLeaving = true;
  // Takes no more connections. The close of node:http would also end the idle ones at once, on which a request may be on its way.
  net.Server.prototype.close.call(server);
  setTimeout(() => server.closeIdleConnections(), 2000);
});
