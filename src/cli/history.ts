import { Failure, oneLine } from '../../machines/failure.ts';
import type { HistoryEntry } from '../../machines/facts.ts';
import { controlClient } from '../control/client.ts';
import { duration } from '../control/prose.ts';
import { statePaths, type StatePaths } from '../ledger/paths.ts';
import { chosen, mustName } from './chosen.ts';
import { Misuse } from './misuse.ts';
import { appsOnDisk, unreadable } from './on-disk.ts';
import type { Options } from './options.ts';
import { cut, displayWidth, fit, outputWidth, paintOutput, type Paint, type Style } from './terminal.ts';

/** So many are shown where nothing else is said, and no more at all: Huddle remembers no more. */
const usual = 100;
const most = 1000;

interface Past {
  readonly history: readonly HistoryEntry[];
}

/**
 * `huddle history APP [-n N]`: what was deployed when, and what was not, and why; the newest first. Where no Huddle runs it
 * reads the file.
 */
export async function history(options: Options): Promise<number> {
  mustName('history', options, false);
  const { lines = usual } = options;
  if (lines < 1 || lines > most) throw new Misuse(`-n needs a number from 1 to ${most}, not ${lines}`, 'Write -n 10.');
  const paths = statePaths(options.folder, options.state);
  const answer = await told(paths, options).catch((error: unknown) => {
    if (error instanceof Failure && error.code === 'not-running') return read(paths, options.apps, lines);
    throw error;
  });
  if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  else process.stdout.write(`${historyLines(answer.history, outputWidth(), paintOutput).join('\n')}\n`);
  return 0;
}

async function told(paths: StatePaths, { apps, lines }: Options): Promise<Past> {
  const client = controlClient(paths);
  const [app] = chosen(await client.apps(), apps);
  const limit = lines === undefined ? '' : `?limit=${lines}`;
  return (await client.get(`/api/apps/${encodeURIComponent(app?.name ?? '')}/history${limit}`)) as Past;
}

async function read(paths: StatePaths, apps: readonly string[], lines: number): Promise<Past> {
  const [name = ''] = appsOnDisk(paths, apps);
  const { readHistory } = await import('../ledger/history.ts');
  const path = paths.app(name).history;
  try {
    return { history: (await readHistory(path)).toReversed().slice(0, lines) };
  } catch (error) {
    throw unreadable(error, path);
  }
}

const titles = ['WHEN', 'RESULT', 'REVISION', 'TOOK', 'DOWN', 'REASON'] as const;

const styles: Readonly<Record<HistoryEntry['result'], Style>> = {
  deployed: 'green',
  'test failed': 'yellow',
  'script failed': 'red',
  'rolled back': 'red',
};

const gap = '  ';

/** A row for each attempt, its columns aligned; the reason takes what is left of the width. */
export function historyLines(entries: readonly HistoryEntry[], width: number, paint: Paint): string[] {
  if (entries.length === 0) return ['nothing deployed yet'];
  const rows = entries.map(cellsOf);
  const widths = titles.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? '')].map(displayWidth)),
  );
  const line = (cells: readonly string[], style: (column: number) => Style | undefined): string => {
    let left = width;
    const parts = cells.map((cell, column) => {
      const text = column === cells.length - 1 ? cut(cell, Math.max(left, 1)) : fit(cell, widths[column] ?? 0);
      left -= displayWidth(text) + gap.length;
      const wanted = style(column);
      return wanted === undefined ? text : paint(wanted, text);
    });
    return parts.join(gap).trimEnd();
  };
  const head = line(titles, () => 'gray');
  return [
    head,
    ...entries.map((entry, row) =>
      line(rows[row] ?? [], (column) => (column === 1 ? styles[entry.result] : undefined)),
    ),
  ];
}

function cellsOf({ at, result, revision, from, seconds, downtime, reason }: HistoryEntry): string[] {
  const moved = from === null ? short(revision) : `${short(revision)} ← ${short(from)}`;
  return [
    localTime(at),
    result,
    moved,
    duration(seconds),
    downtime === null ? '–' : duration(downtime),
    oneLine(reason),
  ];
}

function short(revision: string): string {
  return revision.slice(0, 7);
}

/** As ISO 8601 writes it, but by the clock on the wall: whoever reads this remembers what they did when. */
function localTime(at: string): string {
  // Sweden's dates are those of ISO 8601.
  return new Date(at).toLocaleString('sv-SE');
}
