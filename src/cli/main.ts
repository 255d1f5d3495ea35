import { asFailure, Failure } from '../../machines/failure.ts';
import { complaint } from './complaint.ts';
import { readCommandLine, type Invocation } from './front.ts';
import { Misuse } from './misuse.ts';
import { noOptions, type Options } from './options.ts';

/** Exit codes of every command: its work is done, it failed, it was called wrongly. */
const done = 0;
const failed = 1;
const wrongUsage = 2;

/** What is still open when a command has ended (a socket that nobody closed) holds the process for so long at most. */
const leaveAfter = 1000;

/**
 * Runs a command line and sets the exit code of the process. Never rejects: what goes wrong is said on stderr, in one
 * line and a hint; only `--debug` shows where it comes from.
 */
export async function main(args: readonly string[], version: string): Promise<void> {
  // Complaints that nobody reads are nothing to end for.
  process.stderr.on('error', () => undefined);
  process.exitCode = await exitCodeOf(args, version);
  setTimeout(() => process.exit(), leaveAfter).unref();
}

async function exitCodeOf(args: readonly string[], version: string): Promise<number> {
  let options = noOptions;
  try {
    const invocation = readCommandLine(args);
    if (invocation.kind === 'run') ({ options } = invocation);
    mindOutput(invocation);
    // A mistake of Huddle's own, or of a library: it ends, and its programs run on until the next Huddle takes them over.
    process.on('uncaughtException', (error) => process.exit(complain(error, options)));
    return await carryOut(invocation, version);
  } catch (error) {
    return complain(error, options);
  }
}

async function carryOut(invocation: Invocation, version: string): Promise<number> {
  if (invocation.kind === 'run') {
    const { command, options } = invocation;
    return await command.run(options);
  }
  process.stdout.write(await textFor(invocation, version));
  return done;
}

async function textFor(invocation: Exclude<Invocation, { kind: 'run' }>, version: string): Promise<string> {
  if (invocation.kind === 'version') return `${version}\n`;
  if (invocation.kind === 'complete') return (await import('./complete.ts')).complete(invocation.words);
  return `${await (await import('./usage.ts')).usage(invocation.command)}\n`;
}

/**
 * A reader who has seen enough (`huddle status | head`) ends the command quietly, but never a Huddle that keeps
 * programs running.
 */
function mindOutput(invocation: Invocation): void {
  const lasting = invocation.kind === 'run' && invocation.command.lasting === true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (lasting) return;
    if (error.code === 'EPIPE') process.exit(done);
    process.exit(complain(unwritten(error), noOptions));
  });
}

function complain(error: unknown, options: Options): number {
  const misuse = error instanceof Misuse;
  process.stderr.write(complaint(misuse ? error : asFailure(error), options));
  if (options.debug && error instanceof Error && !misuse) process.stderr.write(`${stackOf(error)}\n`);
  return misuse ? wrongUsage : failed;
}

function unwritten({ code, message }: NodeJS.ErrnoException): Failure {
  const isFull = code === 'ENOSPC';
  const parts = { doing: 'writing', subject: 'the output', reason: isFull ? 'no space left on the disk' : message };
  return new Failure(isFull ? 'disk-full' : 'internal', parts);
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
