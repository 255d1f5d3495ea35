import { asFailure } from '../../machines/failure.ts';
import { otherSide } from '../../machines/protocol.ts';
import type { ProbeInput, ProcessInput, ProcessReport, Release, TreeInput } from '../../machines/slots.ts';
import type { Desk } from './desk.ts';
import { hold } from './hand-over.ts';
import { settleProxy } from './proxy.ts';
import { isBeside, portFor, releaseName, releaseOf, wantsPort, watchdogOf } from './release.ts';
import { fingerprint, isFitToAdopt } from './remains.ts';
import { steadyTime } from '../clock.ts';
import { probe as look } from '../health/probe.ts';
import type { ProgramRecord, Programs } from '../ledger/app-ledger.ts';
import { mustStand, orRefused } from '../ledger/paths.ts';
import { appendTo, tellOpened } from '../logs/open.ts';
import { adoptProgram } from '../process/adopt.ts';
import { endByForce } from '../process/end.ts';
import { bootId } from '../process/identity.ts';
import { type RunningProgram, startProgram, stopCommandOf, surroundingsOf } from '../process/program.ts';
import type { Sockets } from '../process/sockets.ts';
import { endGently } from '../process/stop.ts';
import type { Tree } from '../process/tree.ts';
import { runAs } from '../process/user.ts';

// What the slots of a program and of its processes do, put together from the adapters.

/** The processes that this Huddle has started, by pid: what one slot starts, another one ends. */
export type Trees = Map<number, Led>;

/** A tree of processes; `isLed` as long as a program of this Huddle keeps it up. */
interface Led {
  readonly tree: Tree;
  readonly mark: string;
  isLed: boolean;
}

/**
 * Starts a program, or takes over the one that an earlier Huddle has started; reports what becomes of it, and keeps it
 * in the ledger until the next one is started: that it has ended is seen by its pid and start time.
 */
export function run(
  input: ProcessInput,
  desk: Desk,
  trees: Trees,
  tell: (report: ProcessReport) => void,
): Pick<RunningProgram, 'leave'> {
  // Adapters read the wall clock; whoever reckons with their times must not see it being set.
  const report = (fact: ProcessReport) => tell({ ...fact, at: steadyTime(fact.at) });
  const taken = desk.taken();
  if (taken !== null) {
    queueMicrotask(() => report({ type: 'process.failed', failure: taken, at: Date.now() }));
    return { leave: () => {} };
  }
  const adopted = adopt(input, desk, trees, report);
  if (adopted !== null) return adopted;
  const { config } = input;
  const isPlain = !isBeside(config) && !wantsPort(config) && config.application.listen.length === 0;
  if (isPlain && !desk.doors.areOpen) return start(input, nothing, { desk, trees, report });
  return startWhen(equipmentFor(input, desk), input, { desk, trees, report });
}

/** What a start and what comes of it are handed. */
interface Scene {
  readonly desk: Desk;
  readonly trees: Trees;
  readonly report: (report: ProcessReport) => void;
}

/** What is had ready for a program before it is started. */
interface Equipment {
  readonly release: Release | null;
  readonly sockets: Sockets | null;
}

const nothing: Equipment = { release: null, sockets: null };

/** Rejects with a `Failure`. */
async function equipmentFor({ config, revision, side }: ProcessInput, desk: Desk): Promise<Equipment> {
  const sockets = await desk.doors.openSockets(config);
  // Side by side the one before may still have need of it: then it is seen to when that is left.
  if (config.application.proxy !== null || !isBeside(config)) await settleProxy(config, desk);
  const port = wantsPort(config) ? await portFor(revision, side, desk) : null;
  const name = isBeside(config) ? releaseName(config.repository.localPath) : null;
  return { release: { name, port }, sockets };
}

function startWhen(ready: Promise<Equipment>, input: ProcessInput, scene: Scene): Pick<RunningProgram, 'leave'> {
  let running: RunningProgram | null = null;
  let isLeft = false;
  const begin = async (): Promise<void> => {
    try {
      const equipment = await ready;
      if (!isLeft) running = start(input, equipment, scene);
    } catch (thrown) {
      const failure = asFailure(orRefused(thrown, 'preparing', input.name));
      if (!isLeft) scene.report({ type: 'process.failed', failure, at: Date.now() });
    }
  };
  void begin();
  return {
    leave() {
      isLeft = true;
      running?.leave();
    },
  };
}

/** Takes over what is written down and would be started now, unless another program of this life has it. */
function adopt(input: ProcessInput, desk: Desk, trees: Trees, report: Scene['report']): RunningProgram | null {
  const { programs } = desk.ledger;
  const isFree = ({ pid }: ProgramRecord) => trees.get(pid)?.isLed !== true;
  const record = [programs[input.side], programs[otherSide(input.side)]].find(
    (each) => each !== null && isFree(each) && isFitToAdopt(each, desk, input.config),
  );
  if (!record) return null;
  if (programs[input.side] !== record) desk.ledger.rememberPrograms(swapped(programs));
  tellOpened(desk.paths.appLog);
  const adopted = adoptProgram(record, { log: desk.paths.appLog, since: record.since }, report);
  if (adopted.tree === null) return adopted;
  return led(adopted, { tree: adopted.tree, mark: record.mark, isLed: true }, trees);
}

function swapped({ blue, green }: Programs): Programs {
  return { blue: green, green: blue };
}

/** As long as nobody has left it, it is nobody else's. */
function led(running: RunningProgram, entry: Led, trees: Trees): RunningProgram {
  trees.set(entry.tree.root.pid, entry);
  return {
    ...running,
    leave() {
      entry.isLed = false;
      running.leave();
    },
  };
}

function start(input: ProcessInput, { release, sockets }: Equipment, { desk, trees, report }: Scene): RunningProgram {
  const openLog: typeof appendTo = (path, owner) => {
    mustStand(desk.paths);
    return appendTo(path, owner);
  };
  const mark = desk.mark();
  const log = desk.paths.appLog;
  const config = fingerprint(input.config);
  const before = desk.ledger.programs[input.side];
  const isKnown = before?.revision === input.revision && before.config === config;
  const running = startProgram({ ...input, release, sockets, mark, log, openLog, isKnown }, (fact) => {
    if (fact.type === 'process.spawned') remember(running, fact.at);
    report(fact);
  });
  const remember = ({ tree }: RunningProgram, since: number) => {
    if (tree === null) return;
    const { pid, startTime } = tree.root;
    const { localPath: directory } = input.config.repository;
    // An app that is in place again may still run in a release.
    const isPlaced = release !== null || releaseName(directory) !== null;
    const place = isPlaced ? { directory, port: release?.port ?? null } : {};
    const record = { pid, startTime, bootId, mark, revision: input.revision, config, since, ...place };
    desk.ledger.rememberProgram(record, input.side);
  };
  if (running.warning !== null) desk.warnOf(running.warning);
  if (running.tree === null) return running;
  return led(running, { tree: running.tree, mark, isLed: true }, trees);
}

/** Asks the whole tree to end; resolves when none of it is left. */
export async function askToEnd(input: TreeInput, desk: Desk, trees: Trees, signal: AbortSignal): Promise<void> {
  const found = treeOf(input, trees);
  if (found === undefined) return;
  await hold(input, desk, signal);
  const release = releaseOf(desk.ledger.programs[input.side]);
  const command = stopCommand({ ...input, release, mark: found.mark, log: null }, desk);
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
  const release = releaseOf(desk.ledger.programs[input.side]);
  const isCommand = input.watchdog.probe.kind === 'command';
  const nowhere = { directory: '/', environment: {}, runAs: runAs(null) };
  const surroundings = isCommand ? surroundingsOf({ ...input, release }) : nowhere;
  await look(watchdogOf(input.watchdog, release), { ...surroundings, mark: desk.mark(), log: null, signal });
}
