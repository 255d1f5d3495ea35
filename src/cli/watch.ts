import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, oneLine } from '../../machines/failure.ts';
import type { ControlClient, ControlEvent } from '../control/client.ts';
import { pasteableApp, type Place } from '../control/paste.ts';
import type { AppStatus } from '../control/status.ts';
import { chosen } from './chosen.ts';
import type { Options } from './options.ts';
import { statusLine, statusLines } from './table.ts';
import { cut, outputWidth, paintOutput } from './terminal.ts';

/** What a watch shows changes on. */
interface View {
  /** Every app, known anew. */
  reset(apps: readonly AppStatus[]): void;
  put(app: AppStatus): void;
  remove(name: string): void;
  /** No Huddle is there, for now. */
  absent(why: string): void;
}

/** Between two looks whether a Huddle is there again; milliseconds. */
const retry = 500;

/**
 * Shows every change of the apps until the process is interrupted, also when Huddle leaves and comes back. On a
 * terminal the table is kept up to date, elsewhere each change is a line (with `--json` an object).
 * Fails as the client does, but for `not-running`.
 */
export async function watch(client: ControlClient, options: Options): Promise<never> {
  const view = options.json
    ? lineView((app) => JSON.stringify(pasteableApp(app, options)))
    : process.stdout.isTTY
      ? screenView(options)
      : lineView(statedLine);
  const wanted = (name: string): boolean => options.apps.length === 0 || options.apps.includes(name);
  const { signal } = new AbortController();
  for (let checked = false; ;) {
    try {
      if (!checked) chosen(await client.apps(), options.apps);
      checked = true;
      await client.events(follower(view, wanted), signal);
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'not-running')) throw error;
      view.absent(error.reason);
    }
    await sleep(retry);
  }
}

/** Follows one event stream: what comes before `ready` is everything that there is, then come changes. */
function follower(view: View, wanted: (name: string) => boolean): (event: ControlEvent) => void {
  const all: AppStatus[] = [];
  let ready = false;
  return ({ type, data }) => {
    const app = data as AppStatus;
    if (type === 'ready') {
      ready = true;
      view.reset(all);
    }
    if (type === 'app' && wanted(app.name)) {
      if (ready) view.put(app);
      else all.push(app);
    }
    if (type === 'removed' && wanted(app.name)) view.remove(app.name);
  };
}

function statedLine(app: AppStatus): string {
  const now = new Date();
  return `${now.toISOString()} ${statusLine(app, now.getTime())}`;
}

function lineView(format: (app: AppStatus) => string): View {
  const told = new Map<string, string>();
  let there = true;
  const put = (app: AppStatus): void => {
    there = true;
    const text = JSON.stringify(app);
    if (told.get(app.name) === text) return;
    told.set(app.name, text);
    process.stdout.write(`${format(app)}\n`);
  };
  const remove = (name: string): void => {
    if (told.delete(name)) process.stderr.write(`huddle: app ${oneLine(name)} is gone\n`);
  };
  return {
    put,
    remove,
    reset(apps) {
      there = true;
      const names = new Set(apps.map(({ name }) => name));
      for (const name of told.keys()) if (!names.has(name)) remove(name);
      apps.forEach(put);
    },
    absent(why) {
      if (there) process.stderr.write(`huddle: ${why}; waiting for one\n`);
      there = false;
    },
  };
}

/** Clears the screen; goes to its first line; clears the rest of a line, of the screen. */
const codes = { clear: '\u001b[2J', home: '\u001b[H', restOfLine: '\u001b[K', restOfScreen: '\u001b[J' } as const;

/** Changes that come together are drawn together; times pass by the second. Milliseconds. */
const soon = 50;
const tick = 1000;

function screenView(place: Place): View {
  const apps = new Map<string, AppStatus>();
  const { stdout } = process;
  let missing = '';
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    timer = undefined;
    const width = outputWidth();
    const sorted = [...apps.values()].sort((a, b) => a.name.localeCompare(b.name));
    const table = statusLines(sorted, { width, now: Date.now(), paint: paintOutput, place });
    const lines = missing === '' ? table : [paintOutput('red', cut(`${missing}; waiting for one`, width)), ...table];
    const room = Math.max(1, (stdout.rows || Infinity) - 1);
    const shown =
      lines.length > room ? [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`] : lines;
    stdout.write(`${codes.home}${shown.map((line) => `${line}${codes.restOfLine}\n`).join('')}${codes.restOfScreen}`);
  };
  const touch = (): void => {
    timer ??= setTimeout(draw, soon);
  };
  stdout.write(codes.clear);
  stdout.on('resize', touch);
  setInterval(touch, tick);
  const change = (then: () => void): void => {
    missing = '';
    then();
    touch();
  };
  return {
    reset: (all) =>
      change(() => {
        apps.clear();
        for (const app of all) apps.set(app.name, app);
      }),
    put: (app) => change(() => apps.set(app.name, app)),
    remove: (name) => change(() => apps.delete(name)),
    absent(why) {
      missing = why;
      touch();
    },
  };
}
