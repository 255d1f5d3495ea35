import path from 'node:path';
import type { Options } from './options.ts';

/** What the service manager is told to run: paths of the machine that it is for. */
export interface Place {
  readonly node: string;
  /** The `huddle` command's own file. */
  readonly command: string;
  /** What follows it, and every command that is to reach this Huddle. */
  readonly args: readonly string[];
  /** How it is to be reached over a network. */
  readonly listening: readonly string[];
}

/** This very command, so that it is found from anywhere. */
export function placeHere(options: Options): Place {
  const { folder, state, debug } = options;
  const stated = state === undefined ? [] : ['--state', path.resolve(state)];
  return {
    node: process.execPath,
    command: process.argv[1] ?? '',
    args: ['-c', path.resolve(folder), ...stated, ...(debug ? ['--debug'] : [])],
    listening: listeningArgs(options, path.resolve),
  };
}

/** Where things usually are on the other platform; DIR is taken as it is written. */
export function placeElsewhere(target: string, options: Options): Place {
  const { folder, state, debug } = options;
  const listening = listeningArgs(options, (file) => file);
  const stated = state === undefined ? [] : ['--state', state];
  const args = ['-c', folder, ...stated, ...(debug ? ['--debug'] : [])];
  if (target === 'systemd') return { node: '/usr/bin/node', command: '/usr/local/bin/huddle', args, listening };
  const program = String.raw`C:\Program Files\nodejs`;
  return {
    node: `${program}\\node.exe`,
    command: `${program}\\node_modules\\huddle\\src\\huddle.cjs`,
    args,
    listening,
  };
}

/** The options of `listening` in `commands.ts` that were given, their files named so that they are found. */
function listeningArgs(options: Options, nameOf: (file: string) => string): string[] {
  const { listen, inspect, allowHosts, tlsCert, tlsKey, insecure } = options;
  return [
    ...(listen === undefined ? [] : ['--listen', listen]),
    ...(inspect ? ['--inspect'] : []),
    ...allowHosts.flatMap((host) => ['--allow-host', host]),
    ...(tlsCert === undefined ? [] : ['--tls-cert', nameOf(tlsCert)]),
    ...(tlsKey === undefined ? [] : ['--tls-key', nameOf(tlsKey)]),
    ...(insecure ? ['--insecure'] : []),
  ];
}
