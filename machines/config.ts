/** An app's config as the machines and adapters see it: complete, checked, paths absolute. Times are seconds. */
export interface AppConfig {
  readonly repository: Repository;
  readonly timing: Timing;
  readonly test: TestGate | null;
  readonly scripts: Scripts;
  readonly application: Application;
  readonly deployment: Deployment;
  readonly watchdog: Watchdog | null;
  readonly logs: Logs;
  readonly webhook: Webhook;
  readonly notify: Notify;
}

export interface Repository {
  /** URL or absolute path, as configured; may hold a user name and a password. */
  readonly remotePath: string;
  /** Absolute. */
  readonly localPath: string;
  /** null: the remote's default branch. */
  readonly branch: string | null;
  readonly remote: string;
  readonly executable: string;
  /** null: the whole history. */
  readonly depth: number | null;
  readonly submodules: boolean;
  readonly timeout: number;
  readonly sshKey: string | null;
  readonly knownHosts: string | null;
  readonly username: string | null;
  readonly passwordFile: string | null;
}

export interface Timing {
  readonly minimum: number;
  readonly maximum: number | null;
}

/** A string is a line for the shell, a list is the argv itself. */
export type Command = string | readonly string[];

export type TestGate =
  | { readonly kind: 'command'; readonly commands: readonly string[]; readonly timeout: number }
  | {
      readonly kind: 'remote';
      /** `{revision}` and `{branch}` are filled in. */
      readonly url: string;
      readonly pass: string;
      readonly fail: string | null;
      readonly headers: Readonly<Record<string, string>>;
      readonly timeout: number;
    };

export interface Scripts {
  /** Run when a new release is ready side by side, to point to it what forwards requests. */
  readonly switch: readonly string[];
  readonly prePull: readonly string[];
  readonly postPull: readonly string[];
  readonly timeout: number;
}

export interface Application {
  /** null: only the files are kept in sync. */
  readonly start: Command | null;
  /** Relative to the working copy. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly environmentFile: string | null;
  readonly user: string | null;
  readonly stopSignal: string;
  readonly stopTimeout: number;
  readonly stopCommand: string | null;
  readonly restart: 'always' | 'on failure' | 'never';
  readonly crashLimit: number;
  readonly crashWindow: number;
  /** 0: never. */
  readonly retry: number;
  readonly settle: number;
  readonly readyTimeout: number;
  /** Sockets that Huddle opens and hands to the program. */
  readonly listen: readonly Listen[];
  /** Where Huddle's proxy listens for it. */
  readonly proxy: Address | null;
  /** How long open requests keep an old release alive behind the proxy. */
  readonly drainTimeout: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A socket that Huddle opens and hands to the program. */
export type Listen =
  | {
      readonly kind: 'tcp';
      /** An IP address without brackets; `::` is every interface, over IPv4 too. */
      readonly host: string;
      readonly port: number;
    }
  | {
      readonly kind: 'unix';
      /** Absolute. */
      readonly path: string;
    };

export interface Deployment {
  readonly strategy: 'in place' | 'side by side';
  /** Releases kept on disk, side by side. */
  readonly keep: number;
  /** Relative paths that live outside the releases and are linked into each. */
  readonly shared: readonly string[];
  readonly rollback: boolean;
  readonly proving: number;
}

export interface Watchdog {
  readonly period: number;
  /** For one probe. */
  readonly timeout: number;
  /** This many failed probes in a row make the program unhealthy. */
  readonly failures: number;
  readonly probe: Probe;
}

/** `{port}` stands for the release's own. */
export type Probe =
  | { readonly kind: 'http'; readonly url: string; readonly response: string | null }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number | '{port}';
      /** Sent where a response is wanted. */
      readonly request: string;
      readonly response: string | null;
    }
  | { readonly kind: 'command'; readonly command: string };

export interface Logs {
  /** Megabytes. */
  readonly size: number;
  readonly keep: number;
}

export interface Webhook {
  /** Absolute. null: nobody may wake the app. */
  readonly secretFile: string | null;
}

/** Who is told of deployments, rejections, programs given up and recovered. */
export interface Notify {
  /** Lines for the shell. */
  readonly commands: readonly string[];
  /** Gets JSON by POST; holds a secret where it is a chat's. */
  readonly url: string | null;
}
