import type { AnyActorRef, AnyEventObject } from 'xstate';
import { plain, reference } from './plain.ts';

// The wire format of @statelyai/inspect, as its `convertXStateEvent` makes it: what viewers are told, one JSON text each.

/** The version of @statelyai/inspect whose format this is. */
export const version = '0.7.2';

/** An actor's snapshot, of a machine, a promise or a callback. */
export interface AnySnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: unknown;
  readonly context?: unknown;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: ReadonlySet<string>;
  readonly children?: Readonly<Record<string, AnyActorRef>>;
}

/** That there is an actor, what it is, and where it stands. */
export function actorMessage(actor: AnyActorRef, snapshot: AnySnapshot): Buffer {
  const config = configOf(actor);
  const name = actor.id === actor.sessionId && config !== null ? String(config['id']) : actor.id;
  return message(actor, '@xstate.actor', {
    name,
    parentId: parentOf(actor)?.sessionId,
    definition: config === null ? JSON.stringify({ id: name }) : definitionOf(config),
    snapshot: plainSnapshot(snapshot),
  });
}

/** That an actor was sent an event; by whom, where it was another actor. */
export function eventMessage(actor: AnyActorRef, event: AnyEventObject, source: AnyActorRef | undefined): Buffer {
  return message(actor, '@xstate.event', { event: plain(event), sourceId: source?.sessionId });
}

/** Where an actor stands after an event. */
export function snapshotMessage(actor: AnyActorRef, event: AnyEventObject, snapshot: AnySnapshot): Buffer {
  return message(actor, '@xstate.snapshot', { event: plain(event), snapshot: plainSnapshot(snapshot) });
}

function message(actor: AnyActorRef, type: string, parts: object): Buffer {
  const { sessionId } = actor;
  const rootId = rootOf(actor).sessionId;
  const createdAt = Date.now().toString();
  return Buffer.from(JSON.stringify({ type, ...parts, sessionId, rootId, id: null, createdAt, _version: version }));
}

function rootOf(actor: AnyActorRef): AnyActorRef {
  const parent = parentOf(actor);
  return parent === undefined ? actor : rootOf(parent);
}

function parentOf({ _parent: parent }: AnyActorRef): AnyActorRef | undefined {
  return parent;
}

/** A snapshot without what only a running machine needs, as its own `toJSON` would give it. */
function plainSnapshot({ status, value, context, input, output, error, tags, children }: AnySnapshot): unknown {
  const common = { status, output: plain(output), error: plain(error) };
  // Of a promise or a callback.
  if (tags === undefined || children === undefined) return { ...common, input: plain(input) };
  const references = Object.entries(children).map(([id, child]) => [id, reference(child)]);
  return {
    ...common,
    value,
    context: plain(context),
    historyValue: {},
    children: Object.fromEntries(references),
    tags: [...tags],
  };
}

type Config = Readonly<Record<string, unknown>>;

/** The chart of a machine; null: a promise or a callback has none. */
function configOf(actor: AnyActorRef): Config | null {
  const { logic } = actor as unknown as { readonly logic?: { readonly config?: unknown } };
  const config = logic?.config;
  return typeof config === 'object' && config !== null ? (config as Config) : null;
}

const definitions = new WeakMap<Config, string>();

/** A chart as text, made once: every app has the same one. Without what it begins with, which would be data. */
function definitionOf(config: Config): string {
  const known = definitions.get(config);
  if (known !== undefined) return known;
  const names = (_key: string, value: unknown) => (typeof value === 'function' ? { type: value.name } : value);
  const { context } = config;
  const text = JSON.stringify({ ...config, context: typeof context === 'function' ? context : undefined }, names);
  definitions.set(config, text);
  return text;
}
