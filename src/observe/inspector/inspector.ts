import type { AnyActorRef, AnyEventObject, InspectionEvent } from 'xstate';
import type { WebSocket } from 'ws';
import { openViewer, type Patience, type Viewer } from './viewer.ts';
import { actorMessage, type AnySnapshot, eventMessage, snapshotMessage } from './wire-format.ts';

/** Shows the running actors to whoever connects. */
export interface Inspector {
  /** To be called with every inspection event of the system. Never throws; does nothing while nobody looks. */
  observe(event: InspectionEvent): void;
  /** Shows every live actor, and from then on all that happens, to an admitted connection, until it leaves. */
  attach(socket: WebSocket): void;
  /** Sends everybody away. */
  close(): void;
}

/** What happened, with the actor's snapshot at that time. */
interface Moment {
  readonly event: Told;
  readonly snapshot: AnySnapshot;
}
type Told = Extract<InspectionEvent, { type: '@xstate.event' | '@xstate.snapshot' }>;

/** More are turned away: each may hold a backlog. */
const mostViewers = 16;

const patience: Patience = { heartbeat: 30_000, backlog: 8 * 2 ** 20 };

/**
 * An inspector of the system that `root` gives, which it asks when somebody connects: until then nothing is kept. What
 * happens is noted in passing and told when the machines are at rest, so that no app waits for a viewer.
 */
export function openInspector(root: () => AnyActorRef, { heartbeat, backlog }: Patience = patience): Inspector {
  const viewers = new Set<Viewer>();
  /** Who is alive and has been told of, parents first; empty while nobody looks. */
  const known = new Set<AnyActorRef>();
  let moments: Moment[] = [];

  const send = (text: Buffer) => viewers.forEach((viewer) => viewer.send(text));

  const announce = (actor: AnyActorRef, snapshot: AnySnapshot) => {
    known.add(actor);
    send(actorMessage(actor, snapshot));
  };

  const tell = ({ event, snapshot }: Moment) => {
    const actor = event.actorRef as AnyActorRef;
    // An actor begins with its start, not when it is made: some are made and never started.
    if (isStart(event) && !known.has(actor)) announce(actor, snapshot);
    if (!known.has(actor)) return;
    if (event.type === '@xstate.event') send(eventMessage(actor, event.event, event.sourceRef as AnyActorRef));
    else tellSnapshot(actor, event.event, snapshot);
  };

  const tellSnapshot = (actor: AnyActorRef, event: AnyEventObject, snapshot: AnySnapshot) => {
    send(snapshotMessage(actor, event, snapshot));
    if (snapshot.status !== 'active') known.delete(actor);
  };

  /** Whoever ends by an exception does so without a word: xstate tells only its parent. */
  const tellOfTheDead = () => {
    for (const actor of known) {
      const snapshot: AnySnapshot = actor.getSnapshot();
      if (snapshot.status === 'active') continue;
      tellSnapshot(actor, { type: `xstate.${snapshot.status}.actor.${actor.id}`, actorId: actor.id }, snapshot);
    }
  };

  const leave = (viewer: Viewer) => {
    viewers.delete(viewer);
    if (viewers.size === 0) known.clear();
  };

  const sendAway = (code: number, reason: string) => {
    for (const viewer of viewers) {
      viewer.close(code, reason);
      leave(viewer);
    }
  };

  const flush = () => {
    const told = moments;
    moments = [];
    if (viewers.size === 0) return;
    told.forEach(tell);
    tellOfTheDead();
  };

  const welcome = (socket: WebSocket) => {
    flush();
    for (const actor of living(root())) if (!known.has(actor)) announce(actor, actor.getSnapshot());
    const viewer = openViewer(socket, { heartbeat, backlog }, () => leave(viewer));
    viewers.add(viewer);
    for (const actor of known) viewer.send(actorMessage(actor, actor.getSnapshot()));
    viewer.welcomed();
  };

  /** A fault of the inspector's is for its viewers alone: they may connect again, and no program is touched by it. */
  const harmless = (act: () => void) => {
    try {
      act();
    } catch {
      sendAway(1011, 'the inspector has failed');
    }
  };

  return {
    observe(event) {
      if (viewers.size === 0) return;
      if (event.type !== '@xstate.event' && event.type !== '@xstate.snapshot') return;
      // The actor's own: a start comes without one, and where an action has failed that of the event does not know yet.
      const snapshot = (event.actorRef as AnyActorRef).getSnapshot() as AnySnapshot;
      if (moments.push({ event, snapshot }) === 1) setImmediate(harmless, flush);
    },
    attach(socket) {
      if (viewers.size >= mostViewers) return socket.close(1013, 'too many viewers');
      harmless(() => welcome(socket));
      // It has failed before this one was a viewer.
      if (viewers.size === 0) socket.close(1011);
    },
    close() {
      harmless(flush);
      sendAway(1001, 'Huddle is leaving');
    },
  };
}

function isStart({ type, event }: Told): boolean {
  return type === '@xstate.event' && event.type === 'xstate.init';
}

/** An actor and all below it that are alive, parents first; one that has failed is among them while a child of it lives. */
function living(actor: AnyActorRef): AnyActorRef[] {
  const { status, children = {} }: AnySnapshot = actor.getSnapshot();
  const below = Object.values(children).flatMap(living);
  return status === 'active' || below.length > 0 ? [actor, ...below] : below;
}
