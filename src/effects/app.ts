import { basename } from 'node:path';
import type {
  Asked,
  AskInput,
  Fetched,
  FetchInput,
  Opened,
  OpenInput,
  Pulled,
  PullInput,
  ScriptInput,
  TestInput,
  Verdict,
} from '../../machines/slots.ts';
import { asFailure } from '../../machines/failure.ts';
import { type Desk, makeCandidatesFolder, type Office } from './desk.ts';
import { makeCandidate } from '../git/candidate.ts';
import { askRemote, fetchRevision } from '../git/ask.ts';
import { findDirectory, finishRelease, leaveReleases, prepareRelease, takeCurrent } from '../git/releases.ts';
import { openWorkingCopy } from '../git/working-copy.ts';
import { commandEnvironment } from '../process/environment.ts';
import { askRemoteTest, runTest } from '../process/gate.ts';
import { runScripts } from '../process/scripts.ts';
import { runAs } from '../process/user.ts';
import { goneFrom, hasLostRelease, isBeside, isReleased, tidyReleases } from './release.ts';
import { settleRemains } from './remains.ts';

// What the slots of an app do, put together from the adapters. Each settles only when what it started has ended.

/** How an effect is called: with its slot's input, at the desk of its app, until the signal aborts. */
export type Effect<Input, Output> = (input: Input, desk: Desk, office: Office, signal: AbortSignal) => Promise<Output>;

const short = (revision: string) => revision.slice(0, 7);

/** Before anything is touched, what an earlier life of the app has left is ended, or spared to be taken over. */
export const open: Effect<OpenInput, Opened> = async (input, desk, office, signal) => {
  const { config, want } = input;
  await settleRemains(desk, config, signal);
  if (want === 'tip') await mustRemember(desk);
  const opened = await desk.withGit('opening the working copy', config, (place) => {
    const work = async () => {
      const opened = await openWorkingCopy(place, want, signal);
      const { branch, tip } = opened;
      // A candidate comes with its submodules, so that nothing is left to be fetched while the program is down.
      if (desk.ledger.isUnsynced) desk.syncSoon(config);
      if (tip !== null && config.repository.submodules)
        await fetchRevision(place, { branch, revision: tip, from: null }, signal);
      return opened;
    };
    return (want === 'place' ? office.local : office.network).take(work, signal);
  });
  const isGone = input.running !== null && (opened.head === null || (await hasLostRelease(config, desk, signal)));
  if (isGone) return await putBack(input, opened, [desk, office, signal]);
  return { ...opened, ...(await placeOf(input, opened.head, desk)) };
};

/** No revision has this id. */
const nothing = '0'.repeat(40);

/** Where the revision in charge is: in a release, or in the local path, whatever the strategy is now. */
async function placeOf({ config, running }: OpenInput, head: string | null, desk: Desk) {
  const { localPath } = config.repository;
  const revision = running ?? desk.ledger.facts.good;
  if (revision === null || head === null || !isReleased(config)) return { head, directory: localPath };
  const spared = desk.spared?.revision === revision ? (desk.spared.directory ?? localPath) : null;
  const found =
    spared ?? (await desk.withGit('looking for a release', config, (place) => findDirectory(place, revision)));
  if (found !== null) return { head: revision, directory: found };
  return { head: head === revision ? nothing : head, directory: localPath };
}

/**
 * The working copy, or the release in charge, had vanished under a program that runs: the revision that it runs on is
 * put back beside it, scripts included. What the remote does not know any more cannot be: then the newest revision is
 * deployed as the first one was.
 */
async function putBack(
  { name, config, running }: OpenInput,
  found: Omit<Opened, 'directory'>,
  [desk, office, signal]: readonly [Desk, Office, AbortSignal],
): Promise<Opened> {
  const opened = { ...found, directory: config.repository.localPath };
  const revision = running ?? '';
  const { branch } = opened;
  try {
    await fetch({ name, config, branch, revision, from: null }, desk, office, signal);
  } catch (thrown) {
    if (asFailure(thrown).code === 'branch-missing') return opened;
    throw thrown;
  }
  const { directory, isFresh } = await pull({ name, config, revision, branch }, desk, office, signal);
  if (isFresh && config.scripts.postPull.length > 0)
    await script({ name, config, hook: 'post-pull', revision, directory }, desk, office, signal);
  if (isBeside(config))
    await desk.withGit('putting a release back', config, (place) => takeCurrent(place, basename(directory), signal));
  return { ...opened, head: revision, directory };
}

export const ask: Effect<AskInput, Asked> = async ({ config, branch }, desk, office, signal) => {
  await tidyReleases(config, desk, signal);
  const isLost = desk.ledger.facts.current !== null && (await hasLostRelease(config, desk, signal));
  if (isLost) throw goneFrom(config.repository.localPath);
  return await desk.withGit('asking the remote', config, (place) =>
    office.network.take(() => askRemote(place, branch, signal), signal),
  );
};

export const fetch: Effect<FetchInput, Fetched> = async ({ config, ...wanted }, desk, office, signal) => {
  await mustRemember(desk);
  return await desk.withGit(`fetching ${short(wanted.revision)}`, config, (place) =>
    office.network.take(() => fetchRevision(place, wanted, signal), signal),
  );
};

/** What is found now will be deployed, and that needs its intent on disk: better to know before the program is stopped. */
async function mustRemember({ ledger }: Desk): Promise<void> {
  const failure = await ledger.rewrite();
  if (failure !== null) throw failure;
}

export const test: Effect<TestInput, Verdict> = async ({ name, config, revision, branch }, desk, _office, signal) => {
  const { test: gate } = config;
  if (gate === null) return { kind: 'passed' };
  if (gate.kind === 'remote') return await askRemoteTest({ gate, revision, branch, signal });
  const { commands, timeout } = gate;
  return await desk.withGit(`making a checkout of ${short(revision)}`, config, async (place) => {
    if (place.candidates !== undefined) makeCandidatesFolder(place.candidates, runAs(config.application.user));
    const candidate = await makeCandidate(place, revision, signal);
    try {
      return await desk.withLog(`testing ${short(revision)}`, config, (log) => {
        const as = runAs(config.application.user);
        const environment = commandEnvironment(name, revision, as);
        const { directory } = candidate;
        const surroundings = { directory, environment, runAs: as, mark: desk.mark(), log: log.fd, signal };
        return runTest({ commands, timeout, ...surroundings });
      });
    } finally {
      await candidate.remove();
    }
  });
};

export const script: Effect<ScriptInput, void> = async (input, desk, _office, signal) => {
  const { name, config, hook, revision, directory } = input;
  await desk.withLog(`${hook} of ${short(revision)}`, config, (log) => {
    const as = runAs(config.application.user);
    const { prePull, postPull, timeout } = config.scripts;
    return runScripts({
      hook,
      scripts: hook === 'pre-pull' ? prePull : postPull,
      timeout,
      directory: directory ?? config.repository.localPath,
      environment: commandEnvironment(name, revision, as),
      runAs: as,
      mark: desk.mark(),
      log: log.fd,
      signal,
    });
  });
  if (hook === 'post-pull' && isBeside(config))
    await desk.withGit('finishing a release', config, (place) => finishRelease(place, revision, signal));
};

/** What is about to happen is on disk before the tree is touched: after a power cut it is made whole again. */
export const pull: Effect<PullInput, Pulled> = async (input, desk, _office, signal) => {
  const { config, revision, branch } = input;
  desk.beginChange();
  if (isBeside(config)) return await prepare(input, desk, signal);
  const failure = await desk.ledger.remember({ pulling: revision });
  if (failure !== null) throw failure;
  const rescued = await desk.withGit(`checking out ${short(revision)}`, config, (place) =>
    leaveReleases(place, revision, branch, signal),
  );
  desk.syncSoon(config);
  return { ...rescued, directory: config.repository.localPath, isFresh: true };
};

/** A release that is half-made disturbs nobody: no intent has to be written down. */
async function prepare({ config, revision, branch }: PullInput, desk: Desk, signal: AbortSignal): Promise<Pulled> {
  const { shared } = config.deployment;
  const prepared = await desk.withGit(`making a release of ${short(revision)}`, config, async (place) => {
    const made = await prepareRelease(place, { revision, branch, shared }, signal);
    if (made.isFresh && config.scripts.postPull.length === 0) await finishRelease(place, revision, signal);
    return made;
  });
  desk.syncSoon(config);
  return prepared;
}
