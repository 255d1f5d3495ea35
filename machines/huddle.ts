import { type AnyActorRef, assign, enqueueActions, fromCallback, type SnapshotFrom, setup } from 'xstate';
import { appMachine } from './app.ts';
import { asFailure, type Failure } from './failure.ts';
import { type Entry, type Folder, plan, type Slot } from './folder.ts';
import { crashDelay } from './policy.ts';
import type { Facts } from './facts.ts';
import type { FolderReport, RootCommand, World } from './protocol.ts';

/**
 * The root: one app actor for each config file. An app that dies is started anew, with a growing delay of its own, and
 * touches no other.
 */

export interface HuddleInput extends World {
  /** The facts that an app left behind; opens its ledger. */
  readonly recall: (name: string) => Facts;
}

export interface HuddleContext extends HuddleInput, Folder {
  /** Every file that was there at the start has been read. */
  readonly isRead: boolean;
}

type HuddleEvent = FolderReport | RootCommand | { type: 'revive'; name: string };

/** What the root emits, for the log. */
export type RootNews =
  | { readonly type: 'refused'; readonly entry: Entry; readonly failure: Failure }
  | { readonly type: 'died'; readonly name: string; readonly failure: Failure; readonly retryIn: number | null };

const actorId = (name: string) => `app:${name}`;
/** The programs of an app's actor, also of one that has failed. */
function programsOf(app: AnyActorRef | undefined): AnyActorRef[] {
  const snapshot = app?.getSnapshot() as { readonly children?: Record<string, AnyActorRef> } | undefined;
  return (['blue', 'green'] as const).flatMap((side) => snapshot?.children?.[side] ?? []);
}

const nameOf = ({ event }: { event: { actorId: string } }) => event.actorId.replace(/^app:/, '');
const deathOf = ({ event }: { event: { actorId: string; error: unknown } }) => ({
  name: event.actorId.replace(/^app:/, ''),
  failure: asFailure(event.error),
});

export const huddleMachine = setup({
  types: { context: {} as HuddleContext, events: {} as HuddleEvent, input: {} as HuddleInput, emitted: {} as RootNews },
  actors: {
    app: appMachine,
    /** Watches the folder, and reports what its files say. */
    configs: fromCallback<HuddleEvent>(() => {
      throw new Error('the slot configs has not been filled');
    }),
  },
  actions: {
    noteRead: assign({ isRead: true }),
    noteFile: assign(({ context: { files }, event }) => {
      if (event.type === 'config.put') {
        const { file, name, config } = event;
        return { files: { ...files, [file]: { file, name, config, failure: null, refusal: null } } };
      }
      if (event.type === 'config.broken') {
        const { file, name, failure } = event;
        const config = files[file]?.config ?? null;
        return { files: { ...files, [file]: { file, name, config, failure, refusal: null } } };
      }
      if (event.type === 'config.removed') return { files: omit(files, event.file) };
      return {};
    }),
    /** Makes the apps what the files say, as far as they do not get in each other's way. */
    reconcile: enqueueActions(({ context, enqueue }) => {
      const { steps, files, slots } = plan(context);
      for (const step of steps) {
        const { name, now, random, recall } = { ...context, name: step.name };
        switch (step.type) {
          case 'start':
            enqueue.spawnChild('app', {
              id: actorId(name),
              input: { name, config: step.config, facts: recall(name), now, random },
            });
            break;
          case 'configure':
            enqueue.sendTo(actorId(name), { type: 'config', config: step.config });
            break;
          case 'retire':
            enqueue.sendTo(actorId(name), { type: 'retire' });
            break;
          case 'refuse':
            enqueue.emit({ type: 'refused', entry: step.entry, failure: step.failure });
            break;
        }
      }
      enqueue.assign({ files, slots });
    }),
    forget: assign(({ context: { slots } }, name: string) => ({ slots: omit(slots, name) })),
    /** Its slot stays taken until it is started anew, or until its file is gone. */
    mourn: enqueueActions(
      ({ context: { slots, now }, enqueue, self }, { name, failure }: { name: string; failure: Failure }) => {
        const slot = slots[name];
        if (slot === undefined) {
          enqueue.emit({ type: 'died', name, failure, retryIn: null });
          return;
        }
        // xstate leaves the children of a failed actor alive: two lives of one program would each keep it up.
        for (const program of programsOf(self.getSnapshot().children[actorId(name)])) {
          enqueue.sendTo(program, { type: 'abandon' });
        }
        const isRecent = slot.diedAt !== null && now() - slot.diedAt < 600_000;
        const deaths = isRecent ? slot.deaths + 1 : 1;
        const delay = crashDelay(deaths + 1);
        const dead: Slot = { ...slot, state: 'dead', deaths, diedAt: now() };
        enqueue.assign({ slots: { ...slots, [name]: dead } });
        enqueue.emit({ type: 'died', name, failure, retryIn: delay / 1000 });
        enqueue.raise({ type: 'revive', name }, { delay, id: actorId(name) });
      },
    ),
    revive: assign(({ context: { slots }, event }) => {
      const slot = event.type === 'revive' ? slots[event.name] : undefined;
      return slot?.state === 'dead' ? { slots: { ...slots, [slot.name]: { ...slot, state: 'due' as const } } } : {};
    }),
    checkAll: enqueueActions(({ context, enqueue }) => toAll(context, (id) => enqueue.sendTo(id, { type: 'check' }))),
    shutdownAll: enqueueActions(({ context, enqueue }) =>
      toAll(context, (id) => enqueue.sendTo(id, { type: 'shutdown' })),
    ),
    killAll: enqueueActions(({ context, enqueue }) => toAll(context, (id) => enqueue.sendTo(id, { type: 'kill' }))),
    detachAll: enqueueActions(({ context, enqueue }) => toAll(context, (id) => enqueue.sendTo(id, { type: 'detach' }))),
    bury: assign(({ context: { slots } }) => ({
      slots: Object.fromEntries(
        Object.entries(slots).filter(([, { state }]) => state === 'live' || state === 'leaving'),
      ),
    })),
  },
  guards: {
    isEmpty: ({ context }) => Object.keys(context.slots).length === 0,
  },
}).createMachine({
  id: 'huddle',
  context: ({ input }) => ({ ...input, files: {}, slots: {}, isRead: false }),
  initial: 'running',
  states: {
    running: {
      invoke: { src: 'configs', id: 'configs' },
      on: {
        'config.put': { actions: ['noteFile', 'reconcile'] },
        'config.broken': { actions: ['noteFile', 'reconcile'] },
        'config.removed': { actions: ['noteFile', 'reconcile'] },
        'config.read': { actions: 'noteRead' },
        'check all': { actions: 'checkAll' },
        'xstate.done.actor.*': { actions: [{ type: 'forget', params: nameOf as never }, 'reconcile'] },
        'xstate.error.actor.*': { actions: { type: 'mourn', params: deathOf as never } },
        revive: { actions: ['revive', 'reconcile'] },
        shutdown: { target: 'leaving', actions: 'shutdownAll' },
        kill: { target: 'leaving', actions: 'killAll' },
        detach: { target: 'leaving', actions: 'detachAll' },
      },
    },
    leaving: {
      entry: 'bury',
      always: { guard: 'isEmpty', target: 'gone' },
      on: {
        kill: { actions: 'killAll' },
        'xstate.done.actor.*': { actions: { type: 'forget', params: nameOf as never } },
        'xstate.error.actor.*': { actions: [{ type: 'forget', params: nameOf as never }] },
      },
    },
    gone: { type: 'final' },
  },
});

export type HuddleSnapshot = SnapshotFrom<typeof huddleMachine>;

function toAll({ slots }: Folder, send: (id: string) => void): void {
  for (const { name, state } of Object.values(slots)) if (state === 'live' || state === 'leaving') send(actorId(name));
}

function omit<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
