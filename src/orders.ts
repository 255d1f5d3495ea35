import { Failure } from '../machines/failure.ts';
import type { HistoryEntry } from '../machines/facts.ts';
import {
  commandFor,
  type Done,
  type Given,
  type Look,
  outcome,
  type Outcome,
  refusal,
  supersedes,
} from '../machines/order.ts';
import { type AppCommand, doing, type Order } from '../machines/protocol.ts';
import type { Change } from './control/source.ts';

/** What orders are given to. */
export interface Ground {
  look(name: string): Look | undefined;
  send(name: string, command: AppCommand): void;
  /** Tells of changes from now on; returns what ends that. */
  subscribe(listener: (change: Change) => void): () => void;
}

interface Pending {
  readonly name: string;
  readonly order: Order;
  readonly supersede: (by: Order) => void;
}

/** Hands on what operators ask for, and waits until it is done. */
export interface Orders {
  /**
   * Resolves with what came of it. Rejects with the failure that it ended in, and with `not-accepted` when the app does
   * not take it, when another order has come in between, or when the app has left.
   */
  give(name: string, order: Order): Promise<Done>;
}

export function openOrders(ground: Ground): Orders {
  const pending = new Set<Pending>();
  return {
    async give(name, order) {
      const look = ground.look(name);
      if (look === undefined) throw hasLeft(name, order);
      const refused = refusal(order, look);
      if (refused !== null) throw refused;
      for (const earlier of pending)
        if (earlier.name === name && supersedes(order, earlier.order)) earlier.supersede(order);
      const done = await carriedOut(name, order, look);
      if (done.type === 'failed') throw done.failure;
      return done;
    },
  };

  function carriedOut(name: string, order: Order, before: Look): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const entries: HistoryEntry[] = [];
    const given: Given = { order, before: before.context, entries };
    const judge = () => {
      const look = ground.look(name);
      if (look === undefined) return reject(hasLeft(name, order));
      const done = outcome(given, look);
      if (done !== null) resolve(done);
    };
    const unsubscribe = ground.subscribe((change) => {
      if (change.name !== name) return;
      if (change.type === 'deployment') entries.push(change.entry);
      // Not in the middle of what the machine is doing: a command to its program may be under way.
      setImmediate(judge);
    });
    const mine: Pending = { name, order, supersede: (by) => reject(isSuperseded(name, order, by)) };
    pending.add(mine);
    ground.send(name, commandFor(order, before));
    setImmediate(judge);
    return promise.finally(() => {
      pending.delete(mine);
      unsubscribe();
    });
  }
}

function isSuperseded(name: string, { type }: Order, by: Order): Failure {
  return failed(name, type, `an order to ${by.type} came in between`, 'Give it again if it is still wanted.');
}

function hasLeft(name: string, { type }: Order): Failure {
  return failed(name, type, 'the app does not run', 'See: huddle status');
}

function failed(name: string, type: Order['type'], reason: string, hint: string): Failure {
  return new Failure('not-accepted', { doing: doing[type], subject: name, reason, hint });
}
