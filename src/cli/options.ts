/** What a command is called with, checked and complete; what it does not take has the value of `noOptions`. */
export interface Options {
  /** DIR as the user named it. */
  readonly folder: string;
  /** Where the state lives, when not in DIR. */
  readonly state: string | undefined;
  readonly debug: boolean;
  readonly json: boolean;
  readonly once: boolean;
  readonly watch: boolean;
  readonly dryRun: boolean;
  readonly all: boolean;
  readonly follow: boolean;
  readonly deploy: boolean;
  readonly lines: number | undefined;
  readonly user: boolean;
  readonly for: string | undefined;
  /** `[HOST:]PORT`. */
  readonly listen: string | undefined;
  readonly inspect: boolean;
  readonly allowHosts: readonly string[];
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly insecure: boolean;
  /** The words after the verb, each where the verb wants it. */
  readonly apps: readonly string[];
  readonly revision: string | undefined;
  readonly shell: string | undefined;
}

/** A command line without any. */
export const noOptions: Options = {
  folder: '.',
  state: undefined,
  debug: false,
  json: false,
  once: false,
  watch: false,
  dryRun: false,
  all: false,
  follow: false,
  deploy: false,
  lines: undefined,
  user: false,
  for: undefined,
  listen: undefined,
  inspect: false,
  allowHosts: [],
  tlsCert: undefined,
  tlsKey: undefined,
  insecure: false,
  apps: [],
  revision: undefined,
  shell: undefined,
};
