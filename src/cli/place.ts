import path from 'node:path';
import type { Options } from './options.ts';

/** What the service manager is told to run: paths of the machine that it is for. */
export interface Place {
  readonly node: string;
  /** The `huddle` command's own file. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
}

/** This very command, so that it is found from anywhere. */
export function placeHere({ folder, state, debug }: Options): Place {
  const stated = state === undefined ? [] : ['--state', path.resolve(state)];
  return {
    node: process.execPath,
    command: process.argv[1] ?? '',
    args: ['-c', path.resolve(folder), ...stated, ...(debug ? ['--debug'] : [])],
  };
}

/** Where things usually are on the other platform; DIR is taken as it is written. */
export function placeElsewhere(target: string, { folder, state, debug }: Options): Place {
  const stated = state === undefined ? [] : ['--state', state];
  const args = ['-c', folder, ...stated, ...(debug ? ['--debug'] : [])];
  if (target === 'systemd') return { node: '/usr/bin/node', command: '/usr/local/bin/huddle', args };
  const program = String.raw`C:\Program Files\nodejs`;
  return { node: `${program}\\node.exe`, command: `${program}\\node_modules\\huddle\\src\\huddle.cjs`, args };
}
