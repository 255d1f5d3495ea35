import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppStatus, Huddle } from '../command.ts';
import { alive, processesOf } from '../proc.ts';
import { git } from '../repository.ts';
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
  /** The program that runs on, if it is the good revision, known to the ledger, and nobody has asked it to end. */
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
  const running = journal.filter(({ what, pid }) => what === 'start' && alive(pid));
  const [one] = running;
  const isAsked = journal.some(({ what, pid }) => what === 'asked' && pid === one?.pid);
  const facts = factsOf(world);
  const record = readJson(join(ledgerOf(world), 'program.json'));
  const isGood =
    one !== undefined &&
    record?.['pid'] === one.pid &&
    record['revision'] === world.revision(one.version) &&
    facts?.['good'] === record['revision'] &&
    facts['current'] === facts['good'] &&
    facts['pulling'] === null;
  const isOutdated = isChanged && one?.pid === journal[0]?.pid;
  return {
    at: Date.now(),
    survivor: isGood && !isAsked ? one : null,
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
    ...inProcesses(world, [huddle.pid, pid]),
    ...(await inTree(world, revision, expected.saved === undefined ? 0 : expected.saved)),
    ...inLedger(world, revision, death?.cutShort ?? null),
  ];
}

function wrong(isWrong: boolean, what: string): string[] {
  return isWrong ? [what] : [];
}

function nameOf(world: World, revision: string | null): string {
  return [...world.revisions].find(([, each]) => each === revision)?.[0] ?? String(revision);
}

/** The first witness: what the programs themselves have written down. */
function inJournal(world: World, huddle: Huddle, death: Death | null, pid: number): string[] {
  const journal = journalOf(world);
  const doubles = journal.filter(({ what }) => what === 'clash' || what.startsWith('beside'));
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

/** The second witness: who answers. */
async function portSays(world: World, wanted: string): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  const socket = connect(world.port, '127.0.0.1');
  socket.on('data', (chunk) => (text += String(chunk)));
  socket.on('close', () => resolve(text.trim())).on('error', (error) => (text = error.message));
  const said = await promise;
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
    .map(({ pid, command }) => `left running: ${pid} ${command.slice(0, 60)}`);
}

function isQuiet(world: World, pid: number): boolean {
  return existsSync(world.stage.copy('quiet')) && isOf(pid, 'quiet');
}

function isOf(pid: number, app: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`HUDDLE_APP=${app}\0`);
  } catch {
    return false;
  }
}

async function inTree(world: World, revision: string, saved: number | null): Promise<string[]> {
  const copy = world.stage.copy('shop');
  const locks = readdirSync(join(copy, '.git'), { recursive: true, encoding: 'utf8' });
  const refs = (await git(copy, 'for-each-ref', '--format=%(refname)', 'refs/huddle')).split('\n');
  const kept = refs.filter((ref) => ref.startsWith('refs/huddle/saved'));
  return [
    ...wrong((await git(copy, 'rev-parse', 'HEAD')) !== revision, 'HEAD is elsewhere'),
    ...wrong((await git(copy, 'status', '--porcelain', '--ignored')) !== '', 'the tree is not the revision'),
    ...locks.filter((name) => name.endsWith('.lock')).map((name) => `left in .git: ${name}`),
    ...wrong(refs.includes('refs/huddle/pulling'), 'refs/huddle/pulling is left'),
    ...wrong(saved !== null && kept.length !== saved, `saved: ${kept.join()}`),
    ...filesIn(copy, /^\.git\./).map((name) => `left in the working copy: ${name}`),
    ...filesIn(join(ledgerOf(world), 'candidates'), /./).map((name) => `candidate left: ${name}`),
  ];
}

function inLedger(world: World, revision: string, cutShort: string | null): string[] {
  const folder = ledgerOf(world);
  const facts = factsOf(world);
  const lines = existsSync(join(folder, 'history.jsonl'))
    ? readFileSync(join(folder, 'history.jsonl'), 'utf8').split('\n').filter(Boolean)
    : [];
  const entries = lines.map(parsed);
  const deployed = entries.filter((entry) => entry?.['result'] === 'deployed' && entry['revision'] === revision);
  const undone = entries.filter((entry) => entry?.['revision'] === cutShort && entry['result'] !== 'deployed');
  return [
    ...wrong(cutShort !== null && undone.length === 0, 'history.jsonl does not tell of what was cut short'),
    ...wrong(facts?.['deploying'] !== null, 'a deployment is left in the facts'),
    ...wrong(facts === null, 'state.json cannot be read'),
    ...wrong(facts?.['good'] !== revision || facts['current'] !== revision, `the facts: ${JSON.stringify(facts)}`),
    ...wrong(facts?.['pulling'] !== null, 'the intent is left'),
    ...wrong(entries.includes(null), `history.jsonl is damaged: ${lines.join('\n')}`),
    ...wrong(deployed.length === 0, 'history.jsonl does not tell of the deployment'),
    ...filesIn(folder, /damaged/).map((name) => `set aside: ${name}`),
  ];
}

function ledgerOf(world: World): string {
  return join(world.stage.dir, '.huddle/apps/shop');
}

function factsOf(world: World): Record<string, unknown> | null {
  return (readJson(join(ledgerOf(world), 'state.json'))?.['facts'] as Record<string, unknown> | undefined) ?? null;
}

function readJson(path: string): Record<string, unknown> | null {
  return existsSync(path) ? parsed(readFileSync(path, 'utf8')) : null;
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function filesIn(folder: string, pattern: RegExp): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : [];
}
