import { cgroupMembers, cgroupOf } from './cgroup.ts';
import { type Identity, identityOf, isAlive } from './identity.ts';
import { holdsForWriting, isReadable, type ProcessEntry, readEntry, readMark, readTable } from './proc.ts';

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

/** The tree of a process that is a child of ours, or that an earlier Huddle has left behind. */
export function treeOf(root: Root, log: string | null, reaped: Promise<unknown> | null = null): Tree {
  const isVouchedFor = reaped !== null || isAlive(root);
  return { root, log, cgroup: cgroupOf(root.mark), isVouchedFor, reaped, known: new Map() };
}

/**
 * Every process of the tree that is alive: of its cgroup, its session (and so its group), who carries its mark, who
 * could write to its log (and carries no other mark), what descends from any of these, and who did when it was last
 * looked at. Never Huddle itself, nor what Huddle runs under.
 */
export function membersOf(tree: Tree, table: readonly ProcessEntry[] = readTable(tree.root.startTime)): Identity[] {
  const inside = cgroupMembers(tree.cgroup);
  const young = table.filter(({ startTime }) => startTime >= tree.root.startTime); // Nothing of it is older than its root.
  const patience = { left: 4 };
  const members = withDescendants(young, (entry) => inside.has(entry.pid) || belongs(entry, tree, patience));
  tree.known.clear();
  for (const { pid, startTime } of members) tree.known.set(pid, startTime);
  return members;
}

/** Every process whose mark begins like this, and what descends from them. */
export function markedWith(prefix: string): Identity[] {
  return withDescendants(readTable(), ({ pid }) => isReadable(pid) && (readMark(pid) ?? '').startsWith(prefix));
}

function belongs(entry: ProcessEntry, { root, isVouchedFor, known, log }: Tree, patience: Patience): boolean {
  if (known.get(entry.pid) === entry.startTime) return true;
  if (isVouchedFor && entry.session === root.pid) return true;
  if (!isReadable(entry.pid)) return false;
  const mark = settledMark(entry.pid, patience);
  // A mark says to whom a process belongs, whatever it holds open: another release, a script's daemon.
  return mark === '' ? log !== null && holdsForWriting(entry.pid, log) : mark === root.mark;
}

/** How often one look at all processes may still wait for one of them. */
interface Patience {
  left: number;
}

/** While a process is being replaced by another program it has no environment for some 0.1 ms: that is waited out. */
function settledMark(pid: number, patience: Patience): string {
  for (let mark = readMark(pid); ; mark = readMark(pid)) {
    if (mark !== null) return mark;
    if (patience.left-- <= 0) return '';
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.3);
  }
}

function withDescendants(table: readonly ProcessEntry[], isMember: (entry: ProcessEntry) => boolean): Identity[] {
  const spared = ownLine();
  const children = Map.groupBy(table, ({ parent }) => parent);
  const members = new Map<number, ProcessEntry>();
  const add = (entry: ProcessEntry): void => {
    if (members.has(entry.pid) || spared.has(entry.pid)) return;
    members.set(entry.pid, entry);
    children.get(entry.pid)?.forEach(add);
  };
  for (const entry of table) if (!members.has(entry.pid) && isMember(entry)) add(entry);
  return [...members.values()].map(identityOf);
}

/** Huddle and what it runs under, up to init: a Huddle that a program of another one started must not end itself. */
function ownLine(): ReadonlySet<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0; pid = readEntry(pid)?.parent ?? 0) line.add(pid);
  return line;
}
