import { oneLine } from '../../machines/failure.ts';
import type { ControlClient } from '../control/client.ts';
import { duration } from '../control/prose.ts';
import type { AppStatus } from '../control/status.ts';
import { cut } from './terminal.ts';

/** What goes on in the apps that a command waits for. */
export interface Progress {
  /** Writes something for good; of this app there is nothing to wait for any more. */
  settle(name: string, write: () => void): void;
  /** Takes the line away. */
  end(): void;
}

const none: Progress = { settle: (_name, write) => write(), end: () => undefined };

/** To the first column; clears what follows. */
const cleared = '\r\u001b[K';

/** What is quick leaves no trace; times pass by the second. Milliseconds. */
const patience = 300;
const tick = 1000;

interface Stage {
  readonly what: string;
  /** `performance.now()` when it began, as far as we saw. */
  readonly since: number;
}

/**
 * Keeps a line on the terminal of stderr that says what state each app is in and for how long, until all have settled.
 * Where there is no terminal nothing is shown, nor asked of Huddle.
 */
export function showProgress(client: ControlClient, names: readonly string[]): Progress {
  const { stderr } = process;
  if (!stderr.isTTY || process.env['TERM'] === 'dumb') return none;
  const stages = new Map<string, Stage>(names.map((name) => [name, stage('')]));
  const began = performance.now();
  const draw = (): void => {
    if (performance.now() - began < patience) return;
    stderr.write(cleared + cut([...stages].map(lineOf).join(' · '), stderr.columns - 1));
  };
  const timers = [setTimeout(draw, patience + 1), setInterval(draw, tick)];
  const leave = new AbortController();
  const seen = (app: AppStatus): void => {
    const what = labelOf(app);
    const before = stages.get(app.name);
    if (before === undefined || before.what === what) return;
    stages.set(app.name, stage(what));
    draw();
  };
  // What goes wrong here is told by the action that is waited for.
  client.events(({ type, data }) => type === 'app' && seen(data as AppStatus), leave.signal).catch(() => undefined);
  return {
    settle(name, write) {
      stages.delete(name);
      stderr.write(cleared);
      write();
      if (stages.size > 0) draw();
    },
    end() {
      leave.abort();
      timers.forEach(clearTimeout);
      stderr.write(cleared);
    },
  };
}

function stage(what: string): Stage {
  return { what, since: performance.now() };
}

function lineOf([name, { what, since }]: readonly [string, Stage]): string {
  const seconds = Math.floor((performance.now() - since) / 1000);
  return `${oneLine(name)}: ${what} …${seconds === 0 ? '' : ` ${duration(seconds)}`}`;
}

/** Only while it is being started is the revision in place the one that is waited for. */
function labelOf({ state, revision }: AppStatus): string {
  return state === 'restarting' && revision !== null ? `${state} ${revision.slice(0, 7)}` : state;
}
