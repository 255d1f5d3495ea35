import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { here } from '../platform/here.ts';
import type { TreeEnding } from '../platform/platform.ts';
import { killCgroup, removeCgroup } from './cgroup.ts';
import { type Identity, isAlive, sendSignal } from './identity.ts';
import { forgetTree, markedWith, membersOf, type Tree } from './tree.ts';

/**
 * Kills the whole tree, and looks again until none of it is left. The first look is taken before this returns; when it
 * finds nothing, as after most crashes, the next start is held up no longer. Rejects with the signal's reason when
 * that aborts first.
 */
export async function endByForce(tree: Tree, abort: AbortSignal): Promise<void> {
  if (here.treeEnding !== null) return endWhole(tree, here.treeEnding, abort);
  killCgroup(tree.cgroup);
  await killAll(() => membersOf(tree), abort);
  await gone(tree, abort);
}

/** While its root is there, the tree hangs together; when that has ended by itself, its children have to be looked for. */
async function endWhole(tree: Tree, { killTree, orphansOf }: TreeEnding, abort: AbortSignal): Promise<void> {
  const roots = (await hasEnded(tree)) ? await orphansOf(tree.root) : [tree.root.pid];
  for (const pid of roots) await killTree(pid);
  await rootGone(tree, abort);
  await gone(tree, abort);
}

/** Resolves when the first process of the tree has ended; rejects with the signal's reason when that aborts first. */
export async function rootGone(tree: Tree, abort: AbortSignal): Promise<void> {
  for (let look = 0; !(await hasEnded(tree)); look++) await pauseBefore(look, abort, tree.reaped);
}

/** Of a child of ours Node knows; until it tells, the pid is not given away. */
export async function hasEnded({ root, reaped }: Tree): Promise<boolean> {
  if (reaped === null) return !isAlive(root);
  const ended = () => true;
  return Promise.race([reaped.then(ended, ended), setImmediate(false)]);
}

/**
 * Kills whatever carries a mark that begins like this: of an app (`appPrefix`), or of one start (its whole mark).
 * Resolves when none is left, at once when there was none.
 */
export async function endMarked(prefix: string, abort: AbortSignal = new AbortController().signal): Promise<void> {
  await killAll(() => markedWith(prefix), abort);
}

/** What is left to be done when no process of the tree is alive: Node may not yet have told of its root's end. */
export async function gone(tree: Tree, abort: AbortSignal): Promise<void> {
  abort.throwIfAborted();
  await tree.reaped;
  forgetTree(tree);
  removeCgroup(tree.cgroup);
}

/** Pauses between two looks, in milliseconds: growing, and ended early by `wake`. */
export async function pauseBefore(look: number, abort: AbortSignal, wake: Promise<unknown> | null): Promise<void> {
  const pause = sleep(Math.min(10 * 1.4 ** look, 100), undefined, { signal: abort });
  await (wake === null ? pause : Promise.race([pause, wake]));
}

async function killAll(find: () => Identity[], abort: AbortSignal): Promise<void> {
  for (let members = freeze(find); members.length > 0; members = freeze(find)) {
    for (const member of members) sendSignal(member, 'SIGKILL');
    for (let look = 0; members.some(isAlive); look++)
      await sleep(Math.min(2 ** look, 100), undefined, { signal: abort });
  }
}

/**
 * Stops all of them before any is killed: what has stopped can neither fork nor lose its children to init, by which
 * those that left group, session and mark behind would be lost to us as well. A storm that outruns twenty looks is
 * killed as far as it has been seen, and looked at again.
 */
function freeze(find: () => Identity[]): Identity[] {
  const frozen = new Map<number, Identity>();
  for (let look = 0; look < 20; look++) {
    const fresh = find().filter(({ pid }) => !frozen.has(pid));
    if (fresh.length === 0) break;
    for (const member of fresh) {
      frozen.set(member.pid, member);
      sendSignal(member, 'SIGSTOP');
    }
  }
  return [...frozen.values()];
}
