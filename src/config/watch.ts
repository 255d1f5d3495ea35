import os from 'node:os';
import path from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { asFailure, Failure } from '../../machines/failure.ts';
import type { FolderReport } from '../../machines/protocol.ts';
import { identityOf, KnownFiles } from './known-files.ts';
import { isConfigFile } from './name.ts';

export interface WatchOptions {
  /** The home of the user who runs Huddle; `~` in the files. */
  readonly home?: string;
  /** Told of what went wrong without ending the watch: the system that cannot watch, a `report` that threw. */
  readonly warn?: (failure: Failure) => void;
}

/** Events of one moment make one look; milliseconds. */
const gatherTime = 10;

/** How often the folder itself is looked at (one `stat`): mounts, and parents that are moved, raise no event. Milliseconds. */
const heartbeat = 5_000;

/** How often everything is looked at while nothing can be watched; milliseconds. */
const pollTime = 1_000;

/**
 * Watches the folder of the config files. First every file is reported, in the order of their names, and then
 * `config.read`; when it resolves, changes are being watched. Rejects with a `Failure` where there is no folder at the
 * start; a folder that vanishes later is waited for.
 */
export async function watchFolder(
  dir: string,
  report: (report: FolderReport) => void,
  options: WatchOptions = {},
): Promise<{ close(): Promise<void> }> {
  const folder = path.resolve(dir);
  const watching = new FolderWatch(folder, report, options);
  await watching.start();
  return { close: () => watching.close() };
}

class FolderWatch {
  readonly #folder: string;
  readonly #files: KnownFiles;
  readonly #report: (report: FolderReport) => void;
  readonly #warn: (failure: Failure) => void;
  #watcher: FSWatcher | null = null;
  /** The folder that the watcher watches; null: it has to be set up (anew). */
  #watched: string | null = null;
  /** Why nothing can be watched has been told; until the folder is another one, it is polled. */
  #polled: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #due = Infinity;
  #heart: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(folder: string, report: (report: FolderReport) => void, { home = os.homedir(), warn }: WatchOptions) {
    this.#folder = folder;
    this.#files = new KnownFiles({ folder, home });
    this.#report = report;
    this.#warn = warn ?? (() => {});
  }

  async start(): Promise<void> {
    const { identity, reports } = await this.#files.look(performance.now(), { first: true });
    if (identity === null) throw noFolder(this.#folder);
    for (const report of reports) this.#tell(report);
    this.#tell({ type: 'config.read' });
    await this.#watch(identity);
    // What changed between the first look and the watch has raised no event.
    this.#lookIn(0);
    this.#heart = setInterval(() => void this.#beat(), heartbeat);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#heart);
    await this.#looking;
    await this.#watcher?.close();
  }

  /** A look in so many milliseconds, unless one is due before. */
  #lookIn(delay: number): void {
    const due = performance.now() + delay;
    if (this.#isClosed || due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((thrown: unknown) => this.#complain(asFailure(thrown)));
    }, delay);
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { identity, reports, again } = await this.#files.look(performance.now());
    for (const report of reports) this.#tell(report);
    if (again !== null) this.#lookIn(again);
    if (identity === null) this.#watched = null;
    else if (identity !== this.#watched && identity !== this.#polled) {
      await this.#watch(identity);
      this.#lookIn(0);
    }
    if (this.#watched === null) this.#lookIn(pollTime);
  }

  /** The watcher of one folder does not follow when another one takes its path, so each gets its own. */
  async #watch(identity: string): Promise<void> {
    await this.#watcher?.close();
    if (this.#isClosed) return;
    const watcher = watch(this.#folder, {
      depth: 0,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      atomic: false,
      ignored: (file, stats) =>
        file !== this.#folder &&
        (stats?.isDirectory() === true || (stats?.isFile() === true && !isConfigFile(path.basename(file)))),
    });
    this.#watcher = watcher;
    this.#watched = identity;
    this.#polled = null;
    await new Promise<void>((resolve) => {
      watcher.on('ready', resolve).on('error', (thrown) => {
        this.#poll(watcher, identity, thrown);
        resolve();
      });
      watcher.on('all', (_, file) => {
        if (file === this.#folder) this.#watched = null;
        this.#lookIn(gatherTime);
      });
      // Of a symlink that points nowhere, chokidar tells no more than this.
      watcher.on('raw', (event) => {
        if (event === 'rename') this.#lookIn(gatherTime);
      });
    });
  }

  /** The system's limits on watches are the usual cause: then looking often has to do. */
  #poll(watcher: FSWatcher, identity: string, thrown: unknown): void {
    if (watcher !== this.#watcher || this.#polled !== null) return;
    this.#polled = identity;
    this.#watched = null;
    void watcher.close();
    this.#complain(unwatchable(this.#folder, thrown));
    this.#lookIn(pollTime);
  }

  async #beat(): Promise<void> {
    if ((await identityOf(this.#folder)) !== this.#watched) this.#lookIn(0);
  }

  #tell(report: FolderReport): void {
    if (this.#isClosed) return;
    try {
      this.#report(report);
    } catch (thrown) {
      this.#complain(asFailure(thrown));
    }
  }

  #complain(failure: Failure): void {
    try {
      this.#warn(failure);
    } catch {
      // Who cannot bear to hear of an error cannot be told of this one either.
    }
  }
}

function noFolder(folder: string): Failure {
  return new Failure('directory-missing', {
    doing: 'watching',
    subject: folder,
    reason: 'there is no such folder, or it cannot be read',
    hint: 'Name the folder that holds the config files with -c DIR.',
  });
}

function unwatchable(folder: string, thrown: unknown): Failure {
  return new Failure('internal', {
    doing: 'watching',
    subject: folder,
    reason: thrown instanceof Error ? thrown.message : String(thrown),
    hint: 'It is looked at every second instead. On Linux, raise fs.inotify.max_user_watches and max_user_instances.',
    cause: thrown,
  });
}
