// Answers with the version in its folder on the port that is its release's own; one that is `bad` does not stay up.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const version = readFileSync('version', 'utf8').trim();
const tell = (what) => appendFileSync(process.env.JOURNAL, `${what} ${process.pid} ${version}\n`);
if (version.startsWith('bad')) {
  tell('fail');
  process.exit(1);
}

const { HUDDLE_RELEASE: release, HUDDLE_PORT: port } = process.env;
const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  response.end(`${version} ${release} ${process.cwd()}\n`);
});
server.listen(Number(port), '127.0.0.1', () => tell('start'));
process.on('SIGTERM', () => {
  tell('stop');
  // Who has read its port a moment ago is still to be answered.
  setTimeout(() => server.close(() => process.exit(0)), 500);
});
