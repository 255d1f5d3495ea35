import type { AppStatus } from '../../control/status.ts';
import type { Usage } from '../../control/source.ts';
import { openTally, type Tally } from './tally.ts';

/** What is known of Huddle when it is scraped. */
interface Sights {
  readonly version: () => string;
  readonly apps: () => readonly AppStatus[];
  /** What the programs use, by the app's name; null where nobody can tell. Asked at a scrape only. */
  readonly usage: () => ReadonlyMap<string, Usage> | null;
}

/** Metrics for Prometheus. Until they are first asked for they only count. */
export interface Meter {
  readonly tally: Tally;
  scrape(): Promise<{ readonly type: string; readonly text: string }>;
}

export function openMeter({ version, apps, usage }: Sights): Meter {
  const tally = openTally();
  let highest = new Map<string, { readonly since: string | null; readonly cpu: number }>();
  return {
    tally,
    async scrape() {
      const { expose } = await import('./exposition.ts');
      const now = apps();
      tally.keep(new Set(now.map(({ name }) => name)));
      const used = usage();
      const before = highest;
      highest = new Map();
      const scenes = now.map((status) => {
        const found = status.program.pid === null ? undefined : used?.get(status.name);
        const mine = found && { ...found, cpu: notLess(found.cpu, status.program.since, before.get(status.name)) };
        if (mine) highest.set(status.name, { since: status.program.since, cpu: mine.cpu });
        return { status, counts: tally.counts(status.name), usage: mine ?? null };
      });
      return await expose({ version: version(), apps: scenes });
    },
  };
}

/** The time of a process that nobody of the tree has waited for ends with it; a counter must not fall for that. */
function notLess(cpu: number, since: string | null, before?: { readonly since: string | null; readonly cpu: number }) {
  return before?.since === since ? Math.max(cpu, before.cpu) : cpu;
}
