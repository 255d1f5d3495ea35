import { statfsSync } from 'node:fs';
import type { TestGate } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import type { Revision } from '../../machines/facts.ts';
import type { Verdict } from '../../machines/slots.ts';
import { type CommandInput, type CommandResult, inWords, runCommand, signalOf } from './command.ts';
import { type Answer, get } from './get.ts';

/** Test commands, and where they run: a clean checkout of the candidate. */
export interface TestRun extends Omit<CommandInput, 'doing' | 'command' | 'timeout' | 'sweep'> {
  readonly commands: readonly string[];
  /** Seconds, for each command. */
  readonly timeout: number;
}

const doing = 'running the test';
const seeLog = 'Its output is in deploy.log (huddle logs --deploy).';

/**
 * Runs the test commands, one after the other, until one fails; each leaves nothing running. Only an exit code of a
 * command that did run is a verdict. A time-out, a signal, a missing command and a full disk say nothing about the
 * revision: they are thrown as a `Failure`.
 */
export async function runTest({ commands, ...surroundings }: TestRun): Promise<Verdict> {
  for (const command of commands) {
    const result = await runCommand({ ...surroundings, doing, command, sweep: true });
    if (result.exit.code === 0) continue;
    const fault = faultBehind(result, command, surroundings.directory);
    if (fault !== null) throw fault;
    const parts = { doing, subject: command, reason: inWords(result.exit), hint: seeLog };
    return { kind: 'failed', failure: new Failure('test-failed', parts) };
  }
  return { kind: 'passed' };
}

/** Why a failed command says nothing about what it tested; null when it does. */
function faultBehind({ exit, tail }: CommandResult, subject: string, directory: string): Failure | null {
  const signal = signalOf(exit);
  if (signal !== null) {
    return new Failure('test-failed', { doing, subject, reason: `ended by ${signal}`, hint: seeLog });
  }
  if (exit.code === 126 || exit.code === 127) {
    const reason = exit.code === 127 ? 'command not found (127)' : 'command may not be executed (126)';
    return new Failure('command-not-found', { doing, subject, reason, hint: `Install what it needs. ${seeLog}` });
  }
  const isFull = /\bENOSPC\b|\bEDQUOT\b|No space left on device|Disk quota exceeded/.test(tail);
  if (!isFull && statfsSync(directory).bavail > 0) return null;
  const hint = 'Free some space; Huddle tries again at the next check.';
  return new Failure('disk-full', { doing, subject, reason: 'no space left on the disk', hint });
}

/** A question to the remote test about one revision. */
export interface RemoteTest {
  readonly gate: Extract<TestGate, { readonly kind: 'remote' }>;
  readonly revision: Revision;
  readonly branch: string;
  readonly signal: AbortSignal;
}

const asking = 'asking the remote test';

/**
 * Asks a URL whether a revision has passed. Throws `remote-unreachable` (also for an answer of 5xx, or one that asks to
 * come again), `authentication-failed` and `timeout`; every other answer, also 404, is looked at for the two texts.
 */
export async function askRemoteTest({ gate, revision, branch, signal }: RemoteTest): Promise<Verdict> {
  const url = new URL(gate.url.replaceAll('{revision}', enc(revision)).replaceAll('{branch}', enc(branch)));
  const subject = url.origin + url.pathname; // The query may hold a token.
  const answer = await get({
    url,
    headers: gate.headers,
    redirects: 5,
    timeout: gate.timeout,
    signal,
    doing: asking,
    subject,
  });
  const refusal = refusalIn(answer, subject);
  if (refusal !== null) throw refusal;
  const parts = { doing: asking, subject };
  if (answer.body.includes(gate.pass)) return { kind: 'passed' };
  if (gate.fail !== null && answer.body.includes(gate.fail)) {
    return {
      kind: 'failed',
      failure: new Failure('test-failed', { ...parts, reason: 'it answers that the test failed' }),
    };
  }
  const failure = new Failure('test-pending', { ...parts, reason: `no verdict yet (answered ${answer.status})` });
  return { kind: 'pending', failure };
}

const enc = encodeURIComponent;

function refusalIn({ status }: Answer, subject: string): Failure | null {
  const parts = { doing: asking, subject, reason: `answered ${status}` };
  if (status === 401 || status === 403 || status === 407) {
    return new Failure('authentication-failed', { ...parts, hint: 'Look at the token in test.headers.' });
  }
  if (status < 500 && status !== 408 && status !== 429) return null;
  return new Failure('remote-unreachable', { ...parts, hint: 'It is asked again at the next check.' });
}
