import { asFailure, Failure } from '../machines/failure.ts';
import { doing, type Order } from '../machines/protocol.ts';
import { isRejected } from '../machines/policy.ts';
import { readSecret } from './control/secret.ts';
import { openWaker } from './control/webhook.ts';
import { withoutCredentials } from './config/remote.ts';
import { toldOutcome, toldPreview } from './control/prose.ts';
import type { Whereabouts, Change, Metrics, Source } from './control/source.ts';
import { ask } from './effects/app.ts';
import type { Desk, Office } from './effects/desk.ts';
import { commitPage } from './observe/dashboard/forge.ts';
import { openOrders } from './orders.ts';
import { stopApp } from './stop-folder.ts';
import { usageOfTrees } from './process/usage.ts';
import { appIn, appsIn, type HuddleActor, lookAt } from './view.ts';

/** Who wants to know of changes. */
export interface Bulletin {
  publish(change: Change): void;
  /** A listener does not throw. Returns what ends it. */
  subscribe(listener: (change: Change) => void): () => void;
}

export function bulletin(): Bulletin {
  const listeners = new Set<(change: Change) => void>();
  return {
    publish(change) {
      for (const listener of listeners) listener(change);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

interface Ground {
  readonly root: HuddleActor;
  readonly desk: (name: string) => Desk;
  readonly office: Office;
  readonly changes: Bulletin;
  readonly about: () => Whereabouts;
  readonly metrics: () => Promise<Metrics>;
  /** Has Huddle leave, and its programs run on. */
  readonly leave: () => void;
  /** Shows the live actors to a viewer; null: nobody does. */
  readonly attach: Source['attach'] | null;
}

/** The running Huddle, as its control API sees it. */
export function sourceOf({ root, desk, office, changes, about, metrics, leave, attach }: Ground): Source {
  const look = (name: string) => lookAt(root.getSnapshot(), name);
  const troubleOf = (name: string) => desk(name).ledger.trouble;
  const apps = () => appsIn(root.getSnapshot(), troubleOf);
  const subscribe: Bulletin['subscribe'] = (listener) => changes.subscribe(listener);
  const wrongSecrets = new Map<string, string>();
  const orders = openOrders({
    look,
    send: (name, command) => root.getSnapshot().children[`app:${name}`]?.send(command),
    subscribe,
  });
  return {
    apps,
    app: (name) => appIn(root.getSnapshot(), name, troubleOf),
    history: (name, limit) => desk(name).ledger.history(limit),
    logs: (name) => desk(name).paths,
    secret(name) {
      const { secretFile = null } = look(name)?.context.config.webhook ?? {};
      return secretFile === null ? null : secretIn(name, secretFile);
    },
    wake: openWaker((name) => root.getSnapshot().children[`app:${name}`]?.send({ type: 'check' })),
    about,
    metrics,
    usage(name) {
      const { program } = desk(name).ledger;
      return (program && usageOfTrees(new Map([[name, program]]))?.get(name)) ?? null;
    },
    repository(name) {
      const path = look(name)?.context.config.repository.remotePath;
      if (path === undefined) return null;
      const remote = withoutCredentials(path);
      return { remote, commit: commitPage(remote) };
    },
    page: async (path) =>
      path === '/inspector'
        ? (await import('./observe/inspector/page.ts')).inspectorFile()
        : await (await import('./observe/dashboard/dashboard.ts')).dashboardFile(path),
    ...(attach && { attach }),
    subscribe,
    async order(name: string, order: Order) {
      if (order.type === 'stop' && look(name) === undefined) return await stopWithout(name);
      mustRun(name, order);
      return toldOutcome(await orders.give(name, order), name);
    },
    async preview(name) {
      const { context, state, isResting } = mustRun(name, { type: 'check' });
      const { config, facts, isOpen, now } = context;
      if (!isResting) throw isBusy(name, state);
      if (!isOpen || facts.branch === null) return toldPreview({ facts, tip: null, isRejected: false });
      const at = desk(name);
      const branch = facts.branch ?? '';
      const asked = await at.aside((signal) => ask({ name, config, branch }, at, office, signal));
      return toldPreview({ facts, tip: asked.tip, isRejected: isRejected(facts.rejected, asked.tip, now()) });
    },
    detach() {
      if (root.getSnapshot().value !== 'running') throw isLeaving(office.paths.folder);
      // The answer goes first.
      setImmediate(leave);
      return apps().flatMap(({ name, program }) => (program.pid === null ? [] : [name]));
    },
  };

  /** What is wrong with the file is the operator's to know, once, and not the caller's, who may be anybody. */
  function secretIn(name: string, path: string): string | null {
    try {
      return readSecret(path);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (wrongSecrets.get(name) !== failure.message) desk(name).warnOf(failure);
      wrongSecrets.set(name, failure.message);
      return null;
    }
  }

  /** It runs without an actor: its file has been broken since the start. Nor will it start when that has been mended. */
  async function stopWithout(name: string): Promise<string> {
    const file = Object.values(root.getSnapshot().context.files).find((entry) => entry.name === name)?.file ?? '';
    const { failure } = await stopApp(file, desk(name), office.paths.folder);
    if (failure !== null) throw failure;
    return toldOutcome({ type: 'stopped' }, name);
  }

  /** An app whose file has been broken from the start is listed, but there is nobody to carry out an order. */
  function mustRun(name: string, { type }: Order) {
    const found = look(name);
    if (found !== undefined) return found;
    const error = appIn(root.getSnapshot(), name, troubleOf)?.error;
    const parts = { doing: doing[type], subject: name, reason: error?.message ?? 'it does not run' };
    throw new Failure(error?.code ?? 'not-accepted', { ...parts, hint: error?.hint ?? 'See: huddle status' });
  }
}

function isBusy(name: string, state: string): Failure {
  const hint = `See what comes of it: huddle status ${name}`;
  return new Failure('not-accepted', { doing: doing.check, subject: name, reason: `it is ${state}`, hint });
}

function isLeaving(folder: string): Failure {
  const parts = { doing: 'leaving', subject: folder, reason: 'Huddle is ending already', hint: '' };
  return new Failure('not-accepted', parts);
}
