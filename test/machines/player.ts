import assert from 'node:assert/strict';
import {
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  createEmptyActor,
  fromCallback,
} from 'xstate';

// A machine that acts without any actor that runs: what it sends, begins and sets going is caught and handed back. With
// it a model is a pure function of scenes and events, as `xstate/graph` wants it.

/** What stands in for an actor that is never to run. */
export const inert = fromCallback(() => {});

/** What one event made of a machine. */
export interface Outcome<Snapshot> {
  readonly snapshot: Snapshot;
  /** To `parent`, or to a child by its id. */
  readonly sent: readonly { readonly to: string; readonly event: AnyEventObject }[];
  readonly begun: readonly { readonly id: string; readonly input: unknown }[];
  /** Timers set, and (without an event) cancelled, in this order; a delay is in milliseconds. */
  readonly timers: readonly { readonly id: string; readonly delay: number; readonly event: AnyEventObject | null }[];
}

interface Snapshot {
  readonly status: string;
  readonly error?: unknown;
}

/** Plays a machine: its beginning, and each event that it is given; throws what the machine throws. */
export function player<S extends Snapshot>(name: string, machine: AnyStateMachine) {
  const parent = createEmptyActor();
  const self = createActor(inert, { parent, id: name });
  let current: unknown = null;
  Object.assign(self, { getSnapshot: () => current });
  let sent: Outcome<S>['sent'][number][] = [];
  let begun: Outcome<S>['begun'][number][] = [];
  let timers: Outcome<S>['timers'][number][] = [];
  const act = ({ type, params }: { type: string; params: unknown }) => {
    if (type === 'xstate.sendTo') {
      const { to, event } = params as { to: AnyActorRef; event: AnyEventObject };
      assert.equal(typeof to, 'object', `${name} sends ${event.type} to an actor that is not there`);
      sent.push({ to: to === (parent as unknown) ? 'parent' : to.id, event });
    }
    if (type === 'xstate.spawnChild') begun.push(params as { id: string; input: unknown });
    if (type === 'xstate.raise') timers.push(params as Outcome<S>['timers'][number]);
    if (type === 'xstate.cancel') timers.push({ id: (params as { sendId: string }).sendId, delay: 0, event: null });
  };
  const scope = {
    self,
    id: name,
    sessionId: name,
    logger: () => {},
    defer: () => {},
    system: self.system,
    stopChild: () => {},
    emit: () => {},
    actionExecutor: act,
  };
  const forget = () => ([sent, begun, timers] = [[], [], []]);
  const outcome = (snapshot: unknown): Outcome<S> => {
    const { status, error } = snapshot as S;
    if (status === 'error') throw error;
    return { snapshot: snapshot as S, sent, begun, timers };
  };
  return {
    begin(input: unknown) {
      forget();
      return outcome(machine.getInitialSnapshot(scope as never, input));
    },
    receive(before: S, event: AnyEventObject) {
      forget();
      current = before;
      return outcome(machine.transition(before as never, event, scope as never));
    },
  };
}
