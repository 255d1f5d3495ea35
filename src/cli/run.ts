import { closeSync, openSync } from 'node:fs';
import type { Options } from './options.ts';

/**
 * Runs Huddle in the foreground until it is told to stop; resolves with the exit code.
 *
 * The first SIGTERM or SIGINT stops all programs, a second one kills them. SIGHUP checks every remote; from a terminal
 * that hangs up it is like SIGTERM.
 */
export async function run(options: Options): Promise<number> {
  const { startDaemon } = await import('../daemon.ts');
  const daemon = await startDaemon({ ...options, filesOnly: options.once });
  const hadTerminal = hasTerminal();
  let isStopping = false;
  const stop = () => {
    if (isStopping) daemon.kill();
    else daemon.shutdown();
    isStopping = true;
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => (hadTerminal && !hasTerminal() ? stop() : daemon.checkAll()));
  if (!options.once) {
    await daemon.ended;
    return 0;
  }
  const apps = await Promise.race([daemon.settled(), daemon.ended]);
  daemon.shutdown();
  await daemon.ended;
  return apps?.every(({ error }) => error === null) ? 0 : 1;
}

/** A process whose terminal has hung up can no longer open it. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
