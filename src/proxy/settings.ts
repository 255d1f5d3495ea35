import { ownFile } from '../platform/own-file.ts';

/** What a proxy is started with. */
export interface ProxySettings {
  /** Where clients come in; an empty host is every address of this machine, port 0 any that is free. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Where it can be told what to do: a unix socket that only its owner may open; on Windows a named pipe. */
  readonly control: string;
  /** The file that remembers where it points, for the next proxy. */
  readonly memory: string;
  /**
   * How long open requests may keep an old release alive, and the proxy itself when it is to end, until it is told
   * otherwise; seconds.
   */
  readonly drainTimeout: number;
  /** Threads that serve; without it one for each core, and at most four. */
  readonly workers?: number;
  /** How long a request waits until a release can answer; seconds, 30 without it. */
  readonly patience?: number;
  /**
   * How many requests may wait in the whole proxy; 2048 without it. What each of them holds is bounded by Node: a head of
   * 16 kB, and one read (64 kB) of a body that nobody asks for yet.
   */
  readonly room?: number;
}

/** The release that requests go to. */
export interface Target {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly revision: string;
}

/** What a proxy is told when it is pointed to a release. */
export interface Pointing extends Target {
  /** From now on in the stead of the setting: an edit needs no other proxy. */
  readonly drainTimeout?: number;
}

/**
 * What Huddle starts, and supervises like a program. It ends by SIGTERM when its open requests have been answered, or
 * after the drain timeout, or by a second SIGTERM at once.
 */
export function startArgv(settings: ProxySettings): string[] {
  return [process.execPath, ownFile('proxy/main'), JSON.stringify(settings)];
}
