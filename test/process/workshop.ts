import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../machines/config.ts';
import type { ProcessReport } from '../../machines/slots.ts';
import { endMarked } from '../../src/process/end.ts';
import { identify } from '../../src/process/identity.ts';
import { folderMark, newMark } from '../../src/process/mark.ts';
import { type ProgramInput, type RunningProgram, startProgram } from '../../src/process/program.ts';
import type { Tree } from '../../src/process/tree.ts';
import { appConfig } from '../machines/config.ts';

export const programs = join(import.meta.dirname, '../fixtures/programs');
export const never = new AbortController().signal;
export const isRoot = process.getuid?.() === 0;

/** A program under test, with all that it has reported. */
export interface Started extends RunningProgram {
  readonly reports: readonly ProcessReport[];
  readonly input: ProgramInput;
  /** The tree of a program that did start. */
  readonly alive: Tree;
}

/** A folder with a working copy and a log, in which programs are started; whatever they leave is ended with the test. */
export class Workshop {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'huddle-process-')));
  readonly copy = join(this.folder, 'copy');
  readonly log = join(this.folder, 'app.log');
  readonly pidFile = join(this.folder, 'pids');
  readonly hash = folderMark(this.folder);

  readonly #files: number[] = [];

  constructor(context: TestContext) {
    chmodSync(this.folder, 0o755); // Programs of other users write their pids here.
    mkdirSync(this.copy);
    for (const file of [this.log, this.pidFile]) appendFileSync(file, '');
    chmodSync(this.pidFile, 0o666);
    context.after(() => this.close());
  }

  /** The log's descriptor, until the workshop closes. */
  openLog(): number {
    const file = openSync(this.log, 'a+');
    this.#files.push(file);
    return file;
  }

  /** The pids that the fixtures have written down, in that order. */
  pids(): number[] {
    return readFileSync(this.pidFile, 'utf8').split('\n').filter(Boolean).map(Number);
  }

  living(): number[] {
    return this.pids().filter((pid) => identify(pid) !== null);
  }

  output(): string {
    return readFileSync(this.log, 'utf8');
  }

  input(application: Partial<Application>, name = 'shop'): ProgramInput {
    const config = appConfig({
      repository: { localPath: this.copy },
      application: { start: null, environment: { PIDS: this.pidFile }, ...application },
    });
    const mark = newMark(this.hash, name);
    return {
      name,
      revision: 'a'.repeat(40),
      config,
      mark,
      log: this.log,
      openLog: (path) => openSync(path, 'a', 0o640),
    };
  }

  start(application: Partial<Application>, more: Partial<ProgramInput> = {}): Started {
    const input = { ...this.input(application), ...more };
    const reports: ProcessReport[] = [];
    const running = startProgram(input, (report) => reports.push(report));
    return {
      ...running,
      reports,
      input,
      get alive() {
        if (running.tree === null) throw new Error('it was not started');
        return running.tree;
      },
    };
  }

  /** Starts a fixture and waits until this many of its processes have written down their pids. */
  async startFixture(name: string, pids: number, application: Partial<Application> = {}): Promise<Started> {
    const started = this.start({ start: [join(programs, name)], ...application });
    await until(() => this.pids().length >= pids, `${pids} processes of ${name}`);
    return started;
  }

  private async close(): Promise<void> {
    for (const file of this.#files) closeSync(file);
    const left = this.living();
    rmSync(this.pidFile, { force: true });
    for (const pid of left) process.kill(pid, 'SIGKILL');
    await endMarked(`${this.hash}:`);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Waits for a condition; fails when it does not come true in ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(10);
  }
}

/** Waits for the report of an exit, and returns it. */
export async function exitOf({ reports }: Started) {
  await until(() => reports.some(({ type }) => type !== 'process.spawned'), 'the exit');
  const last = reports.at(-1);
  if (last?.type !== 'process.exited') throw new Error(`it ended with ${last?.type}`);
  return last.exit;
}

/** A file's descriptor for the length of a test. */
export function appendTo(path: string, context: TestContext): number {
  const file = openSync(path, 'a+');
  context.after(() => closeSync(file));
  return file;
}
