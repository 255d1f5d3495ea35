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
import { checkOut } from '../git/check-out.ts';
import { openWorkingCopy } from '../git/working-copy.ts';
import { commandEnvironment } from '../process/environment.ts';
import { askRemoteTest, runTest } from '../process/gate.ts';
import { runScripts } from '../process/scripts.ts';
import { runAs } from '../process/user.ts';
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
  return opened.head === null && input.running !== null ? await putBack(input, opened, [desk, office, signal]) : opened;
};

/**
 * The working copy had vanished under a program that runs: the revision that it runs on is put back beside it, scripts
 * included. What the remote does not know any more cannot be: then the newest revision is deployed as the first one was.
 */
async function putBack(
  { name, config, running }: OpenInput,
  opened: Opened,
  [desk, office, signal]: readonly [Desk, Office, AbortSignal],
): Promise<Opened> {
  const revision = running ?? '';
  const { branch } = opened;
  try {
    await fetch({ name, config, branch, revision, from: null }, desk, office, signal);
  } catch (thrown) {
    if (asFailure(thrown).code === 'branch-missing') return opened;
    throw thrown;
  }
  await pull({ name, config, revision, branch }, desk, office, signal);
  if (config.scripts.postPull.length > 0)
    await script({ name, config, hook: 'post-pull', revision }, desk, office, signal);
  return { ...opened, head: revision };
}

export const ask: Effect<AskInput, Asked> = ({ config, branch }, desk, office, signal) =>
  desk.withGit('asking the remote', config, (place) =>
    office.network.take(() => askRemote(place, branch, signal), signal),
  );

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

export const script: Effect<ScriptInput, void> = ({ name, config, hook, revision }, desk, _office, signal) =>
  desk.withLog(`${hook} of ${short(revision)}`, config, (log) => {
    const as = runAs(config.application.user);
    const { prePull, postPull, timeout } = config.scripts;
    return runScripts({
      hook,
      scripts: hook === 'pre-pull' ? prePull : postPull,
      timeout,
      directory: config.repository.localPath,
      environment: commandEnvironment(name, revision, as),
      runAs: as,
      mark: desk.mark(),
      log: log.fd,
      signal,
    });
  });

/** What is about to happen is on disk before the tree is touched: after a power cut it is made whole again. */
export const pull: Effect<PullInput, Pulled> = async ({ config, revision, branch }, desk, _office, signal) => {
  desk.beginChange();
  const failure = await desk.ledger.remember({ pulling: revision });
  if (failure !== null) throw failure;
  const pulled = await desk.withGit(`checking out ${short(revision)}`, config, (place) =>
    checkOut(place, { revision, branch }, signal),
  );
  desk.syncSoon(config);
  return pulled;
};
