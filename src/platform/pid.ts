import { errorCode } from './error-code.ts';

/** Whether somebody has this pid now, be it a zombie or another user's: a fifth of the cost of a whole look. */
export function isTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
