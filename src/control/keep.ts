import { asFailure, type Failure } from '../../machines/failure.ts';
import type { Control } from './server.ts';
import type { Source } from './source.ts';

/** Between two looks whether the socket is still there; milliseconds. */
const period = 5000;

/**
 * Serves the control API for as long as Huddle runs: a socket that cannot be made, or that somebody has removed, is made
 * as soon as that is possible. Programs never wait for it: what goes wrong is warned of when it begins, and when it ends.
 */
export async function keepControl(
  source: Source,
  path: string,
  warn: (failure: Failure | null) => void,
): Promise<Pick<Control, 'close'>> {
  // Not before the programs are started: the HTTP library takes its time to load.
  const { serveControl } = await import('./server.ts');
  let control: Control | null = null;
  let isFailing = false;
  let isClosed = false;
  const attend = async (): Promise<void> => {
    try {
      if (control?.isThere() === true) return;
      await control?.close();
      control = null;
      control = await serveControl(source, path);
      if (isFailing) warn(null);
      isFailing = false;
    } catch (thrown) {
      if (!isFailing) warn(asFailure(thrown));
      isFailing = true;
    }
  };
  let work = attend();
  await work;
  const timer = setInterval(() => {
    work = work.then(() => (isClosed ? undefined : attend()));
  }, period);
  return {
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      await work;
      await control?.close();
    },
  };
}
