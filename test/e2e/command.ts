import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Not by `import`: see `src/control/client.ts`. */
const { request } = process.getBuiltinModule('node:http');

/** `status --json`, as the contract words it: written down apart from the source, so that a change there is seen here. */
export interface AppStatus {
  readonly name: string;
  readonly state: string;
  readonly paused: boolean;
  readonly pinned: boolean;
  readonly branch: string | null;
  readonly revision: string | null;
  readonly previous: string | null;
  readonly rejected: readonly string[];
  readonly program: {
    readonly state: string;
    readonly pid: number | null;
    readonly since: string | null;
    readonly restarts: number;
    readonly adopted: boolean;
  } | null;
  readonly health: 'healthy' | 'unhealthy' | 'unknown';
  readonly nextCheck: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

export interface Deployment {
  readonly name: string;
  readonly at: string;
  readonly revision: string;
  readonly from: string | null;
  readonly result: string;
  readonly reason: string;
  readonly seconds: number;
  readonly downtime: number | null;
}

/** Only to fail: nothing that works comes near it. */
const deadline = 30_000;

const command = join(import.meta.dirname, '../../src/huddle.cjs');

/** The environment of the tests less what changes how Node, git or consola behave in the command. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_TEST_CONTEXT|NODE_ENV|NODE_OPTIONS|TEST|CI|GIT_.*|npm_.*|HUDDLE_.*|XDG_.*|SSH_.*)$/.test(name),
  );
  return Object.fromEntries(kept);
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command, once: runs to its end. */
export async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return await new Command(args, env).ended;
}

class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, through: readonly string[] = []) {
    const [file = '', ...rest] = [...through, process.execPath, command, ...args];
    this.child = spawn(file, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      // 'exit', not 'close': programs that outlive Huddle must not hold its pipes, but if they did, this would not hang.
      this.child.on('exit', (code, signal) => {
        setImmediate(() => resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }));
      });
    });
  }
}

/** A running `huddle -c DIR`, seen as its users see it: its log, its signals, its control socket. */
export class Huddle {
  /** Every status that an event has told since the start, in order. */
  readonly seen: AppStatus[] = [];
  readonly deployments: Deployment[] = [];
  readonly dir: string;
  readonly #command: Command;
  readonly #socket: string;
  #over = false;
  #changed = Promise.withResolvers<void>();

  constructor(dir: string, args: readonly string[], env: NodeJS.ProcessEnv, through: readonly string[] = []) {
    this.dir = dir;
    this.#socket = join(dir, '.huddle/huddle.sock');
    this.#command = new Command(['-c', dir, ...args], env, through);
    this.#command.child.on('exit', () => {
      this.#over = true;
      this.#wake();
    });
    void this.#listen();
  }

  get pid(): number {
    const { pid } = this.#command.child;
    assert.ok(pid !== undefined, 'the command could not be spawned');
    return pid;
  }

  /** What it has written to stderr so far. */
  get log(): string {
    return this.#command.stderr;
  }

  get ended(): Promise<Ended> {
    return this.#command.ended;
  }

  /** The names of the states that an app has gone through, repeats left out. */
  states(name: string): string[] {
    const states = this.seen.filter((status) => status.name === name).map(({ state }) => state);
    return states.filter((state, index) => state !== states[index - 1]);
  }

  async status(): Promise<AppStatus[]> {
    const text = await get(this.#socket, '/api/apps');
    return (JSON.parse(text) as { apps: AppStatus[] }).apps;
  }

  async app(name: string): Promise<AppStatus> {
    const found = (await this.status()).find((status) => status.name === name);
    assert.ok(found !== undefined, `no app ${name}\n${this.log}`);
    return found;
  }

  /** Waits until an app's status, now or as an event tells it from now on, is what is wanted. */
  async until(name: string, wanted: (status: AppStatus) => boolean, what: string): Promise<AppStatus> {
    const fits = (status: AppStatus) => status.name === name && wanted(status);
    let looked = this.seen.length;
    return await this.#eventually(`${name}: ${what}`, async () => {
      const told = this.seen.slice(looked);
      looked += told.length;
      // Who has just been told need not ask.
      return told.length > 0 ? told.find(fits) : (await this.status()).find(fits);
    });
  }

  /** Waits until an app runs at a revision, its program up where it has one. */
  async live(name: string, revision: string): Promise<AppStatus> {
    const idle = (status: AppStatus) => status.program === null || ['up', 'down'].includes(status.program.state);
    return await this.until(
      name,
      (status) => status.state === 'running' && status.revision === revision && idle(status),
      `running at ${revision}`,
    );
  }

  /** Waits until no app of this name is listed. */
  async gone(name: string): Promise<void> {
    await this.#eventually(`${name}: gone`, async () =>
      (await this.status()).every((status) => status.name !== name) ? true : undefined,
    );
  }

  /** Waits for the end of a deployment, or takes the one that has been told already. */
  async deployment(name: string, wanted: (deployment: Deployment) => boolean): Promise<Deployment> {
    return await this.#eventually(`${name}: a deployment`, () =>
      Promise.resolve(this.deployments.find((each) => each.name === name && wanted(each))),
    );
  }

  /** Waits until Huddle's log has a line. */
  async logged(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#eventually(`a log line ${pattern}`, () => Promise.resolve(pattern.exec(this.log) ?? undefined));
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Asks every remote now. */
  check(): void {
    this.signal('SIGHUP');
  }

  /** The gentle end; it must be a clean one. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const ended = await Promise.race([this.ended, sleep(deadline, undefined, { ref: false })]);
    assert.ok(ended !== undefined, `Huddle does not end after SIGTERM\n${this.log}`);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, this.log);
  }

  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  async #eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const end = Date.now() + deadline;
    for (;;) {
      const changed = this.#changed.promise;
      const found = await look().catch((error: NodeJS.ErrnoException) => {
        if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) throw error;
      });
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`Huddle ended before ${what}\n${this.log}`);
      if (Date.now() > end) {
        throw new Error(`not within ${deadline / 1000} s: ${what}\n${await this.#lastWords()}\n${this.log}`);
      }
      await Promise.race([changed, sleep(200)]);
    }
  }

  async #lastWords(): Promise<string> {
    return await this.status().then(
      (apps) => apps.map((app) => JSON.stringify(app)).join('\n'),
      (error: unknown) => `no status: ${String(error)}`,
    );
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Follows the events for as long as Huddle lives, connecting anew when the stream breaks. */
  async #listen(): Promise<void> {
    while (!this.#over) {
      if (existsSync(this.#socket)) await this.#stream().catch(() => undefined);
      await sleep(10);
    }
  }

  async #stream(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let rest = '';
    const asked = request({ socketPath: this.#socket, path: '/api/events', agent: false }, (response) => {
      this.#wake();
      response.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n\n');
        rest = parts.pop() ?? '';
        for (const part of parts) this.#take(part);
      });
      response.on('end', resolve).on('error', reject);
    });
    asked.on('error', reject).end();
    await promise;
  }

  #take(part: string): void {
    const field = (name: string) =>
      part
        .split('\n')
        .filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).trimStart())
        .join('\n');
    const event = field('event');
    if (event === 'app') this.seen.push(JSON.parse(field('data')) as AppStatus);
    if (event === 'deployment') this.deployments.push(JSON.parse(field('data')) as Deployment);
    this.#wake();
  }
}

async function get(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({ socketPath, path, agent: false }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => (body += text));
    response.on('error', reject).on('end', () => {
      if (response.statusCode === 200) resolve(body);
      else reject(new Error(`${path}: ${response.statusCode} ${body}`));
    });
  });
  asked.on('error', reject).end();
  return await promise;
}
