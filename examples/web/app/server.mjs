import { createServer } from 'node:http';
import { greeting } from './greeting.mjs';

const server = createServer((request, response) => {
  response.end(request.url === '/health' ? 'fine\n' : `${greeting(process.env.HUDDLE_APP)}\n`);
});
server.listen(Number(process.env.PORT), '127.0.0.1');

// What is being answered is answered to its end, then the process ends by itself.
process.on('SIGTERM', () => server.close());
