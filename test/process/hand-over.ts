import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Application } from '../../machines/config.ts';
import { describeProblem } from '../../src/config/problem.ts';
import { readConfig } from '../../src/config/read.ts';
import { openSockets, type Sockets } from '../../src/process/sockets.ts';
import { type Count, ask, load } from '../e2e/load.ts';
import { endByForce } from '../../src/process/end.ts';
import { endGently } from '../../src/process/stop.ts';
import { newMark } from '../../src/process/mark.ts';
import { never, type Started, Workshop } from './workshop.ts';

// Hands a socket from one release to the next while requests come in, and counts what became of them.

export const servers = join(import.meta.dirname, '../../examples/servers');

/** Debian's own programs first, as a Python of a version manager lacks Debian's packages; but this Node. */
export const path = `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/bin`;

/** A server out of examples/servers, on a socket of its own. */
export class Server {
  readonly workshop: Workshop;
  readonly sockets: Sockets;
  readonly port: number;
  readonly #application: Pick<Application, 'start' | 'stopSignal'>;
  readonly #answers = new Set<string>();
  readonly #context: TestContext;

  private constructor(
    context: TestContext,
    workshop: Workshop,
    sockets: Sockets,
    port: number,
    application: Pick<Application, 'start' | 'stopSignal'>,
  ) {
    this.#context = context;
    this.workshop = workshop;
    this.sockets = sockets;
    this.port = port;
    this.#application = application;
  }

  static async open(context: TestContext, name: string, port: number): Promise<Server> {
    const workshop = new Workshop(context);
    cpSync(join(servers, 'app'), workshop.copy, { recursive: true });
    const { start, stopSignal, listen } = await configOf(name);
    const nginx = join(workshop.copy, 'nginx.conf');
    writeFileSync(nginx, readFileSync(nginx, 'utf8').replace('127.0.0.1:8087', `127.0.0.1:${port}`));
    const sockets = await openSockets({
      listen: listen.map((address) => (address.kind === 'tcp' ? { ...address, port } : address)),
      folder: workshop.folder,
      mark: newMark(workshop.hash, 'shop'),
      owner: null,
      open: null,
    });
    context.after(() => sockets.close());
    return new Server(context, workshop, sockets, port, { start, stopSignal });
  }

  /** Starts a release; resolves when it has answered. */
  async start(revision: string, sockets = this.sockets): Promise<Started> {
    const environment = { PATH: path };
    const started = this.workshop.start({ ...this.#application, environment }, { revision, sockets });
    // Not left to the workshop: nginx writes over the environment by which that finds what it has started.
    this.#context.after(() => endByForce(started.alive, never));
    const deadline = Date.now() + 30_000;
    for (;;) {
      const answer = await ask(this.port);
      if (!this.#answers.has(answer)) {
        this.#answers.add(answer);
        return started;
      }
      if (Date.now() > deadline) throw new Error(`${revision} does not answer; ${this.workshop.output()}`);
      await sleep(5);
    }
  }

  async stop({ alive }: Started): Promise<void> {
    const { stopSignal } = this.#application;
    await endGently(
      alive,
      { signal: stopSignal, command: null, warn: () => {} },
      AbortSignal.any([never, AbortSignal.timeout(20_000)]),
    );
  }
}

/**
 * Replaces a server by its next release so many times. What became of the requests of those who connect for each one, and
 * of those who keep their connections.
 */
export async function handOvers(t: TestContext, server: Server, times: number): Promise<readonly Count[]> {
  const revision = (index: number) => index.toString(16).padStart(40, '0');
  let running = await server.start(revision(0));
  const loads = [load(t, server.port, 4), load(t, server.port, 2, true)];
  for (let index = 1; index <= times; index++) {
    const next = await server.start(revision(index));
    await server.stop(running);
    running = next;
  }
  while (loads.some(({ count }) => count.requests < 20)) await sleep(5);
  return await Promise.all(loads.map((each) => each.end()));
}

async function configOf(name: string): Promise<Application> {
  const path = join(servers, `${name}.json`);
  const { config, problems } = await readConfig({ path, content: readFileSync(path) }, { folder: servers, home: '/' });
  if (config === null) throw new Error(problems.map(describeProblem).join('\n'));
  return config.application;
}
