import { type ChildProcess, spawn } from 'node:child_process';
import { Failure } from '../../machines/failure.ts';
import { here } from '../platform/here.ts';
import { faultPoint } from '../fault.ts';
import { refused } from '../ledger/paths.ts';
import { classify } from './classify.ts';
import { untilEnded } from './ending.ts';
import { commandEnvironment } from './environment.ts';
import type { GitRepository } from './repository.ts';

/**
 * Runs a fixed shell script as the app's user and answers with what it printed. Whatever Huddle changes in a working
 * copy besides git, it changes this way: a folder of the user's may hold links that lead root anywhere.
 * `input` is its standard input. Fails with what its words mean, `internal` where they mean nothing.
 */
export async function runScript(
  repository: GitRepository,
  script: string,
  args: readonly string[],
  input: Buffer | string = '',
): Promise<Buffer> {
  const { place, signal, doing } = repository;
  signal.throwIfAborted();
  const [command = 'sh', ...argv] = [...place.runAs, here.posixShell, '-euc', script, 'huddle', ...args];
  faultPoint('shell.spawn.before');
  const options = { cwd: '/', env: commandEnvironment(place), stdio: 'pipe' } as const;
  // Where there are no descriptors, a child has no streams either.
  const child: ChildProcess = spawn(command, argv, options);
  faultPoint('shell.spawn.after');
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A script that does not read its input to the end is not at fault.
  child.stdin?.on('error', () => undefined).end(input);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(refused(error, doing, command)));
    child.once('close', (code) => resolve(code ?? 1));
  });
  const exitCode = await untilEnded(ended, { place, signal, seconds: null, timedOut: () => stuck(doing) });
  faultPoint('shell.end.after');
  if (exitCode === 0) return Buffer.concat(stdout);
  const said = Buffer.concat(stderr).toString();
  const failure = classify({ doing, subject: repository.workTree, stderr: said, exitCode, executable: 'sh' });
  if (failure.code !== 'internal') throw failure;
  throw new Failure('internal', {
    doing,
    subject: repository.workTree,
    reason: said.trim().split('\n').at(-1) ?? `exit code ${exitCode}`,
    hint: 'Check that the user of the app may write there.',
  });
}

function stuck(doing: string): Failure {
  return new Failure('timeout', { doing, subject: 'the working copy', reason: 'no end' });
}
