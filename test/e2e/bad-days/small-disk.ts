import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scene, type Scene } from '../harness.ts';

/** A file system in memory, small enough to be full in no time. */
export class Disk {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Takes what room there is, to the last byte. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    for (const size of [65_536, 4096, 1]) {
      try {
        for (const chunk = Buffer.alloc(size); ;) writeSync(file, chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    closeSync(file);
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  remount(options: string): void {
    const { status, stderr } = spawnSync('mount', ['-o', `remount,${options}`, this.folder], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}

/**
 * A scene in which one folder is a disk of its own; null, and the test is skipped, where none may be mounted. `size`:
 * as tmpfs takes it.
 */
export async function sceneWithDisk(
  t: TestContext,
  folderOf: (stage: Scene) => string,
  size: string,
): Promise<{ readonly stage: Scene; readonly disk: Disk } | null> {
  const hooks: (() => Promise<void>)[] = [];
  const stage = await scene({ after: (hook) => void hooks.push(hook as () => Promise<void>) });
  const folder = folderOf(stage);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', folder], {
    encoding: 'utf8',
  });
  // One hook: what is mounted cannot be removed.
  t.after(async () => {
    if (mount.status === 0) spawnSync('umount', ['-l', folder]);
    for (const hook of hooks) await hook();
  });
  if (mount.status === 0) return { stage, disk: new Disk(folder) };
  t.skip(`a small disk cannot be mounted here: ${mount.error?.message ?? mount.stderr.trim()}`);
  return null;
}
