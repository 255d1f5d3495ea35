import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asking, Load } from '../visitors.ts';

// The clients of a measurement, as a process of their own: `node visitors.ts ASKING`, which is JSON. Each line of its
// input names the window in which all that is asked from then on is counted; when the input ends it prints what was
// counted in each.

const asking = JSON.parse(process.argv[2] ?? '') as Asking;

/** Nobody waits longer; milliseconds. */
const patience = 10_000;

/** With as little of HTTP as the answer needs, so that what asks costs little beside what answers. */
const request = `GET / HTTP/1.1\r\nHost: shop.example\r\n${asking.anew ? 'Connection: close\r\n' : ''}\r\n`;

/** What was counted while it was the one in force. */
class Window {
  readonly #taken: number[] = [];
  readonly #failures = new Map<string, number>();
  readonly #hiccups: number[] = [];
  #since = 0;
  #milliseconds = 0;

  open(): void {
    this.#since = performance.now();
  }

  close(): void {
    this.#milliseconds += performance.now() - this.#since;
  }

  late(milliseconds: number): void {
    this.#hiccups.push(milliseconds);
  }

  count(failure: string | null, milliseconds: number): void {
    if (failure === null) this.#taken.push(milliseconds);
    else this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
  }

  toJSON(): Load {
    const at = percentiles(this.#taken);
    const failed = [...this.#failures.values()].reduce((sum, count) => sum + count, 0);
    return {
      requests: this.#taken.length + failed,
      failed,
      failures: Object.fromEntries(this.#failures),
      perSecond: this.#taken.length / (this.#milliseconds / 1000),
      latency: { p50: at(0.5), p99: at(0.99), p999: at(0.999) },
      hiccup: percentiles(this.#hiccups)(0.999),
    };
  }
}

function percentiles(values: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(values).toSorted();
  return (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** A connection that is kept, or made anew for each request. */
class Client {
  #socket: Socket | null = null;
  #text = '';
  #done: (failure: string | null) => void = () => undefined;

  /** null, or why there is no whole answer. */
  async ask(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const [counted, from] = [window, performance.now()];
    this.#done = resolve;
    this.#text = '';
    (this.#socket ?? this.#open()).write(request);
    const failure = await promise;
    counted.count(failure, performance.now() - from);
    // Whoever is refused is so at once: it is not to be asked a hundred thousand times a second.
    if (failure !== null) await sleep(10);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #open(): Socket {
    const socket = connect({ port: asking.port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    const end = (failure: string | null): void => {
      if (this.#socket !== socket) return;
      if (asking.anew || failure !== null) this.close();
      this.#done(failure);
    };
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#text += chunk;
      if (isWhole(this.#text)) end(this.#text.startsWith('HTTP/1.1 200') ? null : `status ${this.#text.slice(9, 12)}`);
    });
    let isConnected = false;
    socket.once('connect', () => (isConnected = true));
    const where = (): string => (!isConnected ? 'connecting' : this.#text === '' ? 'no answer' : 'half an answer');
    socket.setTimeout(patience, () => end(`${where()} for ${patience / 1000} s`));
    socket.once('error', (error: NodeJS.ErrnoException) => end(`${where()}: ${error.code ?? error.message}`));
    return socket.once('close', () => end(`${where()}: closed`));
  }
}

/** By its length, or by the last of its chunks. */
function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length);
}

const windows = new Map<string, Window>();
let window = entered('');
const over = new AbortController();

function entered(name: string): Window {
  const next = windows.get(name) ?? new Window();
  windows.set(name, next);
  next.open();
  return next;
}

/** Each one thing after the other. */
async function asFastAsItGoes(): Promise<void> {
  const client = new Client();
  while (!over.signal.aborted) await client.ask();
  client.close();
}

/** Each at its time, however long those before it take. */
async function atRate(rate: number): Promise<void> {
  const open = new Set<Promise<void>>();
  for (let next = performance.now(); !over.signal.aborted; next += 1000 / rate) {
    const early = next - performance.now();
    if (early > 0) await sleep(early);
    const asked = new Client().ask().then(() => void open.delete(asked));
    open.add(asked);
  }
  await Promise.all(open);
}

createInterface({ input: process.stdin })
  .on('line', (name) => {
    window.close();
    window = entered(name);
  })
  .once('close', () => over.abort());

// That all waits for the clients themselves is to be told apart from slow answers.
let tick = performance.now();
const ticking = setInterval(() => {
  const before = tick;
  tick = performance.now();
  window.late(Math.max(0, tick - before - 1));
}, 1);

const { rate, clients } = asking;
await (rate > 0 ? atRate(rate) : Promise.all(Array.from({ length: clients }, () => asFastAsItGoes())));
clearInterval(ticking);
window.close();
process.stdout.write(JSON.stringify(Object.fromEntries(windows)));
