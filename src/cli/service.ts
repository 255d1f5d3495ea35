import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import { configFiles, readFromDisk } from '../config/file.ts';
import type { Options } from './options.ts';

/** What the service manager is told to run: paths of the machine that it is for. */
export interface Place {
  readonly node: string;
  /** The `huddle` command's own file. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
}

/** `huddle service`: prints what has Huddle run on DIR from boot on: a systemd unit, or a line for Windows. */
export async function service(options: Options): Promise<number> {
  const here = process.platform === 'win32' ? 'windows' : 'systemd';
  const target = options.for ?? here;
  const place = target === here ? placeHere(options) : placeElsewhere(target, options);
  if (target === 'windows') {
    const { windowsTask } = await import('./windows-task.ts');
    process.stdout.write(windowsTask(place));
    return 0;
  }
  const { systemdUnit } = await import('./systemd-unit.ts');
  const longestStop = target === here ? await longestStopIn(options.folder) : 0;
  const { username } = userInfo();
  process.stdout.write(systemdUnit({ place, longestStop, kind: options.user ? 'user' : 'system', username }));
  return 0;
}

function placeHere({ folder, state, debug }: Options): Place {
  const stated = state === undefined ? [] : ['--state', path.resolve(state)];
  return {
    node: process.execPath,
    command: process.argv[1] ?? '',
    args: ['-c', path.resolve(folder), ...stated, ...(debug ? ['--debug'] : [])],
  };
}

/** Where things usually are on the other platform; DIR is taken as it is written. */
function placeElsewhere(target: string, { folder, state, debug }: Options): Place {
  const stated = state === undefined ? [] : ['--state', state];
  const args = ['-c', folder, ...stated, ...(debug ? ['--debug'] : [])];
  if (target === 'systemd') return { node: '/usr/bin/node', command: '/usr/local/bin/huddle', args };
  const program = String.raw`C:\Program Files\nodejs`;
  return { node: `${program}\\node.exe`, command: `${program}\\node_modules\\huddle\\src\\huddle.cjs`, args };
}

/** The longest that a program of the folder may take to stop; seconds. A `Failure` where there is no such folder. */
async function longestStopIn(folder: string): Promise<number> {
  const origin = { folder, home: homedir() };
  const files = await configFiles(folder);
  const readings = await Promise.all(files.map((file) => readFromDisk(path.join(folder, file), file, origin)));
  return Math.max(0, ...readings.map((reading) => reading?.config?.application.stopTimeout ?? 0));
}
