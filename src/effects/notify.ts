import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppConfig } from '../../machines/config.ts';
import { asFailure, Failure } from '../../machines/failure.ts';
import type { Desk } from './desk.ts';
import { runCommand } from '../process/command.ts';
import { commandEnvironment } from '../process/environment.ts';
import { post } from '../process/get.ts';
import { runAs } from '../process/user.ts';

/** What is told: one line for people, and what it says for programs. */
export interface Told {
  readonly event: string;
  readonly app: string;
  readonly revision: string | null;
  readonly text: string;
}

/** Tells the outside of an app, beside all that the app does. */
export interface Notifier {
  /** Never throws, never waits. */
  tell(told: Told, config: AppConfig): void;
  /** Gives up what could not be told yet. */
  close(): void;
}

export interface Patience {
  /** Milliseconds before each further try. */
  readonly retries: readonly number[];
  /** So many of one app in this many milliseconds; what is more is counted, and told with the next one. */
  readonly most: number;
  readonly per: number;
  /** So many of one app are held for an address that does not answer; what is more is counted likewise. */
  readonly waiting: number;
}

const usual: Patience = { retries: [2000, 15_000, 60_000], most: 10, per: 60_000, waiting: 20 };

/** Seconds for one try. */
const timeouts = { command: 60, url: 15 };

/** One line of notices for each app: in their order, one at a time. */
export function openNotifier(desk: (name: string) => Desk, patience: Patience = usual): Notifier {
  const closing = new AbortController();
  const lines = new Map<string, { last: Promise<void>; times: number[]; waiting: number; untold: number }>();
  return {
    tell(told, config) {
      const { commands, url } = config.notify;
      if (commands.length === 0 && url === null) return;
      const line = lines.get(told.app) ?? { last: Promise.resolve(), times: [], waiting: 0, untold: 0 };
      lines.set(told.app, line);
      const now = performance.now();
      line.times = line.times.filter((time) => now - time < patience.per);
      if (line.times.length >= patience.most || line.waiting >= patience.waiting) {
        line.untold += 1;
        return;
      }
      line.times.push(now);
      const more = line.untold === 0 ? '' : ` (${line.untold} more were not told)`;
      line.untold = 0;
      const whole = { ...told, text: told.text + more };
      line.waiting += 1;
      const before = line.last;
      const turn = async (): Promise<void> => {
        await before;
        await deliver(whole, config, desk(told.app));
        line.waiting -= 1;
      };
      line.last = turn();
    },
    close: () => closing.abort(),
  };

  async function deliver(told: Told, config: AppConfig, at: Desk): Promise<void> {
    const { commands, url } = config.notify;
    const { signal } = closing;
    const ways = [
      ...commands.map((command) => () => run(command, told, config, at, signal)),
      ...(url === null ? [] : [() => send(url, told, signal)]),
    ];
    await Promise.all(ways.map((way) => persist(way, at)));
  }

  async function persist(way: () => Promise<void>, at: Desk): Promise<void> {
    for (const wait of [...patience.retries, null]) {
      try {
        return await way();
      } catch (thrown) {
        if (closing.signal.aborted) return;
        const failure = asFailure(thrown);
        if (wait === null || failure.code === 'command-not-found') return at.warnOf(failure);
        await sleep(wait, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
        if (closing.signal.aborted) return;
      }
    }
  }
}

/** As the app's user, with what there is to tell in its environment. */
async function run(command: string, told: Told, config: AppConfig, at: Desk, signal: AbortSignal): Promise<void> {
  const as = runAs(config.application.user);
  const { event, app, revision, text } = told;
  const environment = {
    ...commandEnvironment(app, revision ?? '', as),
    HUDDLE_EVENT: event,
    HUDDLE_TEXT: text,
    HUDDLE_NOTICE: JSON.stringify(told),
  };
  const doing = 'running the notify command';
  await at.withLog(`notifying of ${event}`, config, async (log) => {
    const surroundings = { directory: '/', environment, runAs: as, mark: at.mark(), log: log.fd, signal, sweep: false };
    const { exit } = await runCommand({ ...surroundings, doing, command, timeout: timeouts.command });
    if (exit.code === 0) return;
    const reason = exit.signal === null ? `exit code ${exit.code}` : `ended by ${exit.signal}`;
    const hint = 'Its output is in deploy.log (huddle logs --deploy).';
    throw new Failure('script-failed', { doing, subject: command, reason, hint });
  });
}

/** Of the address only the host is ever shown: the path of a chat's hook is its password. */
async function send(address: string, told: Told, signal: AbortSignal): Promise<void> {
  const url = new URL(address);
  const question = { url, timeout: timeouts.url, signal, doing: 'notifying', subject: url.host };
  const { status } = await post(question, { ...told, host: hostname(), at: new Date().toISOString() });
  if (status >= 200 && status < 300) return;
  const parts = { doing: question.doing, subject: question.subject, hint: 'Look at notify.url.' };
  throw new Failure('remote-unreachable', { ...parts, reason: `it answered with ${status}` });
}
