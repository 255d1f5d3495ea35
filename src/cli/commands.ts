import type { ArgsDef } from 'citty';
import type { Options } from './options.ts';

/** A verb as citty describes it; it loads what it needs only when it runs, and resolves with the exit code. */
export interface Command {
  readonly meta: { readonly name: string; readonly description: string };
  readonly args: ArgsDef;
  /** Runs until it is told to stop: who reads its output may leave before. */
  readonly lasting?: boolean;
  run(options: Options): Promise<number>;
}

/** Every verb takes these, so that `alias huddle='huddle -c /etc/huddle'` goes with all of them. */
const everywhere: ArgsDef = {
  config: {
    type: 'string',
    alias: 'c',
    valueHint: 'DIR',
    description: 'folder of the config files; default: this one',
  },
  state: { type: 'string', valueHint: 'DIR', description: 'folder of the state; default: .huddle in DIR' },
  debug: { type: 'boolean', alias: 'd', description: 'tell more, also where a failure comes from' },
  help: { type: 'boolean', alias: 'h', description: 'print this page' },
  version: { type: 'boolean', description: 'print the version' },
};

const json: ArgsDef = { json: { type: 'boolean', description: 'print JSON' } };

/** No verb: the foreground. */
export const root: Command = {
  meta: { name: 'huddle', description: 'Keeps programs running from git: each config file in DIR is one app.' },
  args: {
    once: { type: 'boolean', description: 'bring every app to its newest good revision, start nothing, and end' },
    ...everywhere,
  },
  lasting: true,
  run: async (options) => (await import('./run.ts')).run(options),
};

export const verbs: readonly Command[] = [
  {
    meta: { name: 'status', description: 'Show what every app is doing.' },
    args: {
      'app…': { type: 'positional', required: false, description: 'only these' },
      watch: { type: 'boolean', description: 'go on showing it, on every change' },
      ...json,
      ...everywhere,
    },
    run: async (options) => (await import('./status.ts')).status(options),
  },
  {
    meta: { name: 'validate', description: 'Check the config files.' },
    args: { ...json, ...everywhere },
    run: async (options) => (await import('./validate.ts')).validate(options),
  },
  {
    meta: { name: 'schema', description: 'Print the JSON Schema of a config file.' },
    args: { ...json, ...everywhere },
    run: async () => (await import('./schema.ts')).schema(),
  },
  {
    meta: { name: 'init', description: 'Write a commented example config.' },
    args: everywhere,
    run: async (options) => (await import('./init.ts')).init(options),
  },
  {
    meta: { name: 'demo', description: 'See a push deploy in a minute, on a throw-away repository, with no network.' },
    args: everywhere,
    lasting: true,
    run: async () => (await import('./demo.ts')).demo(),
  },
];

/** What the contract promises and this version does not have yet: refused, never taken for a typing error. */
export const later = {
  verbs:
    'logs check restart stop start pause resume deploy rollback history detach open webhook service completion'.split(
      ' ',
    ),
  options: 'listen inspect allow-host tls-cert tls-key insecure'.split(' '),
};
