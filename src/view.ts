import type { Actor, ActorRefFrom, SnapshotFrom } from 'xstate';
import { failureOf, mayCheck } from '../machines/app-context.ts';
import type { appMachine } from '../machines/app.ts';
import type { Failure } from '../machines/failure.ts';
import type { Entry } from '../machines/folder.ts';
import type { huddleMachine, HuddleSnapshot } from '../machines/huddle.ts';
import type { Look } from '../machines/order.ts';
import { noFacts } from '../machines/facts.ts';
import { type AppState, noProgram } from '../machines/protocol.ts';
import { wallTime } from './clock.ts';
import { type AppStatus, toStatus } from './control/status.ts';

/** The running root. */
export type HuddleActor = Actor<typeof huddleMachine>;

export type AppActor = ActorRefFrom<typeof appMachine>;

/** What keeps the facts of an app off the disk; null: nothing does. */
export type TroubleOf = (name: string) => Failure | null;

export function isAppActor(actor: object): actor is AppActor {
  return 'id' in actor && typeof actor.id === 'string' && actor.id.startsWith('app:');
}

/** Every app of the folder as its users see it, by name: those that run, and those whose file does not let them. */
export function appsIn(root: HuddleSnapshot, troubleOf: TroubleOf): AppStatus[] {
  const { slots, files } = root.context;
  const running = Object.values(slots).flatMap(({ name, file }) => {
    const actor = root.children[`app:${name}`];
    return actor === undefined ? [] : [statusOf(actor as AppActor, problemWith(root, name, file), troubleOf)];
  });
  const known = new Set(running.map(({ name }) => name.toLowerCase()));
  const idle = Object.values(files).filter(({ name }) => !known.has(name.toLowerCase()));
  return [...running, ...idle.map(waiting)].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** One app of `appsIn`, by itself. */
export function appIn(root: HuddleSnapshot, name: string, troubleOf: TroubleOf): AppStatus | undefined {
  const slot = root.context.slots[name];
  const actor = slot && root.children[`app:${name}`];
  if (actor !== undefined) return statusOf(actor as AppActor, problemWith(root, name, slot?.file ?? ''), troubleOf);
  return appsIn(root, troubleOf).find((status) => status.name === name);
}

/** Whether every file has been read and every app has come to rest, for now. */
export function isAtRest(root: HuddleSnapshot): boolean {
  const { isRead, slots } = root.context;
  return isRead && Object.values(slots).every(({ name }) => lookAt(root, name)?.isResting ?? true);
}

/** One app as its orders are judged by; undefined where none runs. */
export function lookAt(root: HuddleSnapshot, name: string): Look | undefined {
  const actor: object | undefined = root.children[`app:${name}`];
  if (actor === undefined || !isAppActor(actor)) return undefined;
  const snapshot = actor.getSnapshot();
  // The root goes on listing an actor that has left.
  return snapshot.status === 'done' ? undefined : lookOf(snapshot);
}

/** The same, out of a snapshot. */
export function lookOf({ value, context }: Pick<SnapshotFrom<typeof appMachine>, 'value' | 'context'>): Look {
  const isDue = (context.checkAgain && mayCheck(context)) || context.wish !== null;
  const isIdle = value === 'running' || value === 'waiting';
  return { state: stateName(value), context, isResting: (isIdle && !isDue) || value === 'stopped' };
}

function statusOf(actor: AppActor, configFailure: Failure | null, troubleOf: TroubleOf): AppStatus {
  const { value, context } = actor.getSnapshot();
  const { name, facts } = context;
  const nextCheck = shown(context.nextCheck);
  const program = { ...context.program, since: shown(context.program.since) };
  const { paused, pinned, branch } = facts;
  const failure = failureOf(context) ?? troubleOf(name);
  const state = stateName(value);
  return toStatus({
    name,
    state,
    paused,
    pinned,
    branch,
    facts,
    program,
    earlierRestarts: context.earlierRestarts,
    other: context.other,
    nextCheck,
    failure,
    configFailure,
  });
}

/** A time as the wall clock shows it. */
function shown(time: number | null): number | null {
  return time === null ? null : wallTime(time);
}

function waiting(entry: Entry): AppStatus {
  return toStatus({
    name: entry.name,
    state: 'waiting',
    paused: false,
    pinned: false,
    branch: null,
    facts: noFacts,
    program: noProgram,
    earlierRestarts: 0,
    other: noProgram,
    nextCheck: null,
    failure: null,
    configFailure: problemOf(entry),
  });
}

/** Of its own file, or else of another one that wants its name and is not listed by itself. */
function problemWith({ context: { files } }: HuddleSnapshot, name: string, own: string): Failure | null {
  const isNamesake = (entry: Entry) => entry.file !== own && entry.name.toLowerCase() === name.toLowerCase();
  return problemOf(files[own]) ?? problemOf(Object.values(files).find(isNamesake));
}

function problemOf(entry: Entry | undefined): Failure | null {
  return entry?.failure ?? entry?.refusal ?? null;
}

/** A state as users see it: those in which an app never rests are shown as what they lead to, or come from. */
export function stateName(value: string | object): AppState {
  const [state, inner] = typeof value === 'string' ? [value] : (Object.entries(value)[0] ?? []);
  switch (state) {
    case 'beside':
      return stateName(inner as string | object);
    case undefined:
    case 'booting':
      return 'cloning';
    case 'idle':
    case 'returning':
      return 'running';
    case 'leaving':
    case 'gone':
      return 'stopping';
    default:
      return state as AppState;
  }
}
