import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Found {
  readonly pid: number;
  readonly command: string;
}

/** Every living process that belongs to a folder: it was started with its path, works in it, or carries it in its environment. */
export function processesOf(folder: string): Found[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map((entry) => ({ pid: Number(entry), command: read(`/proc/${entry}/cmdline`).replaceAll('\0', ' ').trim() }))
    .filter(({ pid, command }) => alive(pid) && (command.includes(folder) || carries(pid, folder)));
}

function carries(pid: number, folder: string): boolean {
  if (read(`/proc/${pid}/environ`).includes(folder)) return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
  } catch {
    return false;
  }
}

/** Whether a process lives; a zombie does not. */
export function alive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** Whether it is the shell that a living Huddle has waiting, to become a program. */
export function isSpare({ pid, command }: Found): boolean {
  const parent = Number(/^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);
  const isHuddles = read(`/proc/${parent}/cmdline`).includes('huddle.cjs');
  return isHuddles && command === '/bin/sh -s waits to become a program of huddle';
}

/** The environment that a process was started with. */
export function environmentOf(pid: number): Record<string, string> {
  const pairs = read(`/proc/${pid}/environ`)
    .split('\0')
    .filter((pair) => pair.includes('='));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** What `/proc` says, or nothing where the process has gone meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Ends every process of a folder, looking again until none is left: one may start another meanwhile. */
export async function endProcessesOf(folder: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const left = processesOf(folder);
    if (left.length === 0) return;
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone meanwhile, which is what was wanted.
      }
    }
    await sleep(10);
  }
  throw new Error(
    `cannot be ended: ${processesOf(folder)
      .map(({ command }) => command)
      .join(', ')}`,
  );
}

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
