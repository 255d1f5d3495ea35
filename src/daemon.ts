import { availableParallelism } from 'node:os';
import { type AnyActorRef, createActor, type InspectionEvent, toPromise } from 'xstate';
import { asFailure, type Failure } from '../machines/failure.ts';
import type { HuddleSnapshot } from '../machines/huddle.ts';
import type { Facts } from '../machines/facts.ts';
import type { RootCommand } from '../machines/protocol.ts';
import { tellMoments } from './fault.ts';
import { steadyNow } from './clock.ts';
import { namesChanged, watchConfigs, withoutProgram } from './configs.ts';
import { openLog } from './control/log.ts';
import { noticeOf } from './control/notices.ts';
import { type About, because, tell } from './control/prose.ts';
import type { AppStatus } from './control/status.ts';
import type { Listening } from './control/tcp.ts';
import { type Doors, openDoors } from './doors.ts';
import { type Desk, type Office, openDesk } from './effects/desk.ts';
import { keepLock } from './ledger/keep-lock.ts';
import { takeBoth } from './ledger/lock.ts';
import { statePaths } from './ledger/paths.ts';
import type { Inspector } from './observe/inspector/inspector.ts';
import { createRotator, type RotatedLog } from './logs/rotate.ts';
import { endMarked } from './process/end.ts';
import { openMeter } from './observe/metrics/metrics.ts';
import { marksOf } from './process/adopt.ts';
import { appPrefix, folderMark } from './process/mark.ts';
import { dismissSpare, endSpares } from './process/spare.ts';
import { usageOfTrees } from './process/usage.ts';
import { openNotifier } from './effects/notify.ts';
import { turns } from './effects/turns.ts';
import { staySmall } from './memory.ts';
import { bulletin, sourceOf } from './source.ts';
import { version } from './version.ts';
import { isAppActor, isAtRest, stateName } from './view.ts';
import { wire } from './wire.ts';

export interface DaemonOptions {
  readonly folder: string;
  readonly state: string | undefined;
  readonly debug: boolean;
  /** Only bring the files up to date: start no program, answer nobody, leave what runs alone. */
  readonly filesOnly: boolean;
  /** null: nobody but the owner of the control socket is answered. */
  readonly listening: Listening | null;
  /** Told where the network reaches Huddle, each time that it begins to. */
  readonly opened?: (url: string, token: string) => void;
}

/** A running Huddle. */
export interface Daemon {
  /** Checks every remote now. */
  checkAll(): void;
  /** Takes the TLS certificate as it is on disk now. */
  renew(): void;
  /** Stops all programs, then ends. */
  shutdown(): void;
  /** No more patience with any of them. */
  kill(): void;
  /** Resolves with every app when all have come to rest: up to date, or waiting for the next try. */
  settled(): Promise<readonly AppStatus[]>;
  /** Resolves when everything has ended. */
  readonly ended: Promise<void>;
}

/**
 * Starts Huddle on a folder: takes the lock, ends what a dead Huddle has left, answers on the control socket, and runs
 * an app for each config file. Fails with `path-occupied` when another Huddle runs there.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const paths = statePaths(options.folder, options.state);
  const { lock: first, leaveFolder } = takeBoth(paths);
  const log = openLog({ debug: options.debug, place: options });

  // Only then is it plain what a dead Huddle has left.
  if (!options.filesOnly) await endSpares(folderMark(paths.folder));

  const changes = bulletin();
  const desks = new Map<string, Desk>();
  const office: Office = {
    paths,
    remains: options.filesOnly ? [] : marksOf(`${folderMark(paths.folder)}:`),
    warn: (app, text) => {
      log.write('warn', text, app);
      changes.publish({ type: 'app', name: app });
    },
    taken: () => lock.lookForOther(),
    network: turns(2 * availableParallelism()),
    local: turns(2 * availableParallelism()),
  };
  const desk = (name: string): Desk => {
    const open = desks.get(name) ?? openDesk(name, office);
    desks.set(name, open);
    return open;
  };

  /** What makes it impossible to go on. */
  let fatal: Failure | null = null;
  /** The apps whose actor has died, and has not begun anew. */
  const died = new Set<string>();
  let isDetached = false;
  const leave = () => {
    isDetached = true;
    if (root.getSnapshot().status === 'active') root.send({ type: 'detach' });
  };

  const notifier = openNotifier(desk);
  const machine = wire({
    office,
    desk,
    tell: (name, news) => {
      const { level, text } = tell(news, aboutOf(name, root.getSnapshot(), options.filesOnly));
      // Once this turn is over: `inspect` writes the facts down in it, and a killed Huddle has told of nothing that the next one does anew.
      queueMicrotask(() => log.write(level, text, name));
      const notice = noticeOf(name, news);
      const config = root.getSnapshot().context.slots[name]?.config;
      if (notice !== null && config !== undefined) notifier.tell(notice, config);
    },
    record: (name, told) => {
      const entry = { ...told, at: new Date().toISOString() };
      void desk(name).ledger.append(entry);
      meter.tally.deployment(name, entry);
      changes.publish({ type: 'deployment', name, entry });
    },
    probed: (name, seconds, isHealthy) => meter.tally.probe(name, seconds, isHealthy),
    watch: (send) =>
      watchConfigs(paths, log, {
        told: (report) => {
          const before = root.getSnapshot().context.files;
          send(options.filesOnly ? withoutProgram(report, paths.folder) : report);
          for (const name of namesChanged(before, root.getSnapshot().context.files))
            changes.publish({ type: 'app', name });
          if (report.type !== 'config.read') return;
          if (Object.keys(before).length === 0)
            log.write('info', 'there are no apps yet: huddle init writes an example');
          void endOrphans(office, desk, root.getSnapshot());
        },
        failed: (failure) => {
          fatal = failure;
          root.send({ type: 'shutdown' });
        },
      }),
  });

  const inspector = options.listening === null ? null : await inspectorOf(() => root);
  const written = new Map<string, Facts>();
  /** What an app must not forget is written down whenever it changes; and whoever watches is told. */
  const inspect = (event: InspectionEvent) => {
    inspector?.observe(event);
    if (event.type !== '@xstate.snapshot' || !isAppActor(event.actorRef)) return;
    const { value, context, status } = event.actorRef.getSnapshot();
    const { name, facts, failures } = context;
    if (status === 'active') died.delete(name);
    meter.tally.see(name, { state: stateName(value), failures });
    if (written.get(name) !== facts) void desk(name).ledger.remember(facts);
    written.set(name, facts);
    changes.publish({ type: 'app', name });
  };

  /** Each life of an app's actor begins with what the one before has left: facts on disk, and perhaps processes. */
  const recall = (name: string) => {
    if (desks.has(name)) desk(name).lookForRemains();
    return desk(name).ledger.facts;
  };

  const root = createActor(machine, {
    inspect,
    input: { now: steadyNow, random: Math.random, recall },
  });
  const about = () => ({
    version: version(),
    pid: process.pid,
    folder: paths.folder,
    listen: doors?.listen() ?? null,
  });
  const source = sourceOf({
    root,
    desk,
    office,
    changes,
    about,
    metrics: () => meter.scrape(),
    leave,
    attach: inspector && ((viewer) => inspector.attach(viewer)),
  });
  const meter = openMeter({ version, apps: () => source.apps(), usage: () => usageOfTrees(programsAt(desks)) });
  tellMoments(() => source.apps().map(({ name, state }) => `${name}:${state}`));
  root.on('refused', ({ entry, failure }) => log.write('error', because(failure), entry.name));
  root.on('died', ({ name, failure, retryIn }) => {
    died.add(name);
    log.write('error', because(failure, retryIn === null ? '' : `the app starts anew in ${retryIn} s`), name);
  });

  const rotator = createRotator({
    every: 5,
    files: () => rotatedLogs(root.getSnapshot(), desk),
    warn: (text) => log.write('warn', text),
  });

  const lock = keepLock(paths, first, {
    away: (failure) => log.write('error', because(failure)),
    back() {
      log.write('warn', `the state folder ${paths.root} had gone; it is there again, with all that Huddle knows`);
      for (const { ledger } of desks.values()) void ledger.rewrite();
    },
    taken(failure) {
      log.write('error', because(failure, 'this one leaves, and leaves the programs to it'));
      fatal = failure;
      for (const { ledger } of desks.values()) void ledger.close();
      leave();
    },
  });

  log.write('info', `running the apps of ${paths.folder} (process ${process.pid})`);
  root.start();
  const { listening, opened = () => {} } = options;
  const doors: Doors | null = options.filesOnly ? null : openDoors({ source, paths, log, listening, opened });

  const settled = () =>
    new Promise<readonly AppStatus[]>((resolve) => {
      const look = () => {
        if (!isAtRest(root.getSnapshot())) return;
        unsubscribe();
        subscription.unsubscribe();
        resolve(source.apps());
      };
      const unsubscribe = changes.subscribe(look);
      const subscription = root.subscribe(look);
      look();
    });
  void staySmall(settled);

  const send = (command: RootCommand) => {
    if (root.getSnapshot().status === 'active') root.send(command);
  };
  const end = async () => {
    await toPromise(root);
    // An app that died and was not yet started anew has left its program to nobody.
    if (!isDetached) for (const name of died) await desk(name).sweep();
    await dismissSpare();
    notifier.close();
    await rotator.stop();
    inspector?.close();
    await doors?.close();
    await Promise.all([...desks.values()].map(({ ledger }) => ledger.close()));
    lock.release();
    leaveFolder();
    log.write('info', 'stopped');
    if (fatal !== null) throw fatal;
  };
  return {
    checkAll: () => send({ type: 'check all' }),
    renew: () => doors?.renew(),
    shutdown: () => send({ type: 'shutdown' }),
    kill: () => send({ type: 'kill' }),
    settled,
    ended: end(),
  };
}

/** Loaded only where somebody could look. */
async function inspectorOf(root: () => AnyActorRef): Promise<Inspector> {
  return (await import('./observe/inspector/inspector.ts')).openInspector(root);
}

/** What the sentences about an app have to know of it. */
function aboutOf(name: string, { context }: HuddleSnapshot, once: boolean): About {
  const config = context.slots[name]?.config;
  return { name, localPath: config?.repository.localPath ?? '', tested: (config?.test ?? null) !== null, once };
}

/**
 * Ends what a dead Huddle has left of apps that are not to run any more: their file is gone, or they are stopped. An app
 * whose file is only broken is left alone.
 */
async function endOrphans(office: Office, desk: (name: string) => Desk, { context }: HuddleSnapshot): Promise<void> {
  const names = new Set(Object.values(context.files).map(({ name }) => name));
  const wanted = [...names].filter((name) => !desk(name).ledger.facts.stopped);
  const prefixes = wanted.map((name) => appPrefix(folderMark(office.paths.folder), name));
  const orphans = office.remains.filter((mark) => !prefixes.some((prefix) => mark.startsWith(prefix)));
  try {
    for (const mark of orphans) await endMarked(mark);
  } catch (thrown) {
    office.warn('', asFailure(thrown).message);
  }
}

/** The programs that this Huddle keeps up, by app: as the ledgers have them. */
function programsAt(desks: ReadonlyMap<string, Desk>) {
  return new Map([...desks].flatMap(([name, { ledger }]) => (ledger.program === null ? [] : [[name, ledger.program]])));
}

function rotatedLogs({ context }: HuddleSnapshot, desk: (name: string) => Desk): RotatedLog[] {
  return Object.values(context.slots).flatMap(({ name, config: { logs, application } }) => {
    const { appLog, deployLog, proxyLog, root } = desk(name).paths;
    const written = application.proxy === null ? [appLog, deployLog] : [appLog, deployLog, proxyLog];
    return written.map((path) => ({ path, base: root, size: logs.size, keep: logs.keep }));
  });
}
