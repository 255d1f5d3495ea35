import { createServer } from 'node:http';
import { greeting } from './greeting.mjs';

const server = createServer((request, response) => response.end(`${greeting} from ${process.env.HUDDLE_RELEASE}\n`));
// The release's own port, which nobody but the front needs to know.
server.listen(Number(process.env.HUDDLE_PORT), '127.0.0.1');

// By then the front sends nothing new; what is being answered is answered to its end.
process.on('SIGTERM', () => server.close());
