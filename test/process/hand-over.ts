import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Application } from '../../machines/config.ts';
import { describeProblem } from '../../src/config/problem.ts';
import { readConfig } from '../../src/config/read.ts';
import { openSockets, type Sockets } from '../../src/process/sockets.ts';
import { endGently } from '../../src/process/stop.ts';
import { newMark } from '../../src/process/mark.ts';
import { never, type Started, Workshop } from './workshop.ts';

// Hands a socket from one release to the next while requests come in, and counts what became of them.

export const servers = join(import.meta.dirname, '../../examples/servers');

/** Debian's own programs first, as a Python of a version manager lacks Debian's packages; but this Node. */
export const path = `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/bin`;

/** What became of the requests of one kind of client. */
export interface Count {
  requests: number;
  readonly failed: string[];
}

/** A server out of examples/servers, on a socket of its own. */
export class Server {
  readonly workshop: Workshop;
  readonly sockets: Sockets;
  readonly port: number;
  readonly #application: Pick<Application, 'start' | 'stopSignal'>;

  private constructor(
    workshop: Workshop,
    sockets: Sockets,
    port: number,
    application: Pick<Application, 'start' | 'stopSignal'>,
  ) {
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
    return new Server(workshop, sockets, port, { start, stopSignal });
  }

  /** Starts a release; resolves when it has answered. */
  async start(revision: string, sockets = this.sockets): Promise<Started> {
    const before = new Set(this.answers);
    const environment = { PATH: path };
    const started = this.workshop.start({ ...this.#application, environment }, { revision, sockets });
    const deadline = Date.now() + 30_000;
    for (let answer = ''; answer === '' || before.has(answer); answer = await this.ask()) {
      if (Date.now() > deadline) throw new Error(`${revision} does not answer; ${this.workshop.output()}`);
      await sleep(5);
    }
    return started;
  }

  async stop({ alive }: Started): Promise<void> {
    const { stopSignal } = this.#application;
    await endGently(
      alive,
      { signal: stopSignal, command: null, warn: () => {} },
      AbortSignal.any([never, AbortSignal.timeout(20_000)]),
    );
  }

  readonly answers = new Set<string>();

  async ask(agent: Agent | false = false): Promise<string> {
    const answer = await request(this.port, agent);
    this.answers.add(answer);
    return answer;
  }

  /** Clients that ask without a pause, each over a connection for each request or over one that it keeps, until aborted. */
  async load(clients: number, isKept: boolean, abort: AbortSignal): Promise<Count> {
    const count: Count = { requests: 0, failed: [] };
    const one = async () => {
      const agent = isKept ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
      while (!abort.aborted) {
        count.requests += 1;
        await this.ask(agent).catch((error: NodeJS.ErrnoException) => count.failed.push(error.code ?? error.message));
      }
      if (agent !== false) agent.destroy();
    };
    await Promise.all(Array.from({ length: clients }, one));
    return count;
  }
}

/**
 * Replaces a server by its next release so many times. What became of the requests of those who connect for each one, and
 * of those who keep their connections.
 */
export async function handOvers(server: Server, times: number): Promise<readonly [fresh: Count, kept: Count]> {
  const revision = (index: number) => index.toString(16).padStart(40, '0');
  let running = await server.start(revision(0));
  const enough = new AbortController();
  const loads = [server.load(4, false, enough.signal), server.load(2, true, enough.signal)] as const;
  for (let index = 1; index <= times; index++) {
    const next = await server.start(revision(index));
    await server.stop(running);
    running = next;
  }
  enough.abort();
  const counts = await Promise.all(loads);
  await server.stop(running);
  return counts;
}

async function configOf(name: string): Promise<Application> {
  const path = join(servers, `${name}.json`);
  const { config, problems } = await readConfig({ path, content: readFileSync(path) }, { folder: servers, home: '/' });
  if (config === null) throw new Error(problems.map(describeProblem).join('\n'));
  return config.application;
}

function request(port: number, agent: Agent | false): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent, signal: AbortSignal.timeout(10_000) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`status ${response.statusCode}`)),
      );
      response.on('error', reject);
    }).on('error', reject);
  });
}
