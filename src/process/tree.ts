import { here } from '../platform/here.ts';
import type { MarkedEntry, Table } from '../platform/platform.ts';
import { cgroupMembers, cgroupOf } from './cgroup.ts';
import { type Identity, identityOf, isAlive } from './identity.ts';

/** What a tree is known by; the ledger keeps this much of it. */
export interface Root extends Identity {
  /** The mark that its first process was started with. */
  readonly mark: string;
}

/** Everything that one start of something has brought forth. */
export interface Tree {
  readonly root: Root;
  /** The real path of the log that only this tree's app writes to; null where writing to it says nothing. */
  readonly log: string | null;
  /** The tree's own cgroup, where one is delegated. */
  readonly cgroup: string | null;
  /**
   * Whether the root was seen alive by this Huddle. Its session bears its pid, and a pid whose end nobody has seen may be
   * somebody else's by now.
   */
  readonly isVouchedFor: boolean;
  /** Settles when Node has seen the root's end; null when it is not a child of ours. */
  readonly reaped: Promise<unknown> | null;
  /** Its processes as last seen, pid to start time: who once belonged to it does so for good. */
  readonly known: Map<number, number>;
}

/** The sessions of all trees that are known, by the pid of who leads them, and which mark is theirs. */
const sessions = new Map<number, string>();

/** The tree of a process that is a child of ours, or that an earlier Huddle has left behind. */
export function treeOf(root: Root, log: string | null, reaped: Tree['reaped'] = null): Tree {
  const isVouchedFor = reaped !== null || isAlive(root);
  if (isVouchedFor) sessions.set(root.pid, root.mark);
  return { root, log, cgroup: cgroupOf(root.mark), isVouchedFor, reaped, known: new Map() };
}

/** Of a tree of which nothing is left. */
export function forgetTree({ root }: Tree): void {
  if (sessions.get(root.pid) === root.mark) sessions.delete(root.pid);
}

/**
 * Every process of the tree that is alive: of its cgroup, its session (and so its group), who carries its mark, who
 * could write to its log (and carries no other mark), what descends from any of these, and who did when it was last
 * looked at. Never Huddle itself, nor what Huddle runs under. Without a table it looks as often as it takes to be sure.
 */
export function membersOf(tree: Tree, table?: Table): Identity[] {
  const { startTime } = tree.root;
  if (table === undefined) return untilBelieved((fresh) => membersOf(tree, fresh), startTime);
  const inside = cgroupMembers(tree.cgroup);
  const young = table.alive.filter((entry) => entry.startTime >= startTime); // Nothing of it is older than its root.
  const members = withDescendants(young, (entry) => inside.has(entry.pid) || belongs(entry, tree));
  tree.known.clear();
  for (const member of members) tree.known.set(member.pid, member.startTime);
  return members;
}

function belongs(entry: MarkedEntry, { root, isVouchedFor, known, log }: Tree): boolean {
  const { pid, startTime, session, mark } = entry;
  if (known.get(pid) === startTime || (isVouchedFor && session === root.pid)) return true;
  // A mark says to whom a process belongs, whatever it holds open: another release, a script's daemon. Who has written
  // over its own (nginx, for its title) is still of its session, and two releases of an app share a log.
  const whose = mark === '' ? (sessions.get(session) ?? '') : mark;
  return whose === '' ? log !== null && here.holdsForWriting(entry, log) : whose === root.mark;
}

/** Every process whose mark begins like this, and what descends from them. */
export function markedWith(prefix: string): Identity[] {
  return untilBelieved(({ alive }) => withDescendants(alive, ({ mark }) => mark.startsWith(prefix)), 0);
}

/**
 * That a look found nobody proves little when somebody ended meanwhile, who may have been the one that was sought, with
 * a child that had not begun when the look did; or when somebody was just becoming another program. Only a look without
 * any of that is to be believed; on a host so busy that there is none, the fifth.
 */
export class Doubt {
  #ended: ReadonlySet<number> = new Set();
  #looks = 0;

  /** Told of each look that found nobody. */
  isSettledBy({ ended, blank }: Table): boolean {
    const before = this.#ended;
    this.#ended = ended;
    this.#looks++;
    return this.#looks >= 5 || (blank === 0 && [...ended].every((pid) => before.has(pid)));
  }
}

function untilBelieved(find: (table: Table) => Identity[], since: number): Identity[] {
  const doubt = new Doubt();
  for (;;) {
    const table = here.readTable(since);
    const members = find(table);
    if (members.length > 0 || doubt.isSettledBy(table)) return members;
  }
}

function withDescendants(table: readonly MarkedEntry[], isMember: (entry: MarkedEntry) => boolean): Identity[] {
  const roots = table.filter(isMember);
  if (roots.length === 0) return [];
  const spared = ownLine();
  const children = Map.groupBy(table, ({ parent }) => parent);
  const members = new Map<number, MarkedEntry>();
  const add = (entry: MarkedEntry): void => {
    if (members.has(entry.pid) || spared.has(entry.pid)) return;
    members.set(entry.pid, entry);
    children.get(entry.pid)?.forEach(add);
  };
  roots.forEach(add);
  return [...members.values()].map(identityOf);
}

/** Huddle and what it runs under, up to init: a Huddle that a program of another one started must not end itself. */
function ownLine(): ReadonlySet<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0; pid = here.readEntry(pid)?.parent ?? 0) line.add(pid);
  return line;
}
