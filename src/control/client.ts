import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Failure, failureCodes, type FailureParts } from '../../machines/failure.ts';
import { doing as actions, type Order } from '../../machines/protocol.ts';
import type { StatePaths } from '../ledger/paths.ts';
import { shellWord } from '../platform/shell-word.ts';
import type { AppStatus } from './status.ts';

/** A server-sent event of the control API. */
export interface ControlEvent {
  readonly type: string;
  readonly data: unknown;
}

/** Speaks to the running Huddle. */
export interface ControlClient {
  /** The JSON at a path. */
  get(path: string): Promise<unknown>;
  /** Every app's status, by name. */
  apps(): Promise<readonly AppStatus[]>;
  /** Hands on events, in their order, until the signal aborts or Huddle ends the stream; resolves then. */
  events(onEvent: (event: ControlEvent) => void, signal: AbortSignal): Promise<void>;
  /**
   * Has an app do something, and waits until that is done, however long it takes. Rejects with the failure that it
   * ended in, or `not-running` where Huddle ended before.
   */
  act(name: string, action: Action, body?: ActionBody): Promise<Acted>;
  /** Asks Huddle to leave and its programs to run on; resolves with their names when it has agreed. */
  detach(): Promise<readonly string[]>;
}

export type Action = Order['type'];

export interface ActionBody {
  /** Of `check`: only say what would be deployed. */
  readonly dryRun?: boolean;
  /** Of `deploy`; without it the newest. */
  readonly revision?: string;
}

/** What came of an action. */
export interface Acted {
  readonly app: AppStatus;
  /** One line for people. */
  readonly outcome: string;
}

type Whereto = Pick<StatePaths, 'folder' | 'root' | 'socket'>;

/** Huddle answers from memory; who is silent for this long hangs. Milliseconds. */
const patience = 10_000;

/** Three heartbeats of the server; milliseconds. */
const silence = 45_000;

/**
 * A client for the Huddle whose files are there; nothing is opened yet.
 * Every call fails with `not-running` where no Huddle answers, `permission-denied`, `timeout`, or `internal` where the
 * answer makes no sense.
 */
export function controlClient(paths: Whereto): ControlClient {
  const { socket: socketPath, folder } = paths;
  const ask = async (path: string, timeout: number, signal?: AbortSignal): Promise<IncomingMessage> => {
    try {
      const response = await open(socketPath, path, { timeout, ...(signal && { signal }) });
      if (response.statusCode === 200) return response;
      throw answeredWith(await textOf(response), path, response.statusCode);
    } catch (error) {
      throw unreachable(error, paths);
    }
  };
  const get = async (path: string): Promise<unknown> => {
    const response = await ask(path, patience);
    try {
      return JSON.parse(await textOf(response));
    } catch (error) {
      throw unreachable(error, paths);
    }
  };
  /** Huddle may take its time: no timeout. */
  const post = async (path: string, body: object, doing: Doing): Promise<unknown> => {
    try {
      const response = await open(socketPath, path, { body: JSON.stringify(body) });
      const answer = JSON.parse(await textOf(response)) as object;
      if (response.statusCode === 200) return answer;
      throw failedWith(answer, doing);
    } catch (error) {
      throw brokeOff(error) ? endedBefore(doing, paths, error) : unreachable(error, paths);
    }
  };
  return {
    get,
    async apps() {
      const { apps } = (await get('/api/apps')) as { apps: readonly AppStatus[] };
      return apps;
    },
    async events(onEvent, signal) {
      try {
        for await (const event of eventsOf(await ask('/api/events', silence, signal))) onEvent(event);
      } catch (error) {
        if (!signal.aborted && !brokeOff(error)) throw unreachable(error, paths);
      }
    },
    async act(name, action, body = {}) {
      const path = `/api/apps/${encodeURIComponent(name)}/${action}`;
      const doing = { doing: actions[action], subject: name };
      return (await post(path, body, doing)) as Acted;
    },
    async detach() {
      const { apps } = (await post('/api/detach', {}, { doing: 'leaving', subject: folder })) as { apps: string[] };
      return apps;
    },
  };
}

/**
 * Not by `import`: that reads every export of the module, and with `http.WebSocket` loads an HTTP client of which
 * nothing is used here, for 20 ms of the 60 that a command may take.
 */
const { request } = process.getBuiltinModule('node:http');

interface Sending {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** JSON. With one it is a POST. */
  readonly body?: string;
}

function open(socketPath: string, path: string, { body, ...options }: Sending): Promise<IncomingMessage> {
  const method = body === undefined ? 'GET' : 'POST';
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, headers, agent: false, ...options });
    sent.once('timeout', () => sent.destroy(silent));
    sent.once('response', resolve).once('error', reject).end(body);
  });
}

const silent = Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' });

async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as Huddle's own server writes it. */
async function* eventsOf(response: IncomingMessage): AsyncGenerator<ControlEvent> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response) {
    const frames = `${rest}${chunk}`.split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const fields = new Map(frame.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w*: /, '')]));
      const data = fields.get('data');
      if (data !== undefined) yield { type: fields.get('event') ?? 'message', data: JSON.parse(data) };
    }
  }
}

/** What starts the Huddle that is to be spoken to. */
function commandFor({ folder, root }: Whereto): string {
  const state = root === join(folder, '.huddle') ? '' : ` --state ${shellWord(root)}`;
  return `huddle -c ${shellWord(folder)}${state}`;
}

function answeredWith(body: string, path: string, status = 0): Failure {
  const { error } = JSON.parse(body) as { error?: { message: string; hint: string } };
  const { message: reason = `the answer was ${status}`, hint = '' } = error ?? {};
  return new Failure('internal', { doing: 'asking the running Huddle for', subject: path, reason, hint });
}

type Doing = Pick<FailureParts, 'doing' | 'subject'>;

/** What Huddle says of an action that it refused, or that failed; HTTP's own codes (`not-found`) are no failure's. */
function failedWith(answer: object, doing: Doing): Failure {
  const { error } = answer as { error?: { code: string; message: string; hint: string } };
  const { code, message = 'the answer makes no sense', hint = '' } = error ?? {};
  const prefix = `${doing.doing} ${doing.subject}: `;
  const reason = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return new Failure(failureCodes.find((known) => known === code) ?? 'internal', { ...doing, reason, hint });
}

function endedBefore(doing: Doing, paths: Whereto, cause: unknown): Failure {
  const reason = 'Huddle ended before that was done';
  const hint = `What a Huddle that was killed leaves runs on, and the next one takes it over: ${commandFor(paths)}`;
  return new Failure('not-running', { ...doing, reason, hint, cause });
}

/** An open stream that ends with Huddle, in whatever manner. */
function brokeOff(error: unknown): boolean {
  return !(error instanceof Failure) && ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function unreachable(error: unknown, paths: Whereto): Failure {
  if (error instanceof Failure) return error;
  const code = codeOf(error);
  const parts = { doing: 'speaking to the Huddle of', subject: paths.folder, cause: error };
  if (code === 'EACCES' || code === 'EPERM') {
    const hint = 'Run this as the user who runs Huddle, or as root.';
    return new Failure('permission-denied', { ...parts, reason: 'permission denied', hint });
  }
  if (code === 'ETIMEDOUT') {
    const hint = 'It may be busy or stopped (SIGSTOP): try again, or look at its log.';
    return new Failure('timeout', { ...parts, reason: 'it does not answer', hint });
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const hint = 'It has just ended, or has no file descriptors left: see its log.';
    return new Failure('not-running', { ...parts, reason: 'it broke the connection off', hint });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const hint = `Start one with: ${commandFor(paths)}`;
    return new Failure('not-running', { ...parts, reason: 'no Huddle is running there', hint });
  }
  return new Failure('internal', { ...parts, reason: error instanceof Error ? error.message : String(error) });
}
