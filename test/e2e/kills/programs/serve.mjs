// Serves its version on the socket that it was handed, or on PORT, and keeps a journal of its own: its start, who of its
// kind was alive then, being asked to end, its end. Crashes at once when its version says so.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';

const { JOURNAL, PORT, EDITION, LISTEN_FDS } = process.env;
const version = readFileSync('version', 'utf8').trim() + (EDITION ?? '');
const tell = (what) => appendFileSync(JOURNAL, `${what} ${process.pid} ${version} ${Date.now()}\n`);

// First told, then looked: of two that start at once, one at least sees the other.
tell('start');
for (const [, pid] of readFileSync(JOURNAL, 'utf8').matchAll(/^start (\d+) /gm)) {
  if (Number(pid) !== process.pid && environmentOf(pid).includes(JOURNAL)) tell(`beside-${pid}`);
}
process.on('exit', () => tell('end'));
process.on('SIGTERM', () => {
  tell('asked');
  // Who has connected a moment ago is still to ask: the close of node:http would end what is idle.
  net.Server.prototype.close.call(server, () => process.exit(0));
});
if (version.startsWith('crash')) process.exit(1);

const server = createServer((_request, response) => {
  response.setHeader('connection', 'close').end(`${version} ${process.pid}\n`);
});
server.on('error', () => {
  tell('clash');
  process.exit(1);
});
server.listen(LISTEN_FDS === undefined ? { port: Number(PORT), host: '127.0.0.1' } : { fd: 3 });

function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
