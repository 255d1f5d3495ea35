import type { HistoryEntry } from '../../machines/facts.ts';
import type { AppStatus } from './status.ts';

/** What the control API asks and shows: the running Huddle, seen from outside. */
export interface Source {
  /** Every app, in the order in which people expect them: by name. */
  apps(): readonly AppStatus[];
  app(name: string): AppStatus | undefined;
  /** The newest `limit` attempts of an app that exists, newest first. */
  history(name: string, limit: number): Promise<readonly HistoryEntry[]>;
  /** Tells of changes from now on; returns what ends that. A listener does not throw. */
  subscribe(listener: (change: Change) => void): () => void;
}

export type Change =
  /** The status of this app may have changed; or it came, or it went. To tell too often is harmless. */
  | { readonly type: 'app'; readonly name: string }
  | { readonly type: 'deployment'; readonly name: string; readonly entry: HistoryEntry };
