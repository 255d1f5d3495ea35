import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../e2e/harness.ts';

/** What is to be asked. */
export interface Asking {
  readonly port: number;
  /** Requests a second, each over a connection of its own, whether those before it have been answered or not; 0: as fast as the clients go. */
  readonly rate: number;
  /** How many ask at the same time where there is no rate, each one thing after the other. */
  readonly clients: number;
  /** A connection for each request. */
  readonly anew: boolean;
}

/** What came of it in a window of time. */
export interface Load {
  readonly requests: number;
  readonly failed: number;
  /** How often each kind of failure, in the order in which they came. */
  readonly failures: Readonly<Record<string, number>>;
  readonly perSecond: number;
  /** Of a request, by percentile; milliseconds. */
  readonly latency: Readonly<Record<'p50' | 'p99' | 'p999', number>>;
  /** How late the clients themselves were, 99.9th percentile; milliseconds. */
  readonly hiccup: number;
}

/** Clients at work, in a process of their own. */
export interface Visitors {
  /** What is asked from now on is counted there. */
  enter(window: string): void;
  /** Ends them, when what they have asked has been answered. */
  leave(): Promise<Counted>;
}

/** What came of all that was asked. */
export interface Counted {
  readonly all: readonly Load[];
  /** Of a window. */
  in(window: string): Load;
}

/** `through`: an argv that becomes the process, as `taskset` does. They end with the stage. */
export function visitors(stage: Scene, asking: Asking, through: readonly string[] = []): Visitors {
  const script = join(import.meta.dirname, 'programs/visitors.ts');
  const [command, ...args] = [...through, process.execPath, script, JSON.stringify(asking)];
  const child = spawn(command, args, { env: stage.environment(), stdio: ['pipe', 'pipe', 'inherit'] });
  if (asking.rate > 0) hurry(child.pid);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    enter: (window) => void child.stdin.write(`${window}\n`),
    async leave() {
      child.stdin.end();
      await once(child, 'close');
      const counted = JSON.parse(text) as Readonly<Record<string, Load>>;
      return { all: Object.values(counted), in: (window) => counted[window] ?? nothing };
    },
  };
}

/** New connections, as the targets speak of them. */
export const pressures = [
  { told: '200 new connections a second', rate: 200 },
  { told: 'new connections, as fast as it goes', rate: 0 },
] as const;
export type Pressure = (typeof pressures)[number];

/** Clients that ask at a port, when they and those who answer have become as fast as they get. */
export async function come(stage: Scene, port: number, { rate }: Pressure): Promise<Visitors> {
  const coming = visitors(stage, { port, rate, clients: 16, anew: true });
  await sleep(2000);
  return coming;
}

const nothing: Load = {
  requests: 0,
  failed: 0,
  failures: {},
  perSecond: 0,
  latency: { p50: NaN, p99: NaN, p999: NaN },
  hiccup: NaN,
};

/** Failed of all, and the first kinds of them. */
export function failedOf(loads: readonly Load[]): { requests: number; failed: number; text: string } {
  const kinds = new Map<string, number>();
  for (const { failures } of loads)
    for (const [kind, count] of Object.entries(failures)) kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  const first = [...kinds].slice(0, 4).map(([kind, count]) => `${count} × ${kind}`);
  const failed = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  const requests = loads.reduce((sum, load) => sum + load.requests, 0);
  return { requests, failed, text: failed === 0 ? '0' : `${failed} (${first.join(', ')})` };
}

/** Those who measure are not to wait for those who are measured; only root may have it so. */
function hurry(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, -10);
  } catch {
    // Then their hiccups are told as they are.
  }
}
