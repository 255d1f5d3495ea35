import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppStatus, Huddle } from '../command.ts';
import { alive, environmentOf, isSpare, processesOf } from '../proc.ts';
import { doorkeepers, factsOf, inLedger, inTree, recordsOf, wrong } from './on-disk.ts';
import { ask } from './visitor.ts';
import { quietJournal, type World } from './world.ts';

/** One line of a program's journal. */
export interface Told {
  readonly what: string;
  readonly pid: number;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A program that is to be taken over. */
export interface Survivor {
  readonly pid: number;
  readonly version: string;
}

/** What there was at the moment of a kill, for those who judge what came of it. */
export interface Death {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The program that runs on, if it is the good revision, known to the ledger (or should be), and nobody has asked it to end. */
  readonly survivor: Survivor | null;
  /** It is as its config was before: not to be taken over. */
  readonly isOutdated: boolean;
  /** Whether the ledger says that an operator has stopped the app. */
  readonly isStopped: boolean;
  /** The revision whose deployment has to be undone, by the ledger. */
  readonly cutShort: string | null;
}

export function journalOf(world: World): Told[] {
  return world.stage.journal().map((line) => {
    const [what = '', pid = '', version = '', at = ''] = line.split(' ');
    return { what, pid: Number(pid), version, at: Number(at) };
  });
}

/**
 * Looks at what a kill has left; at once, before anything new is started. `isChanged`: the config is another one since
 * the first program was started.
 */
export function lookAtDeath(world: World, isChanged = false): Death {
  const journal = journalOf(world);
  const facts = factsOf(world);
  const records = recordsOf(world);
  const isQuiet = facts?.['current'] === facts?.['good'] && facts?.['pulling'] === null;
  const running = journal.filter(({ what, pid }) => what === 'start' && alive(pid));
  const isRecorded = (one: Told) =>
    records.some(({ pid, revision }) => pid === one.pid && revision === world.revision(one.version));
  const good = running.filter(
    (one) =>
      world.revision(one.version) === facts?.['good'] &&
      // What was started before another one has had its time to be written down.
      (isRecorded(one) || one !== running.at(-1)),
  );
  // Of two it is the one that was started last, by the config as it is now.
  const one = good.at(-1);
  const isAsked = journal.some(({ what, pid }) => what === 'asked' && pid === one?.pid);
  const isOutdated = isChanged && one?.pid === journal[0]?.pid;
  return {
    at: Date.now(),
    survivor: one !== undefined && isQuiet && !isAsked ? one : null,
    isOutdated,
    isStopped: facts?.['stopped'] === true,
    cutShort: typeof facts?.['good'] === 'string' ? deployingIn(facts) : null,
  };
}

function deployingIn({ deploying }: Record<string, unknown>): string | null {
  return (deploying as { revision: string } | null)?.revision ?? null;
}

/** No Huddle is up so soon, in milliseconds; but a program may tell so late that the one before has asked it to end. */
const earliest = 150;

/** Whether a program was asked to end by the Huddle that has died. */
export function wasAsked(journal: readonly Told[], pid: number, { at }: Death): boolean {
  return journal.some((each) => each.what === 'asked' && each.pid === pid && each.at < at + earliest);
}

/** How the world is to be in the end. */
export interface Expectation {
  readonly version: string;
  /** Versions that may be rejected. */
  readonly bad?: readonly string[];
  /** The config of the program was changed while nothing ran. */
  readonly isChanged?: boolean;
  /** It may have been deployed a second time. */
  readonly isAgain?: boolean;
  /** In place: what was shared before is back in the tree. */
  readonly hasMine?: boolean;
  /** How many times something of the working copy was to be saved; null: it does not matter. */
  readonly saved?: number | null;
}

/** Waits until Huddle has come to rest and nothing is wrong any more; what still is after 20 seconds. */
export async function judge(
  world: World,
  huddle: Huddle,
  expected: Expectation,
  death: Death | null,
): Promise<string[]> {
  const isAtRest = ({ state, nextCheck, revision }: AppStatus) =>
    state === 'running' && nextCheck !== null && revision === world.revision(expected.version);
  await huddle.until('shop', isAtRest, `${expected.version}, and at rest`);
  const end = Date.now() + 20_000;
  for (;;) {
    const wrong = await violations(world, huddle, expected, death);
    if (wrong.length === 0 || Date.now() > end) return wrong;
    await sleep(50);
  }
}

async function violations(world: World, huddle: Huddle, expected: Expectation, death: Death | null): Promise<string[]> {
  const revision = world.revision(expected.version);
  const status = await huddle.app('shop');
  const pid = status.program?.pid ?? 0;
  const bad = (expected.bad ?? []).map((version) => world.revision(version));
  return [
    ...wrong(status.state !== 'running', `the state is ${status.state}`),
    ...wrong(status.revision !== revision, `the revision is ${nameOf(world, status.revision)}`),
    ...wrong(status.program?.state !== 'up', `the program is ${status.program?.state}`),
    ...status.rejected.filter((each) => !bad.includes(each)).map((each) => `${nameOf(world, each)} is rejected`),
    ...(await portSays(world, `${expected.version} ${pid}`)),
    ...inJournal(world, huddle, death, pid),
    ...inProcesses(world, [huddle.pid, pid, ...doorkeepers(world)]),
    ...(await inTree(world, revision, expected)),
    ...inLedger(world, revision, expected, death?.cutShort ?? null),
  ];
}

function nameOf(world: World, revision: string | null): string {
  return [...world.revisions].find(([, each]) => each === revision)?.[0] ?? String(revision);
}

/** The first witness: what the programs themselves have written down. */
function inJournal(world: World, huddle: Huddle, death: Death | null, pid: number): string[] {
  const journal = journalOf(world);
  const doubles = doublesIn(journal, world);
  const living = journal.filter((each) => each.what === 'start' && alive(each.pid)).map((each) => each.pid);
  const { survivor = null, isOutdated = false } = death ?? {};
  const isEnding = death !== null && survivor !== null && wasAsked(journal, survivor.pid, death);
  const isTaken = survivor !== null && huddle.log.includes(`pid ${survivor.pid}: it ran on without Huddle`);
  const about = `${survivor?.version} (${survivor?.pid})`;
  return [
    ...doubles.map((each) => `two at once: ${each.what} ${each.pid} ${each.version}`),
    ...wrong(living.join() !== String(pid), `alive: ${living.join()}, and in charge: ${pid}`),
    ...wrong(survivor !== null && !isOutdated && !isEnding && !isTaken, `${about} was not taken over`),
    ...wrong(isTaken && isOutdated, `${about} was taken over as it was before the change`),
  ];
}

/** In place there is never another one; side by side never another one of the same release. */
export function doublesIn(journal: readonly Told[], { kind }: World): Told[] {
  const versionOf = (pid: string) => journal.find((told) => told.pid === Number(pid))?.version;
  return journal.filter(({ what, version }) => {
    const [, other] = /^beside-(\d+)$/.exec(what) ?? [];
    return what === 'clash' || (other !== undefined && (kind === 'in place' || versionOf(other) === version));
  });
}

/** The second witness: who answers. */
async function portSays(world: World, wanted: string): Promise<string[]> {
  const said = await ask(world.port);
  return wrong(said !== wanted, `the port says ${said}, not ${wanted}`);
}

/** How often the app that nothing disturbs was started. */
export function quietStarts(world: World): number {
  return readFileSync(quietJournal(world.stage), 'utf8').split('start ').length - 1;
}

/** The third witness: everything that runs and is of this world. */
export function inProcesses(world: World, wanted: readonly number[]): string[] {
  const others = processesOf(world.stage.root).filter(({ pid }) => !wanted.includes(pid));
  return others
    .filter(({ pid }) => !isQuiet(world, pid))
    .filter((each) => !isSpare(each))
    .map(({ pid, command }) => `left running: ${pid} ${command.slice(0, 60)}`);
}

function isQuiet(world: World, pid: number): boolean {
  return existsSync(world.stage.copy('quiet')) && environmentOf(pid)['HUDDLE_APP'] === 'quiet';
}
