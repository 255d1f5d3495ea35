import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

/** A fresh folder that goes when its test ends. */
export function scratch(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'huddle-ledger-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Mounts a small file system in memory until the test ends; skips the test where that is not permitted. */
export function mounted(t: TestContext, options: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-mount-'));
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { encoding: 'utf8' });
  // One hook, as hooks run in the order they were added, and what is mounted cannot be removed.
  t.after(() => {
    if (mount.status === 0) spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  if (mount.status === 0) return folder;
  t.skip(`a small file system cannot be mounted here: ${mount.error?.message ?? mount.stderr.trim()}`);
  return null;
}

/** Waits until something holds; rejects with what it waited for after 20 seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within 20 seconds: ${what}`);
    await pause(2);
  }
}
