import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import type { AppConfig } from '../../machines/config.ts';
import { configFiles, readFromDisk } from '../config/file.ts';
import { listeningOf } from './listening.ts';
import type { Options } from './options.ts';
import { placeElsewhere, placeHere } from './place.ts';

/** `huddle service`: prints what has Huddle run on DIR from boot on: a systemd unit, or a line for Windows. */
export async function service(options: Options): Promise<number> {
  // What does not go together is told now, not by a service that does not start.
  listeningOf(options);
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
  const kind = options.user ? 'user' : 'system';
  process.stdout.write(systemdUnit({ place, longestStop, kind, username: ownName() }));
  return 0;
}

/** The longest that an app of the folder may take to stop; seconds. A `Failure` where there is no such folder. */
async function longestStopIn(folder: string): Promise<number> {
  const origin = { folder, home: homedir() };
  const files = await configFiles(folder);
  const readings = await Promise.all(files.map((file) => readFromDisk(path.join(folder, file), file, origin)));
  return Math.max(0, ...readings.map((reading) => (reading?.config ? stopIn(reading.config) : 0)));
}

/** The program first, then the proxy, when it has answered what it has begun with. */
function stopIn({ application: { stopTimeout, proxy, drainTimeout } }: AppConfig): number {
  return stopTimeout + (proxy === null ? 0 : drainTimeout);
}

/** A user whom nobody has written down, as in some containers, goes by the number. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}
