// Answers with the version in its working copy; 500 while a file `sick` is beside the journal. `PORT`, `JOURNAL`: environment.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const version = readFileSync('version', 'utf8').trim();
const journal = process.env.JOURNAL;
const tell = (what) => appendFileSync(journal, `${what} ${process.pid} ${version}\n`);

const server = createServer((request, response) => {
  response.statusCode = existsSync(`${journal}.sick`) ? 500 : 200;
  response.end(`version ${version}\n`);
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => tell('start'));
process.on('SIGTERM', () => {
  tell('stop');
  process.exit(0);
});
