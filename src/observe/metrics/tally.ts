import type { HistoryEntry } from '../../../machines/facts.ts';
import type { AppState } from '../../../machines/protocol.ts';

/** What came of a check: the branch has moved, it has not (or only to a rejected revision), or nobody could tell. */
export type CheckResult = 'changed' | 'unchanged' | 'failed';

/** What happened to one app since this Huddle was started. All times are seconds. */
export interface Counts {
  readonly checks: Record<CheckResult, number>;
  /** When the last check ended, since the epoch; null before the first. */
  lastCheck: number | null;
  readonly deployments: Record<HistoryEntry['result'], number>;
  deploying: number;
  downtime: number;
  readonly probes: Record<'passed' | 'failed', number>;
  probing: number;
}

/** What a tally sees of an app: its state, and how many of its attempts in a row have failed. */
export interface Seen {
  readonly state: AppState;
  readonly failures: number;
}

/** Counts what happens, for whoever may ask later. Cheap: nobody may ever ask. */
export interface Tally {
  /** At every change of an app. */
  see(app: string, seen: Seen): void;
  /** At the end of each attempt to deploy. */
  deployment(app: string, entry: HistoryEntry): void;
  probe(app: string, seconds: number, isHealthy: boolean): void;
  counts(app: string): Counts;
  /** Forgets all other apps. */
  keep(apps: ReadonlySet<string>): void;
}

export function openTally(now: () => number = Date.now): Tally {
  const all = new Map<string, { counts: Counts; seen: Seen | null }>();
  const of = (app: string) => {
    const found = all.get(app) ?? { counts: noCounts(), seen: null };
    all.set(app, found);
    return found;
  };
  return {
    see(app, seen) {
      const about = of(app);
      const result = about.seen && checkBetween(about.seen, seen);
      about.seen = seen;
      if (result === null) return;
      about.counts.checks[result] += 1;
      about.counts.lastCheck = now() / 1000;
    },
    deployment(app, { result, seconds, downtime }) {
      const { counts } = of(app);
      counts.deployments[result] += 1;
      counts.deploying += seconds;
      counts.downtime += downtime ?? 0;
    },
    probe(app, seconds, isHealthy) {
      const { counts } = of(app);
      counts.probes[isHealthy ? 'passed' : 'failed'] += 1;
      counts.probing += seconds;
    },
    counts: (app) => of(app).counts,
    keep(apps) {
      for (const app of all.keys()) if (!apps.has(app)) all.delete(app);
    },
  };
}

/** What came of a check that has just ended; null: none has, or it was cut short. */
function checkBetween(before: Seen, now: Seen): CheckResult | null {
  if (before.state !== 'checking') return null;
  if (now.state === 'testing') return 'changed';
  if (now.state !== 'running' && now.state !== 'waiting') return null;
  return now.failures > before.failures ? 'failed' : 'unchanged';
}

function noCounts(): Counts {
  return {
    checks: { changed: 0, unchanged: 0, failed: 0 },
    lastCheck: null,
    deployments: { deployed: 0, 'test failed': 0, 'script failed': 0, 'rolled back': 0 },
    deploying: 0,
    downtime: 0,
    probes: { passed: 0, failed: 0 },
    probing: 0,
  };
}
