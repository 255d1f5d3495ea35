import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export const huddle = join(import.meta.dirname, '../../src/huddle.cjs');

/** What a child sees of the environment: nothing that changes colours or Node itself. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(FORCE_COLOR|NO_COLOR|CI|TEST|NODE_.*|COLUMNS)$/.test(name)),
);

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way: what it has said so far, and how it ends. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin: 'ignore' | 'pipe' = 'ignore') {
    this.process = spawn(file, args, { env: { ...environment, ...env }, stdio: [stdin, 'pipe', 'pipe'] });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** What somebody at its terminal types. */
  type(keys: string): void {
    this.process.stdin?.write(keys);
  }

  /** Waits until what it has said is as wanted. */
  async said(wanted: (child: this) => boolean): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!wanted(this)) {
      if (Date.now() > deadline) throw new Error(`not said: ${this.stdout}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** The real command, in the sources' or the built form, whichever `huddle.cjs` takes. */
export function start(...args: readonly string[]): Child {
  return new Child(process.execPath, [huddle, ...args]);
}

/** The real command on a terminal, as `script` of util-linux makes one. */
export function startOnTerminal(command: string, env: NodeJS.ProcessEnv = {}, size = { columns: 80, rows: 24 }): Child {
  const line = `stty columns ${size.columns} rows ${size.rows}; exec ${process.execPath} ${huddle} ${command}`;
  return new Child('script', ['-qefc', line, '/dev/null'], { TERM: 'xterm-256color', ...env }, 'pipe');
}
