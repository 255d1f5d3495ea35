import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// The other side of the proxy's measurements, as processes that can be given a core of their own:
// `node proxy-load.ts program NAME` serves and prints its port, `node proxy-load.ts load JSON` asks and prints a `Load`.

/** What is to be asked. */
export interface Asking {
  readonly port: number;
  readonly seconds: number;
  /** How many ask at the same time, each one thing after the other. */
  readonly clients: number;
  /** A connection for each request. */
  readonly anew: boolean;
  /** Requests a second of all of them; 0: as fast as they go. */
  readonly rate: number;
}

/** What came of it. */
export interface Load {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Of a request, by percentile; milliseconds. */
  readonly latency: Readonly<Record<'p50' | 'p99' | 'p999', number>>;
}

const answer = 'hello world';

/** As trivial as can be; it drains politely when it is to end. */
function program(name: string): void {
  const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.stdout.write(`${typeof address === 'object' ? address?.port : ''} ${name}\n`);
  });
  process.once('SIGTERM', () => server.close());
}

async function load(asking: Asking): Promise<Load> {
  const { seconds, clients, rate } = asking;
  const taken: number[] = [];
  const run = { failed: 0, from: performance.now() };
  const until = run.from + seconds * 1000;
  const pace = rate === 0 ? 0 : (clients / rate) * 1000;
  const client = async (index: number): Promise<void> => {
    let next = run.from + (pace * index) / clients;
    const line = new Line(asking);
    while (performance.now() < until) {
      if (next > performance.now()) await sleep(next - performance.now());
      next += pace;
      const from = performance.now();
      if (await line.ask()) taken.push(performance.now() - from);
      else run.failed += 1;
    }
    line.close();
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  const sorted = taken.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  const latency = { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
  const requests = taken.length + run.failed;
  return { requests, failed: run.failed, perSecond: taken.length / ((performance.now() - run.from) / 1000), latency };
}

/** A connection that is kept, or made anew for each request, with as little of HTTP as the answer needs. */
class Line {
  readonly #asking: Asking;
  #socket: ReturnType<typeof connect> | null = null;
  #text = '';
  #done: (isWhole: boolean) => void = () => undefined;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** Whether the whole answer came. */
  ask(): Promise<boolean> {
    const { anew } = this.#asking;
    const socket = this.#socket ?? this.#open();
    this.#text = '';
    socket.write(`GET / HTTP/1.1\r\nHost: shop.example\r\n${anew ? 'Connection: close\r\n' : ''}\r\n`);
    return new Promise((resolve) => (this.#done = resolve));
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #open(): ReturnType<typeof connect> {
    const { port, anew } = this.#asking;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    const end = (isWhole: boolean): void => {
      if (this.#socket !== socket) return;
      if (anew || !isWhole) this.close();
      this.#done(isWhole);
    };
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#text += chunk;
      // Node ends what has no length by chunks, the others by the length.
      if (this.#text.includes(answer)) end(this.#text.startsWith('HTTP/1.1 200'));
    });
    socket.once('error', () => end(false)).once('close', () => end(false));
    return socket;
  }
}

const [, , role, argument = ''] = process.argv;
if (role === 'program') program(argument);
if (role === 'load') process.stdout.write(JSON.stringify(await load(JSON.parse(argument) as Asking)));
