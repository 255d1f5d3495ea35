import { asFailure } from '../../machines/failure.ts';
import type { ProbeInput, ProcessInput, ProcessReport, TreeInput } from '../../machines/slots.ts';
import type { Desk } from './desk.ts';
import { fingerprint, isFitToAdopt } from './remains.ts';
import { steadyTime } from '../clock.ts';
import { probe as look } from '../health/probe.ts';
import { mustStand } from '../ledger/paths.ts';
import { appendTo } from '../logs/open.ts';
import { adoptProgram } from '../process/adopt.ts';
import { endByForce } from '../process/end.ts';
import { bootId } from '../process/identity.ts';
import { type RunningProgram, startProgram, stopCommandOf, surroundingsOf } from '../process/program.ts';
import { endGently } from '../process/stop.ts';
import type { Tree } from '../process/tree.ts';
import { runAs } from '../process/user.ts';

// What the slots of a program and of its processes do, put together from the adapters.

/** The processes that this Huddle has started, by pid: what one slot starts, another one ends. */
export type Trees = Map<number, { readonly tree: Tree; readonly mark: string }>;

/**
 * Starts a program, or takes over the one that an earlier Huddle has started; reports what becomes of it, and keeps it
 * in the ledger until the next one is started: that it has ended is seen by its pid and start time.
 */
export function run(
  input: ProcessInput,
  desk: Desk,
  trees: Trees,
  tell: (report: ProcessReport) => void,
): RunningProgram {
  // Adapters read the wall clock; whoever reckons with their times must not see it being set.
  const report = (fact: ProcessReport) => tell({ ...fact, at: steadyTime(fact.at) });
  const taken = desk.taken();
  if (taken !== null) {
    queueMicrotask(() => report({ type: 'process.failed', failure: taken, at: Date.now() }));
    return { tree: null, warning: null, leave: () => {} };
  }
  const log = desk.paths.appLog;
  const record = desk.ledger.program;
  if (record !== null && isFitToAdopt(record, desk, input.config)) {
    const adopted = adoptProgram(record, { log, since: record.since }, report);
    if (adopted.tree !== null) trees.set(record.pid, { tree: adopted.tree, mark: record.mark });
    return adopted;
  }
  const openLog: typeof appendTo = (path, owner) => {
    mustStand(desk.paths);
    return appendTo(path, owner);
  };
  const mark = desk.mark();
  const running = startProgram({ ...input, mark, log, openLog }, (fact) => {
    if (fact.type === 'process.spawned') remember(running, fact.at);
    report(fact);
  });
  const remember = ({ tree }: RunningProgram, since: number) => {
    if (tree === null) return;
    const { pid, startTime } = tree.root;
    const config = fingerprint(input.config);
    desk.ledger.rememberProgram({ pid, startTime, bootId, mark, revision: input.revision, config, since });
  };
  if (running.warning !== null) desk.warnOf(running.warning);
  if (running.tree !== null) trees.set(running.tree.root.pid, { tree: running.tree, mark });
  return running;
}

/** Asks the whole tree to end; resolves when none of it is left. */
export async function askToEnd(input: TreeInput, desk: Desk, trees: Trees, signal: AbortSignal): Promise<void> {
  const found = treeOf(input, trees);
  if (found === undefined) return;
  const command = stopCommand({ ...input, mark: found.mark, log: null }, desk);
  await endGently(found.tree, { signal: input.config.application.stopSignal, command, warn: desk.warnOf }, signal);
  trees.delete(found.tree.root.pid);
}

/** A stop command that cannot be run (its folder has gone) counts as none: the signal is sent. */
export function stopCommand(input: Parameters<typeof stopCommandOf>[0], desk: Desk): ReturnType<typeof stopCommandOf> {
  try {
    return stopCommandOf(input);
  } catch (thrown) {
    desk.warnOf(asFailure(thrown));
    return null;
  }
}

/** Kills the whole tree; resolves when none of it is left. */
export async function kill(input: TreeInput, trees: Trees, signal: AbortSignal): Promise<void> {
  const found = treeOf(input, trees);
  if (found === undefined) return;
  await endByForce(found.tree, signal);
  trees.delete(found.tree.root.pid);
}

function treeOf({ pid }: TreeInput, trees: Trees) {
  return pid === null ? undefined : trees.get(pid);
}

/** One look at the health of a program. */
export async function probe(input: ProbeInput, desk: Desk, signal: AbortSignal): Promise<void> {
  const { watchdog, config } = input;
  const isCommand = watchdog.probe.kind === 'command';
  const nowhere = { directory: '/', environment: {}, runAs: runAs(null) };
  const surroundings = isCommand ? surroundingsOf({ ...input, config }) : nowhere;
  await look(watchdog, { ...surroundings, mark: desk.mark(), log: null, signal });
}
