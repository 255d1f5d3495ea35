import { Readable } from 'node:stream';
import { tail } from '../logs/follow.ts';

/** Where the logs of one app are. */
export interface LogPaths {
  readonly appLog: string;
  readonly deployLog: string;
}

/** Why a request for a log cannot be answered, for those who made it. */
export interface Refused {
  readonly message: string;
  readonly hint: string;
}

const defaultLines = '10';

/**
 * The log that a request asks for, as a stream of bytes: the last `lines` (10), with `follow=1` what is written from then
 * on, with `deploy=1` deploy.log. It reads no faster than it is read from, so that a slow client costs no memory; what
 * is rotated away meanwhile is left out, and a line says how much. One that follows ends when it is destroyed.
 */
export function logStream(paths: LogPaths, query: URLSearchParams): Readable | Refused {
  const lines = query.get('lines') ?? defaultLines;
  if (!/^\d{1,9}$/.test(lines)) return { message: 'lines is no number of lines', hint: 'Ask for 0 to 999999999.' };
  for (const name of ['follow', 'deploy']) {
    if (!['0', '1'].includes(query.get(name) ?? '0'))
      return { message: `${name} is neither 0 nor 1`, hint: `Ask with ${name}=1.` };
  }
  const ending = new AbortController();
  const path = query.get('deploy') === '1' ? paths.deployLog : paths.appLog;
  const pieces = tail(path, {
    lines: Number(lines),
    follow: query.get('follow') === '1',
    signal: ending.signal,
  });
  return new Readable({
    read() {
      pieces.next().then(
        ({ value, done }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    // At once: the piece that is being waited for may never come.
    destroy(error, done) {
      ending.abort();
      done(error);
    },
  });
}
