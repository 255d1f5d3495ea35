import { setImmediate } from 'node:timers/promises';
import { here } from '../platform/here.ts';
import type { Table } from '../platform/platform.ts';

let coming: Promise<Table> | null = null;

/** The table as of this turn's end; all who ask in one turn share it, as when a hundred programs are stopped at once. */
export function readTableSoon(): Promise<Table> {
  coming ??= setImmediate().then(() => {
    coming = null;
    return here.readTable(0);
  });
  return coming;
}
