import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AppStatus } from '../../src/control/status.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { temporaryFolder } from '../control/fake-source.ts';

/** A request that the stand-in leaves open until the test answers it. */
export interface Asked {
  /** `shop/check`, or `detach`. */
  readonly what: string;
  readonly body: unknown;
  answer(status: number, body: object): void;
}

/** In the place of a running Huddle: a real server on its socket, whose every answer is the test's. */
export class StandIn {
  readonly folder: string;
  readonly apps: AppStatus[];
  readonly history: object[] = [];
  readonly asked: Asked[] = [];
  readonly #server = createServer((request, response) => void this.#respond(request, response));
  readonly #streams = new Set<ServerResponse>();

  static async start(t: TestContext, ...apps: readonly AppStatus[]): Promise<StandIn> {
    const one = new StandIn(temporaryFolder(t), apps);
    mkdirSync(join(one.folder, '.huddle'));
    t.after(() => one.die());
    await new Promise<void>((resolve) => one.#server.listen(statePaths(one.folder).socket, resolve));
    return one;
  }

  private constructor(folder: string, apps: readonly AppStatus[]) {
    this.folder = folder;
    this.apps = [...apps];
  }

  /** The next request that wants something done. */
  async next(what: string): Promise<Asked> {
    for (const deadline = Date.now() + 20_000; ;) {
      const found = this.asked.find((each) => each.what === what);
      if (found) {
        this.asked.splice(this.asked.indexOf(found), 1);
        return found;
      }
      if (Date.now() > deadline) throw new Error(`nobody asks for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Whether somebody follows the events. */
  get isFollowed(): boolean {
    return this.#streams.size > 0;
  }

  tell(app: AppStatus): void {
    for (const stream of this.#streams) stream.write(frame('app', app));
  }

  /** Ends the events, as a Huddle does that leaves. */
  leave(): void {
    for (const stream of this.#streams) stream.end();
    this.#server.close();
  }

  /** Ends as a Huddle does that is killed: in the middle of everything. */
  die(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const path = decodeURIComponent(request.url ?? '');
    if (path === '/api/events') this.#follow(response);
    else if (path === '/api/apps') json(response, 200, { apps: this.apps });
    else if (path.includes('/history')) json(response, 200, { history: this.history, asked: path });
    else this.#ask(path, request.method, JSON.parse(Buffer.concat(chunks).toString()), response);
  }

  #follow(response: ServerResponse): void {
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(this.apps.map((app) => frame('app', app)).join('') + frame('ready', {}));
  }

  #ask(path: string, method: string | undefined, body: unknown, response: ServerResponse): void {
    const what = method === 'POST' ? path.replace(/^\/api\/(apps\/)?/, '') : `${method} ${path}`;
    this.asked.push({ what, body, answer: (status, answer) => json(response, status, answer) });
  }
}

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
