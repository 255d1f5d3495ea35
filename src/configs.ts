import { asFailure, Failure } from '../machines/failure.ts';
import type { Folder } from '../machines/folder.ts';
import type { FolderReport } from '../machines/protocol.ts';
import { watchFolder } from './config/watch.ts';
import type { Log } from './control/log.ts';
import { because } from './control/prose.ts';
import type { StatePaths } from './ledger/paths.ts';
import { marksOf } from './process/adopt.ts';
import { appPrefix, folderMark } from './process/mark.ts';

// What the config files say, on its way from the folder to the root.

/** The apps whose file came, went, or is another one than before; and their namesakes, in whose status it shows. */
export function namesChanged(before: Folder['files'], now: Folder['files']): Set<string> {
  const entries = [...Object.values(before), ...Object.values(now)];
  const changed = entries.filter(({ file }) => before[file] !== now[file]);
  const names = new Set(changed.map(({ name }) => name.toLowerCase()));
  return new Set(entries.map(({ name }) => name).filter((name) => names.has(name.toLowerCase())));
}

interface ConfigListener {
  readonly told: (report: FolderReport) => void;
  /** Nothing can be watched. */
  readonly failed: (failure: Failure) => void;
}

/** Follows the config files, and says in the log what is wrong with one. */
export function watchConfigs(paths: StatePaths, log: Log, { told, failed }: ConfigListener): () => void {
  const report = (found: FolderReport) => {
    if (found.type === 'config.broken') log.write('error', because(found.failure), found.name);
    told(found);
  };
  const warn = (failure: Failure) => log.write('warn', because(failure));
  const watching = watchFolder(paths.folder, report, { warn });
  watching.catch((thrown: unknown) => failed(asFailure(thrown)));
  return () =>
    void watching.then(
      (watch) => watch.close(),
      () => undefined,
    );
}

/** An app whose program runs is not touched: its files would change under it. */
export function withoutProgram(report: FolderReport, folder: string): FolderReport {
  if (report.type !== 'config.put') return report;
  const { file, name, config } = report;
  if (marksOf(appPrefix(folderMark(folder), name)).length > 0) {
    const failure = new Failure('path-occupied', {
      doing: 'bringing up to date',
      subject: name,
      reason: 'its program is running',
      hint: 'Stop it first (huddle stop --all), or let the running Huddle do it (huddle check).',
    });
    return { type: 'config.broken', file, name, failure };
  }
  return { ...report, config: { ...config, watchdog: null, application: { ...config.application, start: null } } };
}
