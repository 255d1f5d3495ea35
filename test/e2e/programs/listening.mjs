// Answers with the version in its folder on the socket that it was handed.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';

const version = readFileSync('version', 'utf8').trim();
const tell = (what) => appendFileSync(process.env.JOURNAL, `${what} ${process.pid} ${version}\n`);

const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  response.end(`${version}\n`);
});
server.listen({ fd: 3 }, () => tell('start'));
process.on('SIGTERM', () => {
  tell('stop');
  // Who has connected a moment ago is still to ask: the close of node:http would end what is idle.
  net.Server.prototype.close.call(server, () => process.exit(0));
});
