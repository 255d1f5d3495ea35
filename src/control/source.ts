import type { WebSocket } from 'ws';
import type { HistoryEntry } from '../../machines/facts.ts';
import type { Order } from '../../machines/protocol.ts';
import type { AppStatus } from './status.ts';

/** What the control API asks and shows: the running Huddle, seen from outside. */
export interface Source {
  /** Every app, in the order in which people expect them: by name. */
  apps(): readonly AppStatus[];
  app(name: string): AppStatus | undefined;
  /** The newest `limit` attempts of an app that exists, newest first. */
  history(name: string, limit: number): Promise<readonly HistoryEntry[]>;
  /** Has an app that exists do something; resolves with what came of it, in one line. Rejects when it failed. */
  order(name: string, order: Order): Promise<string>;
  /** What a check of an app that exists would do, in one line. Rejects when the remote cannot be asked. */
  preview(name: string): Promise<string>;
  /** Has Huddle leave and its programs run on; their names. */
  detach(): readonly string[];
  /** Where the logs of an app that exists are. */
  logs(name: string): { readonly appLog: string; readonly deployLog: string };
  /** What the forge of an app signs with; null where there is no such app, or nobody may wake it. */
  secret(name: string): string | null;
  /** Has an app ask its remote, soon. */
  wake(name: string): void;
  /** Who is asked. */
  about(): Whereabouts;
  /** What Prometheus is told; loaded when it is first asked for. */
  metrics(): Promise<Metrics>;
  /** Takes over a WebSocket on which the live actor system is to be shown, and its end; not there: nobody shows it. */
  readonly attach?: (viewer: WebSocket) => void;
  /** Tells of changes from now on; returns what ends that. A listener does not throw. */
  subscribe(listener: (change: Change) => void): () => void;
}

/** The running Huddle itself. */
export interface Whereabouts {
  readonly version: string;
  readonly pid: number;
  /** DIR. */
  readonly folder: string;
  /** null: it was not asked to listen on TCP. `url` is null while it cannot. */
  readonly listen: { readonly address: string; readonly url: string | null } | null;
}

/** A text, and what the standard calls its type. */
export interface Metrics {
  readonly type: string;
  readonly text: string;
}

export type Change =
  /** The status of this app may have changed; or it came, or it went. To tell too often is harmless. */
  | { readonly type: 'app'; readonly name: string }
  | { readonly type: 'deployment'; readonly name: string; readonly entry: HistoryEntry };
