import type { ProcessReport } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { isTaken } from '../platform/pid.ts';
import type { Census, Sight } from '../platform/platform.ts';
import { isAlive } from './identity.ts';
import type { RunningProgram } from './program.ts';
import { keepSpare } from './spare.ts';
import { type Root, treeOf } from './tree.ts';

// Taking over what an earlier Huddle has started: it is no child of ours, so that its end has to be looked for.

/**
 * How often it is looked whether adopted processes are there, milliseconds: an end is to be known within 250. Where init
 * does not reap at once the first one is a zombie, which only a close look tells.
 */
const lookEvery = 240;

/** Of so many looks one asks each process, whatever the census says, and tells zombies as well, which costs twice as much. */
const closeLookEvery = 8;

/**
 * Follows a program that is running already. Reports as `startProgram` does; how it will end nobody can tell, so that
 * its exit has neither code nor signal.
 */
export function adoptProgram(
  root: Root,
  { log, since }: { readonly log: string; readonly since: number },
  report: (report: ProcessReport) => void,
): RunningProgram {
  faultPoint('program.adopt.after');
  keepSpare(root.mark);
  let isLeft = false;
  const tell = (fact: ProcessReport) => {
    if (!isLeft) report(fact);
  };
  queueMicrotask(() => tell({ type: 'process.spawned', pid: root.pid, at: since, adopted: true }));
  const stopLooking = whenGone(root, () => {
    tell({ type: 'process.exited', exit: { code: null, signal: null }, at: Date.now() });
  });
  return {
    tree: treeOf(root, log),
    warning: null,
    leave: () => {
      isLeft = true;
      stopLooking();
    },
  };
}

/** The marks that begin like this and that some process carries, each once. */
export function marksOf(prefix: string): string[] {
  return [...new Set(here.readTable(0).alive.map(({ mark }) => mark))].filter((mark) => mark.startsWith(prefix));
}

interface Watched {
  readonly root: Root;
  readonly sight: Sight | null;
  readonly gone: () => void;
}

const watched = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;
let looks = 0;

/** Answers for all of them where it can. */
let census: Census | null = null;

/** Whether one of them has been found a zombie: init, whose children they are, is not one that reaps at once. */
let areZombiesLeft = false;

/** One timer serves all of them. */
function whenGone(root: Root, gone: () => void): () => void {
  const one = { root, sight: here.sightOf(root.pid), gone };
  if (watched.size === 0) census = here.openCensus();
  watched.add(one);
  timer ??= setInterval(look, lookEvery).unref();
  return () => forget(one);
}

function look(): void {
  looks += 1;
  if (areAllThere()) return;
  for (const one of watched) {
    if (isThere(one)) continue;
    forget(one);
    one.gone();
  }
}

/** Nobody has come or gone on the whole machine. But a zombie has not gone: every few looks each one is asked. */
function areAllThere(): boolean {
  const hasChanged = census?.hasChanged() ?? true;
  return !hasChanged && !areZombiesLeft && looks % closeLookEvery !== 0;
}

function forget(one: Watched): void {
  if (!watched.delete(one)) return;
  one.sight?.close();
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
  census?.close();
  census = null;
  areZombiesLeft = false;
}

function isThere({ root, sight }: Watched): boolean {
  if (sight === null) return looks % here.wholeLookEvery === 0 ? isAlive(root) : isTaken(root.pid);
  if (!areZombiesLeft && looks % closeLookEvery !== 0) return isTaken(root.pid);
  const found = sight.glance() ?? isAlive(root);
  areZombiesLeft ||= !found && isTaken(root.pid);
  return found;
}
