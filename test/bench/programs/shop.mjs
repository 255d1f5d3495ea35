// Answers with its version: on the socket that it is handed, or on its release's own port, or on PORT. One that is `bad`
// ends before it listens. Where there is a JOURNAL it tells of its starts and stops.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';

const version = readFileSync('version', 'utf8').trim();
if (version.startsWith('bad')) process.exit(1);

const { LISTEN_FDS, HUDDLE_PORT, PORT, JOURNAL } = process.env;
const tell = (what) => JOURNAL && appendFileSync(JOURNAL, `${what} ${process.pid} ${version}\n`);

const server = createServer((request, response) => response.end(`${version}\n`));
const at = LISTEN_FDS ? { fd: 3 } : { port: Number(HUDDLE_PORT ?? PORT), host: '127.0.0.1' };
server.listen(at, () => tell('start'));

process.once('SIGTERM', () => {
  tell('stop');
  const bye = () => process.exit(0);
  // Nothing new comes from a front. On a socket, who has connected a moment ago is still to ask, and the close of
  // node:http would end what is idle.
  if (LISTEN_FDS) net.Server.prototype.close.call(server, bye);
  else server.close(bye);
});
