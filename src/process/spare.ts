import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { here } from '../platform/here.ts';
import { shellWord } from '../platform/shell-word.ts';
import { endMarked } from './end.ts';
import { type Environment, baseEnvironment } from './environment.ts';
import { identify } from './identity.ts';
import { appPrefix, folderPart, markVariable, newMark } from './mark.ts';
import { runAs } from './user.ts';

// A fork of Huddle takes two milliseconds or more, in proportion to its memory; of what an app is down after a crash that
// is the largest part. So a shell is forked ahead of time, as Apache's spare servers are, and becomes the next program.

/** What a program is to be: as `spawn` takes it. */
export interface Role {
  readonly argv: readonly string[];
  readonly directory: string;
  readonly environment: Environment;
}

interface Spare {
  readonly child: ChildProcess;
  readonly environment: Environment;
}

/** Milliseconds without a start until a spare is made ready: who starts many at once needs all of the machine. */
const calm = 250;

/** In the place of an app's name, which is never empty. */
const noApp = '';

let spare: Spare | null = null;
let timer: NodeJS.Timeout | undefined;

/** Has one made ready when nothing has been started for a moment; `mark` is that of what was started just now. */
export function keepSpare(mark: string): void {
  const { spareShell } = here;
  if (spareShell === null) return;
  clearTimeout(timer);
  timer = setTimeout(() => (spare ??= fork(spareShell, newMark(folderPart(mark), noApp))), calm).unref();
}

/**
 * Ends what a dead Huddle has left, and resolves when none is left. They end by themselves; but one that had been told what
 * to become has become it by then, and carries that mark.
 */
export async function endSpares(folder: string): Promise<void> {
  await endMarked(appPrefix(folder, noApp));
}

/**
 * Has the spare become a program that appends to a log; it leads a session of its own already. Null when there is none, or
 * not for this role: then it has to be spawned. What cannot be executed ends with 126 or 127 and a line in the log.
 */
export function castSpare(role: Role, log: string): ChildProcess | null {
  // Its end may not have been told yet.
  if (spare === null || identify(spare.child.pid ?? 0) === null) return null;
  const { child, environment } = spare;
  const line = lineOf(role, log, environment);
  if (line === null) return null;
  spare = null;
  child.ref();
  child.stdin?.end(line);
  return child;
}

/** For a Huddle that is about to end; resolves when no spare is left. */
export async function dismissSpare(): Promise<void> {
  clearTimeout(timer);
  if (spare === null) return;
  const { child } = spare;
  child.ref();
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Null when the system has no process or no descriptor to give: the next start says so, if there still is none. */
function fork(shell: string, mark: string): Spare | null {
  const environment = { ...baseEnvironment(runAs(null)), [markVariable]: mark };
  const child = spawnWaiting(shell, environment);
  if (child?.pid === undefined) return null;
  const drop = (): void => {
    if (spare?.child === child) spare = null;
  };
  child.once('exit', drop);
  child.stdin?.on('error', drop); // It has ended before it was told, which its exit tells whoever has cast it.
  child.unref();
  return { child, environment };
}

function spawnWaiting(shell: string, env: Environment): ChildProcess | null {
  try {
    // It reads its standard input (-s); the rest is for whoever looks at a list of processes.
    const child = spawn(shell, ['-s', 'waits to become a program of huddle'], {
      cwd: '/',
      env,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    return child.on('error', () => {}); // Then it has no pid.
  } catch {
    return null;
  }
}

/**
 * Names that a shell sets itself, takes for numbers or refuses to set (`OPTIND`, `RANDOM`, `PPID`, `UID`), in dash, bash,
 * busybox and the Korn shells.
 */
const shellsOwn =
  /^(BASH|COMP|EPOCH|FUNC|HIST|KSH|OPT)|ID$|^(COLUMNS|DIRSTACK|ERRNO|GROUPS|IFS|LINENO|LINES|MAILCHECK|PGRP|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|TMOUT|_)$/;

/** What a shell can name; of its environment it may drop the rest. */
const nameable = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What a shell does not take from its environment, but begins anew. */
const begunAnew = /^(IFS|OPTIND|PPID)$/;

/** Whether a shell exports a variable just as it is told. */
function isPlain(name: string): boolean {
  return nameable.test(name) && !shellsOwn.test(name);
}

/** One command of the shell's, in braces: cut short it is none. Null when the spare's environment has too much in it. */
function lineOf({ argv, directory, environment }: Role, log: string, known: Environment): string | null {
  const isTooMuch = Object.keys(known).some((name) => environment[name] === undefined);
  // env(1) would take it for something else.
  if (isTooMuch || /^-|=/.test(argv[0] ?? '') || Object.keys(environment).some((name) => name.startsWith('-')))
    return null;
  const isKept = (name: string) => nameable.test(name) && !begunAnew.test(name);
  const news = Object.entries(environment).filter(([name, value]) => known[name] !== value || !isKept(name));
  const told = (isWanted: (name: string) => boolean) =>
    news.filter(([name]) => isWanted(name)).map(([name, value]) => shellWord(`${name}=${value}`));
  const rest = told((name) => !isPlain(name));
  const through = rest.length === 0 ? [] : ['/usr/bin/env', ...rest];
  const become = [...through, ...argv.map(shellWord)].join(' ');
  const place = `cd ${shellWord(directory)} && unset OLDPWD && export ${told(isPlain).join(' ')}`;
  return `{ exec >>${shellWord(log)} 2>&1; ${place} && exec ${become} </dev/null; }\n`;
}
