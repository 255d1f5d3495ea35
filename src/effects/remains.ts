import { createHash } from 'node:crypto';
import type { AppConfig, Application } from '../../machines/config.ts';
import { configIn, programPart } from '../../machines/policy.ts';
import type { ProgramRecord } from '../ledger/app-ledger.ts';
import { endByForce, endMarked } from '../process/end.ts';
import { isAlive } from '../process/identity.ts';
import { closeSockets, markOfKeeper } from '../process/sockets.ts';
import { endGently, type StopCommand } from '../process/stop.ts';
import { treeOf } from '../process/tree.ts';
import type { Desk } from './desk.ts';
import { turnBack } from './hand-over.ts';
import { markOfProxy } from './proxy.ts';

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
  const records = Object.values(desk.ledger.programs).filter((record) => record !== null);
  const spared = records.find((record) => isFitToAdopt(record, desk, placedConfig(config, record))) ?? null;
  // By its session each is told apart from the other, whose end is near.
  if (spared !== null) treeOf(spared, desk.paths.appLog);
  if (config.application.listen.length === 0) closeSockets(desk.paths.directory, null);
  const known = [...records.map(({ mark }) => mark), markOfKeeper(desk.paths.directory), markOfProxy(desk)];
  for (const mark of desk.takeRemains()) {
    if (!known.includes(mark)) await endMarked(mark, patience);
  }
  const others = records.filter((record) => record !== spared);
  // A switch was cut short: what leads to the other one leads back before that is ended.
  if (spared !== null && others.some(isAlive)) await turnBack(spared, desk, config, patience);
  for (const record of others) await endProgram(record, desk, { ...config.application, command: null }, patience);
  if (others.length > 0) desk.ledger.rememberPrograms({ blue: spared, green: null });
  desk.spared = spared;
  desk.isSettled = true;
}

/** The config as a program that is written down would be started by it now. */
function placedConfig(config: AppConfig, { directory }: ProgramRecord): AppConfig {
  return configIn(config, directory ?? config.repository.localPath);
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
