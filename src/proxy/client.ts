import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, failureCodes } from '../../machines/failure.ts';
import { errorCode } from '../platform/error-code.ts';
import type { ProxyStatus } from './requests.ts';
import type { Pointing } from './settings.ts';

/** Not by `import`: see `src/control/client.ts`. */
const { request } = process.getBuiltinModule('node:http');

/** How long a proxy may take to start, or its supervisor to start it anew; milliseconds. */
const patience = 10_000;

/** Between two tries to reach it; milliseconds. */
const pause = 25;

/**
 * Points a proxy to a release, or to none: then requests wait. Resolves when every new request goes there. A proxy that
 * is just being started is waited for. Rejects with `not-running` where none comes, with what the proxy says against
 * it, or with the signal's reason.
 */
export async function pointProxy(socketPath: string, to: Pointing | null, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + patience;
  for (;;) {
    signal.throwIfAborted();
    try {
      await ask(socketPath, '/point', { body: JSON.stringify(to), signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAbsent(error) || performance.now() > deadline) throw asked(error, socketPath);
    }
    await sleep(pause);
  }
}

/**
 * Resolves when no request is open at the release of that port any more, at the latest after the drain timeout. A proxy
 * that is not there has none. Rejects where that release is still in charge, or with the signal's reason.
 */
export async function drained(socketPath: string, port: number, signal: AbortSignal): Promise<void> {
  try {
    await ask(socketPath, `/drained?port=${port}`, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!isAbsent(error)) throw asked(error, socketPath);
  }
}

/** How a proxy is. Rejects with `not-running` where there is none, or with the signal's reason. */
export async function proxyStatus(socketPath: string, signal: AbortSignal): Promise<ProxyStatus> {
  try {
    return (await ask(socketPath, '/status', { signal })) as ProxyStatus;
  } catch (error) {
    signal.throwIfAborted();
    throw asked(error, socketPath);
  }
}

/** With a body it is a POST. */
async function ask(
  socketPath: string,
  path: string,
  { body, signal }: { body?: string; signal: AbortSignal },
): Promise<unknown> {
  const method = body === undefined ? 'GET' : 'POST';
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false, signal });
    sent.once('response', resolve).once('error', reject).end(body);
  });
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  const answer = JSON.parse(text) as object;
  if (response.statusCode === 200) return answer;
  throw refusedBy(answer);
}

/** Nobody listens, or whoever did has ended meanwhile. */
const isAbsent = (error: unknown): boolean =>
  ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(errorCode(error));

function refusedBy(answer: object): Failure {
  const { error } = answer as { error?: { code: string; message: string; hint: string } };
  const { code, message: reason = 'the answer makes no sense', hint = '' } = error ?? {};
  const known = failureCodes.find((each) => each === code) ?? 'internal';
  return new Failure(known, { doing: 'telling', subject: 'the proxy', reason, hint });
}

function asked(error: unknown, socketPath: string): Failure {
  if (error instanceof Failure) return error;
  const parts = { doing: 'speaking to the proxy at', subject: socketPath, cause: error };
  if (isAbsent(error)) {
    return new Failure('not-running', { ...parts, reason: 'none is there', hint: 'See logs/proxy.log of the app.' });
  }
  return new Failure('internal', { ...parts, reason: error instanceof Error ? error.message : String(error) });
}
