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
  /** What the program of an app that exists uses now; null where nothing runs, or the platform does not tell. */
  usage(name: string): Usage | null;
  /** Where the commits of an app that exists come from; null where its config cannot be read. */
  repository(name: string): Repository | null;
  /** A file of the dashboard by its path (`/` is the page itself), loaded when it is first asked for; null: there is none. */
  page(path: string): Promise<PageFile | null>;
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

/** What the processes of a program use: bytes of resident memory, seconds of processor time. */
export interface Usage {
  readonly processes: number;
  readonly memory: number;
  readonly cpu: number;
}

export interface Repository {
  /** Without user names, passwords and queries. */
  readonly remote: string;
  /** The address of a commit's page at the forge, with `{revision}` in its place; null: no forge that is known. */
  readonly commit: string | null;
}

/** A file that a browser is given, ready to be sent. */
export interface PageFile {
  readonly headers: Readonly<Record<string, string>>;
  readonly plain: Buffer<ArrayBuffer>;
  /** The same by gzip. */
  readonly packed: Buffer<ArrayBuffer>;
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
