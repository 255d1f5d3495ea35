import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { type AnyActorRef, createActor, fromCallback, type InspectionEvent, SimulatedClock } from 'xstate';
import type { AppConfig } from '../../../machines/config.ts';
import { noFacts } from '../../../machines/facts.ts';
import { huddleMachine } from '../../../machines/huddle.ts';
import type { FolderReport } from '../../../machines/protocol.ts';
import { type Inspector, openInspector } from '../../../src/observe/inspector/inspector.ts';
import type { Patience } from '../../../src/observe/inspector/viewer.ts';
import type { Source } from '../../../src/control/source.ts';
import { handUpgrades } from '../../../src/control/upgrades.ts';
import { eventually } from '../../e2e/harness.ts';
import { settle } from '../../machines/settle.ts';
import { noWorld, played, type World } from '../../machines/stage.ts';

// A whole Huddle with an inspector: the real machines on a played world.

export interface Theatre {
  readonly root: AnyActorRef;
  readonly world: World;
  readonly inspector: Inspector;
  /** `ws://…` of the inspector. */
  readonly url: string;
  /** Every snapshot that an actor has had since the start, as `app:shop running`; the witness of what is told. */
  readonly witnessed: string[];
  put(name: string, config: AppConfig): Promise<void>;
  /** An actor by the way to it: `app:shop program`. */
  actor(path: string): AnyActorRef;
  pass(seconds: number): Promise<void>;
}

export async function openTheatre(
  t: TestContext,
  { world: changes = {}, patience }: { world?: Partial<World>; patience?: Patience } = {},
): Promise<Theatre> {
  const world = { ...noWorld(), ...changes };
  const clock = new SimulatedClock();
  const witnessed: string[] = [];
  let put: (report: FolderReport) => void = () => {};
  const machine = huddleMachine.provide({
    actors: {
      app: played(world, clock),
      configs: fromCallback(({ sendBack }) => {
        put = sendBack;
      }),
    },
  });
  const inspect = (event: InspectionEvent) => {
    if (event.type === '@xstate.snapshot') witnessed.push(seen(event.actorRef as AnyActorRef, event.snapshot));
    inspector.observe(event);
  };
  const inspector: Inspector = openInspector(() => root, patience);
  const root: AnyActorRef = createActor(machine, {
    clock,
    inspect,
    input: { now: () => clock.now(), random: () => 0.5, recall: () => noFacts },
  });
  root.start();
  const url = await serve(t, inspector);
  t.after(() => root.stop());
  return {
    root,
    world,
    inspector,
    url,
    witnessed,
    async put(name, config) {
      put({ type: 'config.put', file: `${name}.json`, name, config });
      await settle();
    },
    actor: (path) =>
      path.split(' ').reduce<AnyActorRef>((actor, id) => actor.getSnapshot().children[id] as AnyActorRef, root),
    async pass(seconds) {
      for (let step = 0; step < seconds * 10; step++) {
        clock.increment(100);
        await settle();
      }
    },
  };
}

/** Admits whoever asks to an inspector, on a port of its own; resolves with its address. `answer` is for other requests. */
export async function serve(t: TestContext, inspector: Inspector, answer?: RequestListener): Promise<string> {
  const server = createServer(answer);
  const upgrades = handUpgrades({ attach: (socket) => inspector.attach(socket) } as Source);
  server.on('upgrade', (request, socket, head) => upgrades.hand(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    inspector.close();
    server.close();
    server.closeAllConnections();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/inspect`;
}

export interface Audience {
  /** All that was received, oldest first. */
  readonly heard: StatelyInspectionEvent[];
  /** Waits until something is received that is as wanted. */
  until(what: string, isSo: (event: StatelyInspectionEvent) => boolean): Promise<unknown>;
  /** The names of all that were told of, by session id. */
  names(): Map<string, string>;
  /** What was seen of actors, in the words of `Theatre.witnessed`. */
  states(): string[];
}

/** Looks on with the package's own receiver, from the moment when it has been told of the root. */
export async function lookOn(url: string): Promise<Audience> {
  const heard: StatelyInspectionEvent[] = [];
  createWebSocketReceiver({ server: url }).subscribe((event) => void heard.push(event));
  const until = (what: string, isSo: (event: StatelyInspectionEvent) => boolean) =>
    eventually(what, () => heard.some(isSo));
  await until('the root', ({ type }) => type === '@xstate.actor');
  const names = () =>
    new Map(heard.flatMap((event) => (event.type === '@xstate.actor' ? [[event.sessionId, event.name]] : [])));
  const states = () => {
    const known = names();
    return heard.flatMap((event) =>
      event.type === '@xstate.snapshot' ? [words(known.get(event.sessionId) ?? '?', event.snapshot)] : [],
    );
  };
  return { heard, until, names, states };
}

/** An actor's name and where it stands, as viewers are told it. */
export function seen(actor: AnyActorRef, snapshot: object): string {
  return words(actor.id === actor.sessionId ? 'huddle' : actor.id, snapshot);
}

function words(name: string, snapshot: object): string {
  const { status, value } = snapshot as { status: string; value?: unknown };
  return `${name} ${value === undefined ? '' : JSON.stringify(value)} ${status}`;
}
