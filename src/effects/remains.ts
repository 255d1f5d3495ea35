import { createHash } from 'node:crypto';
import type { AppConfig, Application } from '../../machines/config.ts';
import { programPart } from '../../machines/policy.ts';
import type { ProgramRecord } from '../ledger/app-ledger.ts';
import { endByForce, endMarked } from '../process/end.ts';
import { isAlive } from '../process/identity.ts';
import { endGently, type StopCommand } from '../process/stop.ts';
import { treeOf } from '../process/tree.ts';
import type { Desk } from './desk.ts';

// What a Huddle that died, or an app actor that died, has left running.

/** Milliseconds after which what cannot be killed is told of, and tried again later. */
const stuckAfter = 30_000;

/**
 * Ends everything that an earlier life of this app has left, before anything of it is touched: its git, its scripts,
 * its tests; and its program, unless that is the good revision, as it is configured now, and can be taken over.
 */
export async function settleRemains(desk: Desk, config: AppConfig, signal: AbortSignal): Promise<void> {
  if (desk.isSettled) return;
  const patience = AbortSignal.any([signal, AbortSignal.timeout(stuckAfter)]);
  const record = desk.ledger.program;
  const spared = record !== null && isFitToAdopt(record, desk, config) ? record : null;
  for (const mark of desk.takeRemains()) {
    if (mark !== spared?.mark && mark !== record?.mark) await endMarked(mark, patience);
  }
  if (record !== null && spared === null) {
    await endProgram(record, desk, { ...config.application, command: null }, patience);
    desk.ledger.rememberProgram(null);
  }
  desk.isSettled = true;
}

/** Whether the program that is written down runs, and is what would be started now. */
export function isFitToAdopt(record: ProgramRecord, desk: Desk, config: AppConfig): boolean {
  const { good, current, pulling } = desk.ledger.facts;
  const isGood = record.revision === good && current === good && pulling === null;
  return isGood && record.config === fingerprint(config) && isAlive(record);
}

/** Tells programs apart that are started in different ways. */
export function fingerprint(config: AppConfig): string {
  return createHash('sha256')
    .update(JSON.stringify(programPart(config)))
    .digest('hex')
    .slice(0, 16);
}

/** How a program that an earlier Huddle has started is to end. */
interface Ending extends Pick<Application, 'stopSignal' | 'stopTimeout'> {
  readonly command: StopCommand | null;
}

/** Ends such a program, all of its tree: as it was asked to, and by force when its time is up. */
export async function endProgram(record: ProgramRecord, desk: Desk, ending: Ending, abort: AbortSignal): Promise<void> {
  const tree = treeOf(record, desk.paths.appLog);
  const patience = AbortSignal.any([abort, AbortSignal.timeout(ending.stopTimeout * 1000)]);
  try {
    await endGently(tree, { signal: ending.stopSignal, command: ending.command, warn: desk.warnOf }, patience);
  } catch {
    await endByForce(tree, abort);
  }
}
