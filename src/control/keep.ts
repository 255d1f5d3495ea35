import { asFailure, type Failure } from '../../machines/failure.ts';
import type { Control } from './server.ts';

/** Between two looks whether it is still there; milliseconds. */
const period = 5000;

/** A control API that is kept up. */
export interface Kept<One> {
  /** null while it cannot be served. */
  current(): One | null;
  close(): Promise<void>;
}

/**
 * Serves the control API for as long as Huddle runs: a socket or port that cannot be had, or a socket that somebody has
 * removed, is had as soon as that is possible. Programs never wait for it: `warn` is told when it begins to fail, and
 * with null when that has ended.
 */
export function keepControl<One extends Control>(
  serve: () => Promise<One>,
  warn: (failure: Failure | null) => void,
): Kept<One> {
  let control: One | null = null;
  let isFailing = false;
  let isClosed = false;
  const attend = async (): Promise<void> => {
    try {
      if (isClosed || control?.isThere() === true) return;
      await control?.close();
      control = null;
      control = await serve();
      if (isFailing) warn(null);
      isFailing = false;
    } catch (thrown) {
      if (!isFailing) warn(asFailure(thrown));
      isFailing = true;
    }
  };
  let work = attend();
  const timer = setInterval(() => {
    work = work.then(attend);
  }, period);
  return {
    current: () => control,
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      await work;
      await control?.close();
    },
  };
}
