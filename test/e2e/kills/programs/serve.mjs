// Serves its version on PORT, and keeps a journal of its own: its start, who of its kind was alive then, being asked to
// end, its end. Crashes at once when its version says so.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const { JOURNAL, PORT } = process.env;
const version = readFileSync('version', 'utf8').trim();
const tell = (what) => appendFileSync(JOURNAL, `${what} ${process.pid} ${version} ${Date.now()}\n`);

// First told, then looked: of two that start at once, one at least sees the other.
tell('start');
for (const [, pid] of readFileSync(JOURNAL, 'utf8').matchAll(/^start (\d+) /gm)) {
  if (Number(pid) !== process.pid && environmentOf(pid).includes(JOURNAL)) tell(`beside-${pid}`);
}
process.on('exit', () => tell('end'));
process.on('SIGTERM', () => {
  tell('asked');
  process.exit(0);
});
if (version.startsWith('crash')) process.exit(1);

const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.end(`${version} ${process.pid}\n`);
});
server.on('error', () => {
  tell('clash');
  process.exit(1);
});
server.listen(Number(PORT), '127.0.0.1');

function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
