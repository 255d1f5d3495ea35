import { asFailure, Failure } from '../../machines/failure.ts';
import { faultPoint } from '../fault.ts';
import { here } from '../platform/here.ts';
import { type CommandInput, inWords, nameOf, runCommand } from './command.ts';
import { endByForce, gone, hasEnded, pauseBefore, rootGone } from './end.ts';
import { type Identity, isAlive, sendSignal } from './identity.ts';
import { readTableSoon } from './table.ts';
import { Doubt, membersOf, type Tree } from './tree.ts';

/** How a program is asked to end. */
export interface StopRequest {
  /** `SIGTERM`, …; on Windows nothing can be sent. */
  readonly signal: string;
  /** Run instead of the signal, in the program's own surroundings: see `stopCommandOf`. */
  readonly command: StopCommand | null;
  /** Told of a stop command that failed, for which the signal was sent. */
  readonly warn: (failure: Failure) => void;
}

/** A stop command without a time-out of its own: the program's ends it too. */
export type StopCommand = Omit<CommandInput, 'doing' | 'timeout' | 'signal' | 'sweep'>;

/**
 * Asks every process of the tree to end, once, and resolves when none of it is left, however long that takes. What it
 * still starts meanwhile (a clean-up) is left in peace until all that were asked are gone; then it is asked too.
 * A stop command that fails counts as none. Rejects when `abort` does; some of the tree may be alive then.
 */
export async function endGently(tree: Tree, request: StopRequest, abort: AbortSignal): Promise<void> {
  if (here.treeEnding !== null) return endWithoutSignals(tree, request, abort);
  const asked = new Set<string>();
  const ask = (members: readonly Identity[], signal: string | null): void => {
    for (const member of members) {
      asked.add(keyOf(member));
      if (signal === null) continue;
      sendSignal(member, signal);
      // Who was stopped hears it then, as under systemd: a Huddle may have died while it was killing it.
      sendSignal(member, 'SIGCONT');
    }
  };
  const found = membersOf(tree, await readTableSoon());
  faultPoint('program.stop.before');
  ask(found, found.length > 0 && (await heeds(request, abort)) ? null : request.signal);
  faultPoint('program.stop.after');
  const seen = new Set<string>();
  const doubt = new Doubt();
  for (let look = 0; ; look++) {
    const table = await readTableSoon();
    const members = membersOf(tree, table);
    if (members.length === 0 && doubt.isSettledBy(table)) break;
    if (members.length === 0) continue;
    // Not at first sight: a shell's child that has only just been forked would lose the signal.
    const isLeft = members.every((member) => !asked.has(keyOf(member)) && seen.has(keyOf(member)));
    if (isLeft) ask(members, request.signal);
    for (const member of members) seen.add(keyOf(member));
    await pauseBefore(look, abort, isAlive(tree.root) ? tree.reaped : null);
  }
  await gone(tree, abort);
}

/** Where no signal can be caught only a stop command asks gently; without one, or when it fails, the tree is killed. */
async function endWithoutSignals(tree: Tree, request: StopRequest, abort: AbortSignal): Promise<void> {
  if (!(await hasEnded(tree)) && (await heeds(request, abort))) await rootGone(tree, abort);
  await endByForce(tree, abort);
}

function keyOf({ pid, startTime }: Identity): string {
  return `${pid}:${startTime}`;
}

/** Whether the stop command, if there is one, says that it has done what it could. */
async function heeds({ command, warn }: StopRequest, signal: AbortSignal): Promise<boolean> {
  if (command === null) return false;
  const doing = 'running the stop command';
  try {
    const { exit } = await runCommand({ ...command, doing, timeout: null, signal, sweep: true });
    if (exit.code === 0) return true;
    const instead = here.treeEnding === null ? 'The stop signal was sent' : 'It was killed';
    const hint = `${instead} instead; correct application.stop command.`;
    warn(new Failure('script-failed', { doing, subject: nameOf(command.command), reason: inWords(exit), hint }));
  } catch (thrown) {
    signal.throwIfAborted();
    warn(asFailure(thrown));
  }
  return false;
}
