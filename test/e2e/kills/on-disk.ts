import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { git } from '../repository.ts';
import type { Expectation } from './witnesses.ts';
import type { World } from './world.ts';

// The fourth witness of a kill: what is on disk.

/** The tree or the releases of an app, and the repository that they belong to. */
export async function inTree(world: World, revision: string, { saved = 0, hasMine }: Expectation): Promise<string[]> {
  const copy = world.stage.copy('shop');
  const isBeside = world.kind !== 'in place';
  const locks = readdirSync(join(copy, '.git'), { recursive: true, encoding: 'utf8' });
  const refs = (await git(copy, 'for-each-ref', '--format=%(refname)', 'refs/huddle')).split('\n');
  const kept = refs.filter((ref) => ref.startsWith('refs/huddle/saved'));
  const folder = isBeside ? join(copy, 'current') : copy;
  const changes = (await git(folder, 'status', '--porcelain', '--ignored')).split('\n');
  const isMine = (line: string) => hasMine === true && /^(?:\?\?|!!) data\/$/.test(line);
  return [
    ...wrong((await git(copy, 'rev-parse', 'HEAD')) !== revision, 'HEAD is elsewhere'),
    ...wrong((await git(folder, 'rev-parse', 'HEAD')) !== revision, 'HEAD of the tree is elsewhere'),
    ...changes
      .filter((line) => line !== '' && !isMine(line) && !(isBeside && line === '!! data'))
      .map((line) => `the tree is not the revision: ${line}`),
    ...releasesIn(world, refs, revision),
    ...wrong(
      (isBeside || hasMine === true) && textOf(join(folder, 'data/mine')) !== 'mine',
      'what is shared is not there',
    ),
    ...locks.filter((name) => name.endsWith('.lock')).map((name) => `left in .git: ${name}`),
    ...wrong(refs.includes('refs/huddle/pulling'), 'refs/huddle/pulling is left'),
    ...wrong(saved !== null && kept.length !== saved, `saved: ${kept.join()}`),
    ...filesIn(copy, /^\.git\.|huddle-new/).map((name) => `left in the working copy: ${name}`),
    ...filesIn(join(ledgerOf(world), 'candidates'), /./).map((name) => `candidate left: ${name}`),
  ];
}

/** Each release is whole, or nothing of it is left; `current` and the switch script lead to the one in charge. */
function releasesIn({ kind, stage, front }: World, refs: readonly string[], revision: string): string[] {
  const copy = stage.copy('shop');
  const known = refs.flatMap((ref) => ref.split('refs/huddle/releases/')[1] ?? []).toSorted();
  const folders = filesIn(join(copy, 'releases'), /./).toSorted();
  const entries = filesIn(join(copy, '.git/worktrees'), /./).toSorted();
  const current = existsSync(join(copy, 'current')) ? readlinkSync(join(copy, 'current')) : null;
  const isBeside = kind !== 'in place';
  const wanted = isBeside ? revision.slice(0, 7) : null;
  return [
    ...wrong(current !== (wanted && `releases/${wanted}`), `current leads to ${current}`),
    ...wrong(isBeside && textOf(front).trim() !== wanted, `switched to ${textOf(front)}`),
    ...wrong(
      known.join() !== folders.join() || known.join() !== entries.join() || (!isBeside && known.length > 0),
      `releases: ${folders.join()}, ready: ${known.join()}, entries: ${entries.join()}`,
    ),
    ...wrong(isBeside && existsSync(join(copy, '.git/index')), 'the tree in place is left'),
    ...filesIn(join(copy, '.git/huddle'), /^gone-/).map((name) => `left in .git/huddle: ${name}`),
  ];
}

/** What an app writes down of the processes that keep its doors. */
const doors = { sockets: 'sockets.json', proxy: 'proxy.json' } as const;

/** The pids of who keeps its sockets, and of its proxy. */
export function doorkeepers(world: World): number[] {
  const keeper = readJson(join(ledgerOf(world), doors.sockets))?.['keeper'] as { pid: number } | undefined;
  const proxy = readJson(join(ledgerOf(world), doors.proxy)) as { pid: number } | null;
  return [keeper, proxy].flatMap((each) => each?.pid ?? []);
}

/** The programs that are written down. */
export function recordsOf(world: World): readonly Record<string, unknown>[] {
  const record = readJson(join(ledgerOf(world), 'program.json'));
  return record === null ? [] : ((record['programs'] ?? [record]) as Record<string, unknown>[]);
}

/** What an app has written down: its facts, its history, who keeps its doors. */
export function inLedger(world: World, revision: string, { isAgain }: Expectation, cutShort: string | null): string[] {
  const folder = ledgerOf(world);
  const facts = factsOf(world);
  const lines = existsSync(join(folder, 'history.jsonl'))
    ? readFileSync(join(folder, 'history.jsonl'), 'utf8').split('\n').filter(Boolean)
    : [];
  const entries = lines.map(parsed);
  const deployed = entries.filter((entry) => entry?.['result'] === 'deployed' && entry['revision'] === revision);
  const files = readdirSync(folder);
  const fifo = (readJson(join(folder, doors.sockets))?.['keeper'] as { fifo: string } | undefined)?.fifo;
  const undone = entries.filter((entry) => entry?.['revision'] === cutShort && entry['result'] !== 'deployed');
  // One that is refused when it is tried once more has a second line, of its own.
  const told = undone.filter((entry) => String(entry?.['reason']).startsWith('cut short'));
  return [
    ...wrong(cutShort !== null && undone.length === 0, 'history.jsonl does not tell of what was cut short'),
    ...wrong(facts?.['deploying'] !== null, 'a deployment is left in the facts'),
    ...wrong(facts === null, 'state.json cannot be read'),
    ...wrong(facts?.['good'] !== revision || facts['current'] !== revision, `the facts: ${JSON.stringify(facts)}`),
    ...wrong(facts?.['pulling'] !== null, 'the intent is left'),
    ...wrong(entries.includes(null), `history.jsonl is damaged: ${lines.join('\n')}`),
    ...wrong(
      deployed.length !== 1 && !(isAgain === true && deployed.length === 2),
      `history.jsonl tells of the deployment ${deployed.length} times`,
    ),
    ...wrong(told.length > 1, `history.jsonl tells ${told.length} times of what was cut short`),
    ...wrong(files.includes(doors.sockets) !== (world.kind === 'listen'), 'sockets.json is there, or is not'),
    ...wrong(files.includes(doors.proxy) !== (world.kind === 'proxy'), 'proxy.json is there, or is not'),
    ...filesIn(folder, /\.fifo$/)
      .filter((name) => join(folder, name) !== fifo)
      .map((name) => `left: ${name}`),
    ...filesIn(folder, /damaged/).map((name) => `set aside: ${name}`),
  ];
}

function ledgerOf(world: World): string {
  return join(world.stage.dir, '.huddle/apps/shop');
}

export function factsOf(world: World): Record<string, unknown> | null {
  return (readJson(join(ledgerOf(world), 'state.json'))?.['facts'] as Record<string, unknown> | undefined) ?? null;
}

function readJson(path: string): Record<string, unknown> | null {
  return existsSync(path) ? parsed(readFileSync(path, 'utf8')) : null;
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
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

/** What is wrong, if it is. */
export function wrong(isWrong: boolean, what: string): string[] {
  return isWrong ? [what] : [];
}
