import { type AddressInfo, connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../machines/failure.ts';
import { refusal } from '../ledger/paths.ts';
import { ownFile } from '../platform/own-file.ts';
import { Board } from './board.ts';
import type { ProxySettings } from './settings.ts';

/** What a worker is told. */
export type Order =
  /** Another release is in charge, or none. */
  | { readonly type: 'pointed' }
  | { readonly type: 'cut'; readonly place: number }
  /** Take no more connections, and end when the open requests have. */
  | { readonly type: 'close' };

/** What it says. */
export type Report =
  | { readonly type: 'listening'; readonly address: AddressInfo }
  | { readonly type: 'failed'; readonly code: string; readonly reason: string }
  /** The last of its requests at an old release has ended. */
  | { readonly type: 'left' };

/** What it is made with. */
export interface WorkerData {
  readonly memory: SharedArrayBuffer;
  readonly worker: number;
  /** How many requests may wait in it. */
  readonly room: number;
  /** How long each may; milliseconds. */
  readonly patience: number;
  readonly listen: { readonly host: string; readonly port: number; readonly isShared: boolean };
}

/**
 * What lives no longer than a request is swept as soon as there are so many megabytes of it: with Node's own 32 a busy
 * thread takes 60 MB more, and is no faster.
 */
const young = 4;

/** A thread is worth its memory (about 15 MB) as long as the program behind the proxy has cores left. */
const most = 4;

/** Before a thread that has died is replaced; milliseconds. */
const respite = 1000;

/** SO_REUSEPORT that spreads connections: elsewhere Node refuses it, and one thread serves. */
const isShared = ['linux', 'freebsd', 'sunos', 'aix'].includes(process.platform);

/**
 * The threads that serve. Each has a listening socket of its own at one address (SO_REUSEPORT), over which the kernel
 * spreads the connections: nothing is handed around. They are threads and not processes so that they can share
 * `Board`; it also takes a third of the memory.
 */
export class Crew {
  readonly board: Board;
  readonly #settings: ProxySettings;
  readonly #log: (line: string) => void;
  readonly #workers: (Worker | null)[];
  /** Called when the last request of a worker at an old release has ended. */
  onLeft: () => void = () => undefined;
  #address: AddressInfo | null = null;
  #isClosing = false;

  constructor(settings: ProxySettings, log: (line: string) => void) {
    const count = isShared ? (settings.workers ?? Math.min(availableParallelism(), most)) : 1;
    this.#settings = settings;
    this.#log = log;
    this.#workers = Array.from({ length: count }, () => null);
    this.board = new Board(count);
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Where clients come in, once they do. */
  get address(): AddressInfo | null {
    return this.#address;
  }

  /** Resolves when every worker takes connections. Rejects with a `Failure` where the address is not to be had. */
  async open(): Promise<void> {
    // The first one tells which port it is.
    for (const index of this.#workers.keys()) if (!this.#isClosing) await this.#hire(index);
  }

  tell(order: Order): void {
    for (const worker of this.#alive) worker.postMessage(order, []);
  }

  /** Takes no more connections. Resolves when the last open request has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const ends = this.#alive.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    this.tell({ type: 'close' });
    await Promise.all(ends);
  }

  /** Ends all of them at once. */
  async kill(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#alive.map((worker) => worker.terminate()));
  }

  get #alive(): Worker[] {
    return this.#workers.filter((worker) => worker !== null);
  }

  async #hire(index: number): Promise<void> {
    const {
      listen: { host, port },
      patience = 30,
      room = 2048,
    } = this.#settings;
    const waiting = { room: Math.ceil(room / this.size), patience: patience * 1000 };
    const listen = { host, port: this.#address?.port ?? port, isShared };
    const data: WorkerData = { memory: this.board.memory, worker: index, ...waiting, listen };
    const worker = new Worker(ownFile('proxy/worker'), {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: young },
    });
    this.#workers[index] = worker;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.on('message', (report: Report) => {
      if (report.type === 'left') return this.onLeft();
      if (report.type === 'failed') return reject(cannotListen(listen, report));
      this.#address = report.address;
      resolve();
    });
    worker.once('error', (error) => {
      this.#log(`a thread has died: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      reject(error);
    });
    worker.once('exit', () => this.#lost(index));
    try {
      await promise;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  #lost(index: number): void {
    this.#workers[index] = null;
    this.board.forget(index);
    this.onLeft();
    // One that never began to serve is the affair of whoever has waited for that.
    if (this.#isClosing || this.#address === null) return;
    setTimeout(() => this.#replace(index), respite);
  }

  #replace(index: number): void {
    if (this.#isClosing) return;
    this.#hire(index).catch((error: unknown) => this.#log(error instanceof Error ? error.message : String(error)));
  }
}

function cannotListen(
  { host, port }: WorkerData['listen'],
  { code, reason }: { code: string; reason: string },
): Failure {
  const subject = addressOf(host, port);
  if (code === 'EADDRINUSE') return occupied(host, port);
  const hints: Readonly<Record<string, string>> = {
    EACCES: 'Ports below 1024 need root, CAP_NET_BIND_SERVICE or a lower net.ipv4.ip_unprivileged_port_start.',
    EADDRNOTAVAIL: 'This machine has no such address: see application.proxy.',
    ENOTFOUND: 'This machine has no such name: see application.proxy.',
  };
  const known = hints[code] === undefined ? reason : refusal(Object.assign(new Error(reason), { code }));
  const parts = { doing: 'listening on', subject, reason: known, hint: hints[code] ?? '' };
  return new Failure(code === 'EACCES' ? 'permission-denied' : 'internal', parts);
}

/** Of an address where somebody else listens. */
export function occupied(host: string, port: number): Failure {
  return new Failure('path-occupied', {
    doing: 'listening on',
    subject: addressOf(host, port),
    reason: 'somebody listens there already',
    hint: 'End it, or name another address in application.proxy; if it is the program of this app, stop and start the app.',
  });
}

const addressOf = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host || '*'}:${port}`;

/** Whether somebody takes connections at an address: a shared socket would take its clients away without a word. */
export function isTaken({ host, port }: ProxySettings['listen']): Promise<boolean> {
  if (port === 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect({ port, host: ['', '0.0.0.0', '::'].includes(host) ? 'localhost' : host });
    const tell = (isThere: boolean) => (): void => {
      probe.destroy();
      resolve(isThere);
    };
    probe.once('connect', tell(true)).once('error', tell(false));
  });
}
