import { oneLine } from '../../machines/failure.ts';
import { pasteable, pasteableApp, type Place } from '../control/paste.ts';
import type { AppStatus } from '../control/status.ts';
import { displayWidth, fit, wrap, type Paint, type Style } from './terminal.ts';

export interface Layout {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly paint: Paint;
  /** Whose commands the hints name. */
  readonly place: Place;
}

interface Column {
  readonly title: string;
  /** Cut to no less than this, if it may be cut. */
  readonly least: number;
  text(app: AppStatus, now: number): string;
  style?(app: AppStatus): Style | undefined;
}

const columns = {
  name: { title: 'APP', least: 8, text: ({ name }) => name, style: () => 'bold' },
  state: { title: 'STATE', least: 10, text: stateOf, style: stateStyle },
  program: { title: 'PROGRAM', least: 12, text: programOf, style: programStyle },
  health: {
    title: 'HEALTH',
    least: 9,
    text: ({ health }) => (health === 'unknown' ? '–' : health),
    style: healthStyle,
  },
  revision: { title: 'REVISION', least: 12, text: revisionOf },
  next: { title: 'NEXT', least: 7, text: nextOf },
  restarts: { title: 'RESTARTS', least: 8, text: ({ program }) => String(program.restarts) },
  error: { title: 'ERROR', least: 10, text: ({ error }) => error?.code ?? '', style: () => 'red' },
} as const satisfies Record<string, Column>;

type Key = keyof typeof columns;

/** Left out first where the terminal is narrow: errors stand below the table anyhow. */
const dispensable: readonly Key[] = ['restarts', 'error', 'next', 'health', 'revision'];

/** Where there is still no room, the widest of these is cut, as long as something is left of it. */
const cuttable: readonly Key[] = ['name', 'state', 'program', 'revision', 'error'];

const gap = '  ';

/** The lines of `huddle status`: a row for each app, its columns aligned, and below it what is wrong with which app. */
export function statusLines(apps: readonly AppStatus[], layout: Layout): string[] {
  if (apps.length === 0) return [pasteable('No apps yet: `huddle init` writes an example config.', layout.place)];
  return [...tableOf(apps, layout), ...complaints(apps, layout)];
}

function tableOf(apps: readonly AppStatus[], { width, now, paint }: Layout): string[] {
  const texts = new Map(entries().map(([key, column]) => [key, apps.map((app) => oneLine(column.text(app, now)))]));
  const widths = shares(texts, width);
  const header = [...widths].map(([key, columnWidth]) => fit(columns[key].title, columnWidth));
  const rows = apps.map((app, row) => {
    const cells = [...widths].map(([key, columnWidth]) => {
      const text = fit(texts.get(key)?.[row] ?? '', columnWidth);
      const column: Column = columns[key];
      const style = column.style?.(app);
      return style ? paint(style, text) : text;
    });
    return cells.join(gap);
  });
  return [paint('gray', header.join(gap)), ...rows].map((line) => line.trimEnd());
}

function entries(): [Key, Column][] {
  return Object.entries(columns) as [Key, Column][];
}

/** How wide each column is that is shown; without those that say nothing, or for which there is no room. */
function shares(texts: ReadonlyMap<Key, readonly string[]>, width: number): Map<Key, number> {
  const widths = new Map<Key, number>();
  for (const [key, { title }] of entries()) {
    const cells = texts.get(key) ?? [];
    if (cells.some((cell) => cell !== '')) widths.set(key, Math.max(...[title, ...cells].map(displayWidth)));
  }
  const over = (widthOf: (key: Key, natural: number) => number): number => {
    const taken = [...widths].map(([key, natural]) => widthOf(key, natural) + gap.length);
    return taken.reduce((sum, each) => sum + each, -gap.length) - width;
  };
  for (const key of dispensable) if (over(least) > 0) widths.delete(key);
  for (let excess = over((_key, natural) => natural); excess > 0; excess -= 1) {
    const [widest] = [...widths].filter(([key, taken]) => taken > least(key, taken)).sort(([, a], [, b]) => b - a);
    if (widest === undefined) break;
    widths.set(widest[0], widest[1] - 1);
  }
  return widths;
}

/** What cannot be cut needs its whole width. */
function least(key: Key, natural: number): number {
  return cuttable.includes(key) ? Math.min(natural, columns[key].least) : natural;
}

function complaints(apps: readonly AppStatus[], { width, paint, place }: Layout): string[] {
  const lines = apps.flatMap((app) => {
    const { name, error } = pasteableApp(app, place);
    if (error === null) return [];
    const what = wrap(`${oneLine(name)}: ${oneLine(error.message)} (${error.code})`, width);
    const hint = error.hint === '' ? [] : wrap(oneLine(error.hint), width - 2);
    return [...what.map((line) => paint('red', line)), ...hint.map((line) => `  ${line}`)];
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

/** One app in one line that needs no columns: for a log of changes. */
export function statusLine(app: AppStatus, now: number): string {
  const { name, health, error } = app;
  const parts = [
    stateOf(app),
    programOf(app, now),
    health === 'unknown' ? '' : health,
    revisionOf(app),
    error?.code ?? '',
  ];
  return `${oneLine(name)}: ${parts
    .filter((part) => part !== '')
    .map(oneLine)
    .join(', ')}`;
}

function stateOf({ state, paused, pinned }: AppStatus): string {
  return [state, paused ? 'paused' : '', pinned ? 'pinned' : ''].filter((word) => word !== '').join(', ');
}

function stateStyle({ state }: AppStatus): Style | undefined {
  if (state === 'running' || state === 'checking') return 'green';
  return state === 'stopped' ? 'gray' : 'yellow';
}

function programOf({ program, beside }: AppStatus, now: number): string {
  const up = program.since === null || program.pid === null ? '' : ` ${span(now - Date.parse(program.since))}`;
  return `${processOf(program)}${up}${beside === undefined ? '' : ` + ${processOf(beside)}`}`;
}

function processOf({ state, pid }: Pick<AppStatus['program'], 'state' | 'pid'>): string {
  return pid === null ? state : `${state} ${pid}`;
}

function programStyle({ program }: AppStatus): Style | undefined {
  const styles = { up: 'green', 'given up': 'red', down: 'gray' } as const;
  return program.state in styles ? styles[program.state as keyof typeof styles] : 'yellow';
}

function healthStyle({ health }: AppStatus): Style | undefined {
  return ({ healthy: 'green', unhealthy: 'red', unknown: undefined } as const)[health];
}

function revisionOf({ revision, branch }: AppStatus): string {
  return [revision?.slice(0, 7) ?? '', branch ?? ''].filter((part) => part !== '').join(' ');
}

function nextOf({ nextCheck }: AppStatus, now: number): string {
  if (nextCheck === null) return '';
  const left = Date.parse(nextCheck) - now;
  return left <= 0 ? 'now' : `in ${span(left)}`;
}

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** A time in the two largest units that it has, as short as a column wants it: `42s`, `5m 3s`, `3d 4h`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  let rest = seconds;
  const parts = units.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}
