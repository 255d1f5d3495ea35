import { here } from '../platform/here.ts';
import type { ProcessUsage } from '../platform/platform.ts';
import { membersOf, type Root, treeOf } from './tree.ts';

/** What a whole tree of processes uses. */
export interface TreeUsage extends ProcessUsage {
  readonly processes: number;
}

/**
 * What the trees of these roots use now, by name, from one look at all processes; a tree of which nothing runs is left
 * out. Null where the platform does not tell.
 */
export function usageOfTrees(roots: ReadonlyMap<string, Root>): ReadonlyMap<string, TreeUsage> | null {
  const { usageOf } = here;
  if (usageOf === null) return null;
  const table = here.readTable(0);
  const usages = new Map<string, TreeUsage>();
  for (const [name, root] of roots) {
    // Not by who holds the log: that look at every file of everybody is for ending a tree, not for watching it.
    const each = membersOf(treeOf(root, null), table).flatMap(({ pid }) => usageOf(pid) ?? []);
    if (each.length > 0) usages.set(name, { ...sum(each), processes: each.length });
  }
  return usages;
}

function sum(each: readonly ProcessUsage[]): ProcessUsage {
  const memory = each.reduce((total, one) => total + one.memory, 0);
  return { memory, cpu: each.reduce((total, one) => total + one.cpu, 0) };
}
