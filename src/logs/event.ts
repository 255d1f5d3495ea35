import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';

/** Waits for one thing to happen; `cancel` ends the waiting, and may be called at any time. */
export interface Wait {
  /** It has happened, or was cancelled, or can no longer be seen. */
  isOver(): boolean;
  cancel(): void;
}

/**
 * Calls `happened` once, at the next event in a folder: something in it is written to, comes or goes. Nothing happens
 * where there is no such folder, or nothing left to watch it with: whoever waits has to look by himself now and then.
 * Does not keep the process alive.
 */
export function nextEvent(folder: string, happened: () => void): Wait {
  let watcher: FSWatcher | null = null;
  const cancel = (): void => {
    watcher?.close();
    watcher = null;
  };
  const once = (): void => {
    cancel();
    happened();
  };
  try {
    watcher = watch(folder, { persistent: false });
    watcher.once('change', once).on('error', cancel);
  } catch {
    // No such folder, or the host's watches are used up; see above.
  }
  return { isOver: () => watcher === null, cancel };
}
