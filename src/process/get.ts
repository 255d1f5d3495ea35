import type { IncomingMessage } from 'node:http';
import { Failure, type FailureCode } from '../../machines/failure.ts';
import { errorCode } from '../ledger/paths.ts';

/** One request over http or https, on a connection of its own that is closed after it. */
export interface Question {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** How many redirects are followed; 0: the redirect itself is the answer. */
  readonly redirects: number;
  /** Without one it is a GET, with one a POST. */
  readonly body?: string;
  /** Seconds, for the whole of it. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** For messages. */
  readonly doing: string;
  /** The URL without what is secret in it. */
  readonly subject: string;
}

export interface Answer {
  readonly status: number;
  /** Its first megabyte. */
  readonly body: string;
}

/** Not by `import`, which also loads the HTTP client behind `http.WebSocket`: 5 MB of memory for nothing. */
const { request: requestHttp } = process.getBuiltinModule('node:http');

const bodyLimit = 1024 * 1024;

/**
 * Asks. Headers are sent to the URL's own origin only, never along a redirect to another. Throws `timeout` and
 * `remote-unreachable`, and the signal's reason when that aborts.
 */
export async function get(question: Question): Promise<Answer> {
  const late = AbortSignal.timeout(question.timeout * 1000);
  const signal = AbortSignal.any([question.signal, late]);
  try {
    return await follow(question, signal);
  } catch (thrown) {
    question.signal.throwIfAborted();
    if (late.aborted) throw failure('timeout', question, `no answer in ${question.timeout} s`, thrown);
    if (thrown instanceof Failure) throw thrown;
    throw failure('remote-unreachable', question, connectionReason(thrown), thrown);
  }
}

/** Sends JSON; a redirect is the answer. Throws as `get`. */
export async function post(question: Omit<Question, 'redirects'>, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json', ...question.headers };
  return await get({ ...question, headers, redirects: 0, body: JSON.stringify(body) });
}

async function follow(question: Question, signal: AbortSignal): Promise<Answer> {
  const { url: first, headers = {}, redirects, body } = question;
  let url = first;
  for (let left = redirects; ; left--) {
    const response = await send(url, url.origin === first.origin ? headers : {}, signal, body);
    const next = redirectOf(response, url);
    if (redirects === 0 || next === null) return { status: response.statusCode ?? 0, body: await bodyOf(response) };
    response.destroy();
    if (left === 0) throw failure('remote-unreachable', question, `redirected more than ${redirects} times`);
    url = next;
  }
}

function send(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  body: string | undefined,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === 'https:';
  const request = isSecure ? process.getBuiltinModule('node:https').request : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = { accept: '*/*', 'user-agent': 'huddle', ...headers };
    const method = body === undefined ? 'GET' : 'POST';
    request(url, { method, agent: false, headers: sent, signal }, resolve).on('error', reject).end(body);
  });
}

function redirectOf({ statusCode = 0, headers: { location } }: IncomingMessage, from: URL): URL | null {
  if (![301, 302, 303, 307, 308].includes(statusCode) || location === undefined) return null;
  const to = URL.parse(location, from.href);
  return to?.protocol === 'http:' || to?.protocol === 'https:' ? to : null;
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bodyLimit) break; // Leaving the loop closes the connection.
  }
  return Buffer.concat(chunks).toString('utf8', 0, bodyLimit);
}

function failure(code: FailureCode, { doing, subject }: Question, reason: string, cause?: unknown): Failure {
  return new Failure(code, { doing, subject, reason, cause });
}

/** Why a connection came to nothing, in words: `connection refused`. */
export function connectionReason(thrown: unknown): string {
  const code = errorCode(thrown);
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was closed without an answer',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the host name could not be looked up',
    EHOSTUNREACH: 'no route to the host',
    ENETUNREACH: 'no network',
  };
  return words[code] ?? (thrown instanceof Error && thrown.message !== '' ? thrown.message : code || String(thrown));
}
