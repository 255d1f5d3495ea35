import { connect } from 'node:net';
import type { Probe, Watchdog } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { type CommandInput, inWords, runCommand } from '../process/command.ts';
import { connectionReason, get } from '../process/get.ts';

/** Where a probe runs: a command as the program does; the others need only the signal. */
export type ProbeContext = Omit<CommandInput, 'doing' | 'command' | 'timeout' | 'sweep'>;

const doing = 'probing';

/**
 * One look at the health of a program. Resolves when it is healthy; else throws a `Failure` that says why: `timeout`,
 * `not-accepted`, or for a command that could not be run its own. Throws the signal's reason when that aborts. In no
 * case is a connection or a process of the probe left.
 */
export async function probe({ probe: kind, timeout }: Watchdog, context: ProbeContext): Promise<void> {
  switch (kind.kind) {
    case 'http':
      return probeHttp(kind, timeout, context.signal);
    case 'tcp':
      return probeTcp(kind, timeout, context.signal);
    case 'command':
      return probeCommand(kind.command, timeout, context);
  }
}

type HttpProbe = Extract<Probe, { readonly kind: 'http' }>;
type TcpProbe = Extract<Probe, { readonly kind: 'tcp' }>;

async function probeHttp({ url: text, response }: HttpProbe, timeout: number, signal: AbortSignal): Promise<void> {
  const url = new URL(text);
  const subject = url.origin + url.pathname;
  const { status, body } = await get({ url, redirects: 0, timeout, signal, doing, subject }).catch(unhealthy);
  if (status < 200 || status > 299) throw sick(subject, `answered ${status}`);
  if (response !== null && !body.includes(response)) throw sick(subject, 'the answer does not contain the response');
}

/** That nobody answers is what a probe is there to find out: no trouble with a remote. */
function unhealthy(thrown: unknown): never {
  if (!(thrown instanceof Failure) || thrown.code !== 'remote-unreachable') throw thrown;
  throw sick(thrown.subject, thrown.reason, thrown.cause);
}

async function probeTcp(target: TcpProbe, timeout: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const subject = `${target.host}:${target.port}`;
  const late = AbortSignal.timeout(timeout * 1000);
  const socket = connect({ host: target.host, port: Number(target.port), signal: AbortSignal.any([signal, late]) });
  try {
    await answered(socket, target);
  } catch (thrown) {
    signal.throwIfAborted();
    if (late.aborted) {
      throw new Failure('timeout', { doing, subject, reason: `no answer in ${timeout} s`, cause: thrown });
    }
    throw sick(subject, connectionReason(thrown), thrown);
  } finally {
    socket.destroy();
  }
}

/** More than this of an answer is not kept to look for the response in, in characters. */
const answerLimit = 1024 * 1024;

/** Resolves when it is connected or, where a response is wanted, when that has come. */
function answered(socket: ReturnType<typeof connect>, { request, response }: TcpProbe): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject); // Stays: an error after the end must not end Huddle.
    if (response === null) {
      socket.once('connect', resolve);
      return;
    }
    let answer = '';
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(request));
    socket.on('data', (text: string) => {
      answer = (answer + text).slice(-answerLimit);
      if (answer.includes(response)) resolve();
    });
    socket.once('close', () => reject(new Error('the answer does not contain the response')));
  });
}

async function probeCommand(command: string, timeout: number, context: ProbeContext): Promise<void> {
  const { exit } = await runCommand({ ...context, doing, command, timeout, sweep: true });
  if (exit.code !== 0) throw sick(command, inWords(exit));
}

function sick(subject: string, reason: string, cause?: unknown): Failure {
  return new Failure('not-accepted', { doing, subject, reason, cause });
}
