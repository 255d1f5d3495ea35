import type { AppState, ProgramState } from '../../../machines/protocol.ts';
import type { Usage } from '../../control/source.ts';
import type { AppStatus } from '../../control/status.ts';
import type { Counts } from './tally.ts';

/** One app at the moment of a scrape. */
export interface AppScene {
  readonly status: AppStatus;
  readonly counts: Counts;
  /** null: nothing runs, or the platform does not tell. */
  readonly usage: Usage | null;
}

export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One metric: its name and unit as https://prometheus.io/docs/practices/naming/ has them, and its samples for an app. */
export interface Family {
  readonly name: string;
  readonly kind: 'gauge' | 'counter';
  readonly help: string;
  /** Besides `app`. */
  readonly labels: readonly string[];
  readonly of: (app: AppScene) => readonly Sample[];
}

const appStates: Readonly<Record<AppState, true>> = {
  cloning: true,
  testing: true,
  running: true,
  checking: true,
  stopping: true,
  pulling: true,
  restarting: true,
  waiting: true,
  stopped: true,
};

const programStates: Readonly<Record<ProgramState, true>> = {
  starting: true,
  up: true,
  'backing off': true,
  stopping: true,
  down: true,
  'given up': true,
};

/**
 * Every metric about an app. All label values but the app's name, its branch, its revision and a failure's code come
 * from short lists; of the latter an app has one at a time, so that the number of series does not grow with time.
 */
export const appFamilies: readonly Family[] = [
  // As kube-state-metrics has it: one series for each state, so that time in a state can be summed.
  gauge('state', 'Whether the app is in this state.', (app) => oneHot(appStates, app.status.state), ['state']),
  gauge(
    'program_state',
    'Whether the program is in this state.',
    (app) => oneHot(programStates, app.status.program.state),
    ['state'],
  ),
  gauge(
    'revision_info',
    'What is in place, in its labels; always 1.',
    ({ status: { revision, branch } }) => (revision === null ? [] : [[{ revision, branch: branch ?? '' }, 1]]),
    ['branch', 'revision'],
  ),
  gauge('error', 'What stands in the way, by its code; 1 while it does.', ({ status: { error } }) => code(error), [
    'code',
  ]),
  gauge('healthy', 'What the watchdog last found; absent while it has found nothing.', ({ status: { health } }) =>
    health === 'unknown' ? [] : bare(Number(health === 'healthy')),
  ),
  gauge('paused', 'Whether an operator has paused its checks.', (app) => bare(Number(app.status.paused))),
  gauge('pinned', 'Whether an operator has pinned its revision.', (app) => bare(Number(app.status.pinned))),
  gauge('rejected_revisions', 'How many revisions are not tried by themselves.', (app) =>
    bare(app.status.rejected.length),
  ),
  counter('checks_total', 'Checks of the remote, by what came of them.', (app) => by(app.counts.checks), ['result']),
  gauge('last_check_timestamp_seconds', 'When the last check ended.', (app) => optional(app.counts.lastCheck)),
  gauge('next_check_timestamp_seconds', 'When the next check is due.', (app) => optional(time(app.status.nextCheck))),
  counter('deployments_total', 'Attempts to deploy, by what came of them.', (app) => by(app.counts.deployments), [
    'result',
  ]),
  counter('deployment_seconds_total', 'Time that attempts to deploy have taken.', (app) => bare(app.counts.deploying)),
  counter('deployment_downtime_seconds_total', 'Time that the program was down for deployments.', (app) =>
    bare(app.counts.downtime),
  ),
  counter('program_restarts_total', 'Restarts by a crash, the watchdog or an operator.', (app) =>
    bare(app.status.program.restarts),
  ),
  gauge('program_start_time_seconds', 'When the program was started.', (app) =>
    optional(time(app.status.program.since)),
  ),
  counter('probes_total', 'Probes of the watchdog, by what they found.', (app) => by(app.counts.probes), ['result']),
  counter('probe_seconds_total', 'Time that probes have taken.', (app) => bare(app.counts.probing)),
  gauge('program_processes', 'Processes of the program.', ({ usage }) => optional(usage?.processes)),
  gauge(
    'program_resident_memory_bytes',
    'Resident memory of the program; shared pages count for each process.',
    (app) => optional(app.usage?.memory),
  ),
  counter('program_cpu_seconds_total', 'Processor time of the program since it was started.', (app) =>
    optional(app.usage?.cpu),
  ),
];

type Of = Family['of'];

function gauge(name: string, help: string, of: Of, labels: readonly string[] = []): Family {
  return { name: `huddle_app_${name}`, kind: 'gauge', help, labels, of };
}

function counter(name: string, help: string, of: Of, labels: readonly string[] = []): Family {
  return { name: `huddle_app_${name}`, kind: 'counter', help, labels, of };
}

function bare(value: number): readonly Sample[] {
  return [[{}, value]];
}

function optional(value: number | null | undefined): readonly Sample[] {
  return value === null || value === undefined ? [] : bare(value);
}

/** Also what has not happened yet: a rate needs the zero that it began from. */
function by(counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([result, count]) => [{ result }, count]);
}

function oneHot(states: Readonly<Record<string, true>>, now: string): readonly Sample[] {
  return Object.keys(states).map((state) => [{ state }, Number(state === now)]);
}

function code(error: AppStatus['error']): readonly Sample[] {
  return error === null ? [] : [[{ code: error.code }, 1]];
}

function time(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso) / 1000;
}
