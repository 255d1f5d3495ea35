import type { AppConfig } from '../../machines/config.ts';
import type { Revision } from '../../machines/facts.ts';
import { asFailure } from '../../machines/failure.ts';
import type { DrainInput, HandOverInput, Release } from '../../machines/slots.ts';
import { faultPoint } from '../fault.ts';
import { finishRelease, takeCurrent } from '../git/releases.ts';
import type { ProgramRecord } from '../ledger/app-ledger.ts';
import { commandEnvironment, releaseVariables } from '../process/environment.ts';
import { runScripts } from '../process/scripts.ts';
import { runAs } from '../process/user.ts';
import { drained, pointProxy } from '../proxy/client.ts';
import type { Desk } from './desk.ts';
import { endProxy, settleProxy } from './proxy.ts';
import { isBeside, pruneOld, releaseName, releaseOf } from './release.ts';

// Letting the world reach another release: the link `current`, and whoever forwards requests.

/** What is to be reached. */
interface Destination {
  readonly revision: Revision;
  readonly directory: string;
  readonly release: Release;
}

/** All of it leads to the new one when it resolves; to the old one when it rejects. */
export async function handOver(input: HandOverInput, desk: Desk, signal: AbortSignal): Promise<void> {
  const { config, side, revision, directory, from } = input;
  const { port } = releaseOf(desk.ledger.programs[side]) ?? { port: null };
  const before = from === null ? null : desk.ledger.programs[from.side];
  try {
    await turnTo({ revision, directory, release: { name: releaseName(directory), port } }, desk, config, signal);
    signal.throwIfAborted();
  } catch (thrown) {
    if (before !== null) await turnBack(before, desk, config, new AbortController().signal);
    throw thrown;
  }
  if (isBeside(config)) await pruneOld(config, desk, signal);
}

/** Back to a program that is written down; what cannot be turned back is warned of. */
export async function turnBack(
  record: ProgramRecord,
  desk: Desk,
  config: AppConfig,
  signal: AbortSignal,
): Promise<void> {
  const { revision } = record;
  const directory = record.directory ?? config.repository.localPath;
  const release = releaseOf(record) ?? { name: null, port: null };
  try {
    await turnTo({ revision, directory, release }, desk, config, signal);
  } catch (thrown) {
    desk.warnOf(asFailure(thrown));
  }
}

async function turnTo(to: Destination, desk: Desk, config: AppConfig, signal: AbortSignal): Promise<void> {
  const { name } = to.release;
  if (isBeside(config) && name !== null) {
    await desk.withGit(`switching to ${name}`, config, async (place) => {
      await finishRelease(place, to.revision, signal);
      await takeCurrent(place, name, signal);
    });
  }
  // Only the files are brought up to date: nobody is to be sent to a program that is not started.
  if (config.application.start === null) return;
  if (config.scripts.switch.length > 0) await runSwitch(to, desk, config, signal);
  const control = await settleProxy(config, desk);
  const { port } = to.release;
  if (control === null || port === null) return;
  faultPoint('proxy.point.before');
  const { drainTimeout } = config.application;
  await pointProxy(control, { port, revision: to.revision, drainTimeout }, signal).catch((thrown: unknown) => {
    // That there is none says less than why.
    throw (asFailure(thrown).code === 'not-running' ? desk.doors.proxy?.complaint : null) ?? thrown;
  });
  faultPoint('proxy.point.after');
}

/** Resolves when the proxy has no request open at this side any more. */
export async function drain({ side }: DrainInput, desk: Desk, signal: AbortSignal): Promise<void> {
  const port = desk.ledger.programs[side]?.port ?? null;
  if (desk.doors.proxy !== null && port !== null) await drained(desk.doors.proxy.settings.control, port, signal);
}

/** In place nothing serves meanwhile: requests wait for the next program, and those under way are answered by this one. */
export async function hold({ config, side }: DrainInput, desk: Desk, signal: AbortSignal): Promise<void> {
  const port = desk.ledger.programs[side]?.port ?? null;
  if (desk.doors.proxy === null || port === null || isBeside(config)) return;
  const { control } = desk.doors.proxy.settings;
  const patience = AbortSignal.any([signal, AbortSignal.timeout(config.application.stopTimeout * 500)]);
  try {
    await pointProxy(control, null, patience);
    await drained(control, port, patience);
  } catch (thrown) {
    signal.throwIfAborted();
    desk.warnOf(asFailure(thrown));
  }
}

/** Nobody is let in any more: the app has been stopped, or leaves with its program. */
export async function shut(desk: Desk): Promise<void> {
  desk.doors.closeSockets();
  await endProxy(desk);
}

function runSwitch(to: Destination, desk: Desk, config: AppConfig, signal: AbortSignal): Promise<void> {
  const { revision, directory, release } = to;
  const { switch: scripts, timeout } = config.scripts;
  return desk.withLog(`switch to ${revision.slice(0, 7)}`, config, (log) => {
    const as = runAs(config.application.user);
    const environment = { ...commandEnvironment(desk.name, revision, as), ...releaseVariables(release, false) };
    const surroundings = { directory, environment, runAs: as, mark: desk.mark(), log: log.fd, signal };
    return runScripts({ hook: 'switch', scripts, timeout, ...surroundings });
  });
}
