import { homedir } from 'node:os';
import type { AppConfig } from '../machines/config.ts';
import { configIn } from '../machines/policy.ts';
import { asFailure, type Failure } from '../machines/failure.ts';
import { configFiles, readFromDisk } from './config/file.ts';
import { appName } from './config/name.ts';
import { type Desk, type Office, openDesk } from './effects/desk.ts';
import { stopCommand } from './effects/program.ts';
import { endProgram } from './effects/remains.ts';
import { turns } from './effects/turns.ts';
import { noPrograms, type ProgramRecord } from './ledger/app-ledger.ts';
import { takeBoth } from './ledger/lock.ts';
import { statePaths } from './ledger/paths.ts';
import { endMarked } from './process/end.ts';
import { folderMark } from './process/mark.ts';

export interface StoppedApp {
  readonly name: string;
  /** Why it may still run, or start with the next Huddle; null: it is stopped. */
  readonly failure: Failure | null;
}

/**
 * Stops all apps of a folder on which no Huddle runs: what a Huddle that was killed, or has left, let run on; and lets
 * the next Huddle know that they are stopped. Fails with `path-occupied` where a Huddle runs after all.
 */
export async function stopFolder(
  { folder, state }: { readonly folder: string; readonly state: string | undefined },
  warn: Office['warn'],
): Promise<readonly StoppedApp[]> {
  const paths = statePaths(folder, state);
  const { lock, leaveFolder } = takeBoth(paths);
  try {
    const office: Office = { paths, remains: [], warn, network: turns(1), local: turns(1) };
    const files = await configFiles(paths.folder);
    const stopped = await Promise.all(
      files.map((file) => stopApp(file, openDesk(appName(file), office), paths.folder)),
    );
    // What is left is of apps whose file is gone.
    await endMarked(`${folderMark(paths.folder)}:`);
    return stopped;
  } finally {
    lock.release();
    leaveFolder();
  }
}

/** Stops what an app has left running, as its config file says where that can be read, and has it stay stopped. */
export async function stopApp(file: string, desk: Desk, folder: string): Promise<StoppedApp> {
  const { name, ledger } = desk;
  try {
    for (const record of Object.values(ledger.programs)) {
      if (record !== null) await stopProgram(record, desk, await readConfig(file, folder));
    }
    desk.doors.closeSockets();
    await desk.sweep();
    ledger.rememberPrograms(noPrograms);
    return { name, failure: await ledger.remember({ stopped: true }) };
  } catch (thrown) {
    return { name, failure: asFailure(thrown) };
  }
}

async function stopProgram(record: ProgramRecord, desk: Desk, config: AppConfig | null): Promise<void> {
  const { mark, revision, directory } = record;
  const placed = config && configIn(config, directory ?? config.repository.localPath);
  const command =
    placed === null ? null : stopCommand({ name: desk.name, config: placed, revision, mark, log: null }, desk);
  const { signal } = new AbortController();
  await endProgram(record, desk, { ...(config?.application ?? usual), command }, signal);
}

/** What a broken file says nothing of: the defaults of `src/config/keys.ts`. */
const usual = { stopSignal: 'SIGTERM', stopTimeout: 10 } as const;

async function readConfig(file: string, folder: string): Promise<AppConfig | null> {
  const reading = await readFromDisk(`${folder}/${file}`, file, { folder, home: homedir() });
  return reading?.config ?? null;
}
