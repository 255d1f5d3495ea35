import { closeSync, openSync } from 'node:fs';
import { linkTo, viewerAddress } from '../control/link.ts';
import { listeningOf } from './listening.ts';
import type { Options } from './options.ts';

/**
 * Runs Huddle in the foreground until it is told to stop; resolves with the exit code.
 *
 * The first SIGTERM or SIGINT stops all programs, a second one kills them. SIGHUP checks every remote; from a terminal
 * that hangs up it is like SIGTERM. A TLS certificate is read anew with it.
 */
export async function run(options: Options): Promise<number> {
  const listening = listeningOf(options);
  const { startDaemon } = await import('../daemon.ts');
  const opened = options.inspect ? showInspector : () => {};
  const daemon = await startDaemon({ ...options, filesOnly: options.once, listening, opened });
  const hadTerminal = hasTerminal();
  let isStopping = false;
  const stop = () => {
    if (isStopping) daemon.kill();
    else daemon.shutdown();
    isStopping = true;
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) return stop();
    daemon.renew();
    daemon.checkAll();
  });
  if (!options.once) {
    await daemon.ended;
    return 0;
  }
  const apps = await Promise.race([daemon.settled(), daemon.ended]);
  daemon.shutdown();
  await daemon.ended;
  return apps?.every(({ error }) => error === null) ? 0 : 1;
}

/** Where nobody looks on, output ends up in a journal: no place for a token. */
function showInspector(url: string, token: string): void {
  const isSeen = process.stdout.isTTY;
  const [page, viewer] = isSeen
    ? [linkTo(url, '/inspector', token), viewerAddress(url, token)]
    : [`${url}/inspector`, viewerAddress(url, 'TOKEN')];
  const whence = isSeen ? '' : '  (TOKEN: what is in .huddle/token)\n';
  process.stdout.write(`inspector, in a browser:     ${page}\ninspector, for a receiver:   ${viewer}\n${whence}`);
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
