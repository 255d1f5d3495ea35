import type { ArgsDef } from 'citty';
import type { Action } from '../control/client.ts';
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

// The words that a verb takes: `front.ts` and the completion know by these names where they belong.
const app: ArgsDef = { app: { type: 'positional', description: 'this one' } };
const apps: ArgsDef = { 'app…': { type: 'positional', description: 'these' } };
const anyApps: ArgsDef = { 'app…': { type: 'positional', required: false, description: 'only these' } };

/** How Huddle is reached over a network. */
const listening: ArgsDef = {
  listen: { type: 'string', valueHint: '[HOST:]PORT', description: 'serve dashboard, API and metrics there as well' },
  inspect: { type: 'boolean', description: 'listen on 127.0.0.1:7357, and print the addresses of the inspector' },
  'allow-host': { type: 'string', valueHint: 'NAME', description: 'a name of a reverse proxy in front; repeatable' },
  'tls-cert': {
    type: 'string',
    valueHint: 'FILE',
    description: 'certificate for --listen, PEM; SIGHUP reads it anew',
  },
  'tls-key': { type: 'string', valueHint: 'FILE', description: 'its key, PEM' },
  insecure: { type: 'boolean', description: 'listen beyond this machine without TLS' },
};

/** No verb: the foreground. */
export const root: Command = {
  meta: { name: 'huddle', description: 'Keeps programs running from git: each config file in DIR is one app.' },
  args: {
    once: { type: 'boolean', description: 'bring every app to its newest good revision, start nothing, and end' },
    ...listening,
    ...everywhere,
  },
  lasting: true,
  run: async (options) => (await import('./run.ts')).run(options),
};

/** What an operator does with apps: each is an action of the control API. */
function action(name: Action, description: string, args: ArgsDef): Command {
  return {
    meta: { name, description },
    args: { ...args, ...json, ...everywhere },
    run: async (options) => (await import('./act.ts')).act(name, options),
  };
}

const all: ArgsDef = { all: { type: 'boolean', description: 'every app that there is' } };
const dryRun: ArgsDef = { 'dry-run': { type: 'boolean', description: 'only say what would be deployed' } };
const revision: ArgsDef = {
  revision: { type: 'positional', required: false, description: 'a commit, a branch or a tag; default: the newest' },
};

export const verbs: readonly Command[] = [
  {
    meta: { name: 'status', description: 'Show what every app is doing.' },
    args: {
      ...anyApps,
      watch: { type: 'boolean', description: 'go on showing it, on every change' },
      ...json,
      ...everywhere,
    },
    run: async (options) => (await import('./status.ts')).status(options),
  },
  {
    meta: { name: 'logs', description: 'Show what the programs have written; needs no running Huddle.' },
    args: {
      ...anyApps,
      follow: { type: 'boolean', alias: 'f', description: 'go on with what they write from now on' },
      lines: { type: 'string', alias: 'n', valueHint: 'N', description: 'so many of the last lines; default: 10' },
      deploy: { type: 'boolean', description: 'what git, tests and scripts have written instead' },
      ...everywhere,
    },
    run: async (options) => (await import('./logs.ts')).logs(options),
  },
  action('check', 'Ask the remote now, and deploy what is new.', { ...apps, ...dryRun, ...all }),
  action('deploy', 'Deploy a revision, or the newest one; a named one stays until resume.', { ...app, ...revision }),
  action('rollback', 'Go back to the last good revision, and stay there until resume.', app),
  action('restart', 'Restart the program; start an app that is stopped.', { ...apps, ...all }),
  action('stop', 'Stop the program, and check no more, until start.', { ...apps, ...all }),
  action('start', 'Start an app that is stopped.', { ...apps, ...all }),
  action('pause', 'Check no more until resume; the program runs on.', { ...apps, ...all }),
  action('resume', 'End a pause, and let go of a revision deployed by hand.', { ...apps, ...all }),
  {
    meta: {
      name: 'history',
      description: 'Show what was deployed when, and what was not, and why; needs no running Huddle.',
    },
    args: {
      ...app,
      lines: { type: 'string', alias: 'n', valueHint: 'N', description: 'only the newest so many; default: 100' },
      ...json,
      ...everywhere,
    },
    run: async (options) => (await import('./history.ts')).history(options),
  },
  {
    meta: { name: 'detach', description: 'Have Huddle leave and the programs run on, for an upgrade of Huddle.' },
    args: { ...json, ...everywhere },
    run: async (options) => (await import('./detach.ts')).detach(options),
  },
  {
    meta: { name: 'open', description: 'Print the link to the dashboard; on a desktop, open it.' },
    args: { ...json, ...everywhere },
    run: async (options) => (await import('./open.ts')).open(options),
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
  {
    meta: { name: 'webhook', description: 'Make a secret if there is none; print address and secret for the forge.' },
    args: { app: { type: 'positional', description: 'the app' }, ...json, ...everywhere },
    run: async (options) => (await import('./webhook.ts')).webhook(options),
  },
  {
    meta: { name: 'service', description: 'Print a systemd unit, or what starts Huddle at boot on Windows.' },
    args: {
      for: { type: 'enum', options: ['systemd', 'windows'], description: 'for such a machine; default: this one' },
      user: { type: 'boolean', description: "a unit of the user's own systemd, which needs no root" },
      ...listening,
      ...everywhere,
    },
    run: async (options) => (await import('./service.ts')).service(options),
  },
  {
    meta: { name: 'completion', description: 'Print the completion script of bash, zsh or fish.' },
    args: { shell: { type: 'positional', description: 'bash, zsh or fish' }, ...everywhere },
    run: async (options) => (await import('./completion.ts')).completion(options),
  },
];
