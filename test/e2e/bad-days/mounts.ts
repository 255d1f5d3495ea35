import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scene, type Scene } from '../harness.ts';

/** What is mounted for one test; all of it goes with the test. */
export class Mounts {
  readonly #folders: string[] = [];

  /** A file system in memory over a folder, which is made where it is missing; `options` as tmpfs takes them. */
  tmpfs(folder: string, options: string): void {
    mkdirSync(folder, { recursive: true });
    this.#mount(folder, '-t', 'tmpfs', '-o', `mode=700,${options}`, 'none', folder);
  }

  /** The folder as it is, to be read only; files that are open for writing stay so. */
  readOnly(folder: string): void {
    // Made so beside it: in its place somebody might open a file between the two steps.
    const beside = `${folder}.beside`;
    mkdirSync(beside);
    this.#mount(beside, '--bind', folder, beside);
    run('mount', '-o', 'remount,bind,ro', beside);
    this.#mount(folder, '--bind', beside, folder);
    this.off(beside);
  }

  resize(folder: string, size: string): void {
    run('mount', '-o', `remount,size=${size}`, folder);
  }

  off(folder: string): void {
    run('umount', '-l', folder);
    this.#folders.splice(this.#folders.lastIndexOf(folder), 1);
  }

  allOff(): void {
    for (const folder of this.#folders.toReversed()) this.off(folder);
  }

  #mount(folder: string, ...args: string[]): void {
    run('mount', ...args);
    this.#folders.push(folder);
  }
}

/** A scene in which file systems may be mounted; null, and the test is skipped, where that is not permitted. */
export async function sceneWithMounts(
  t: TestContext,
): Promise<{ readonly stage: Scene; readonly mounts: Mounts } | null> {
  const hooks: (() => Promise<void>)[] = [];
  const stage = await scene({ after: (hook) => void hooks.push(hook as () => Promise<void>) });
  const mounts = new Mounts();
  // One hook: what is mounted cannot be removed.
  t.after(async () => {
    mounts.allOff();
    for (const hook of hooks) await hook();
  });
  const trial = join(stage.root, 'home');
  try {
    mounts.tmpfs(trial, 'size=4k');
    mounts.off(trial);
  } catch (error) {
    t.skip(`nothing can be mounted here: ${String(error)}`);
    return null;
  }
  return { stage, mounts };
}

/** Takes what room is left where a folder is, to the last byte. */
export function fill(folder: string): void {
  const file = openSync(ballast(folder), 'a');
  for (const size of [65_536, 4096, 1]) {
    try {
      for (const chunk = Buffer.alloc(size); ;) writeSync(file, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
}

/** Gives it back. */
export function free(folder: string): void {
  rmSync(ballast(folder), { force: true });
}

export const ballast = (folder: string): string => join(folder, 'ballast');

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr.trim());
}
