import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { inOrder, words } from './words.ts';

/** What of a machine is shown, and under which names. */
export interface View {
  readonly machine: AnyStateMachine;
  /** By the paths of their nodes: the states as users know them, in the order of a life. The first one begins it. */
  readonly states: Readonly<Record<string, string>>;
  /** Those of the states that are never rested in: only what waits for no event leads on from them. */
  readonly choices: readonly string[];
  /** Nodes that are not shown, but where they lead to; by the node after them, words that say more than how they were come by. */
  readonly passing: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Events that every state answers alike: told in a note. */
  readonly ofEveryState: readonly string[];
  /** Ways that are told in that note, too: `from > to`. */
  readonly leftOut: readonly string[];
}

/** All that leads from one state to another. */
export interface Way {
  readonly from: string;
  readonly to: string;
  /** In the words of people. */
  readonly labels: readonly string[];
  /** As the machine names them: events, `done` and `error` of what it invokes, delays; `always` for no event. */
  readonly events: readonly string[];
}

/** A machine as its users see it: what happens inside of a state is left out, parallel transitions are one way. */
export interface Graph {
  readonly states: readonly string[];
  readonly ways: readonly Way[];
}

interface Step {
  readonly to: string;
  readonly label: string;
  readonly event: string;
}

/** Reads the graph of a machine. */
export function read(view: View): Graph {
  const states = [...new Set(Object.values(view.states))];
  return { states, ways: states.flatMap((from) => waysFrom(from, view)) };
}

function waysFrom(from: string, view: View): Way[] {
  const steps = transitionsOf(from, view).flatMap((transition) => stepsOf(transition, view));
  return [...Map.groupBy(steps, ({ to }) => to)]
    .filter(([to]) => to !== from && !view.leftOut.includes(`${from} > ${to}`))
    .map(([to, each]) => ({
      from,
      to,
      labels: inOrder(each.map(({ label }) => label).filter((label) => label !== '')),
      events: [...new Set(each.map(({ event }) => event))],
    }));
}

/** Those of the nodes that are shown as this state, and of nodes around them that are not shown as any. */
function transitionsOf(state: string, view: View): AnyTransitionDefinition[] {
  const own = withAllInside(view.machine.root).filter((node) => shownAs(node, view) === state);
  const around = own.flatMap(lineOf).filter((node) => node.parent !== undefined && shownAs(node, view) === undefined);
  return [...new Set([...own, ...around])]
    .flatMap((node) => [...node.transitions.values(), node.always ?? []].flat() as AnyTransitionDefinition[])
    .filter(({ eventType }) => !view.ofEveryState.includes(eventType))
    .filter(({ eventType }) => eventType === '' || !view.choices.includes(state));
}

function withAllInside(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(withAllInside)];
}

/** A node and those that it is in, from the inside out. */
function lineOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...(node.parent === undefined ? [] : lineOf(node.parent))];
}

function shownAs(node: AnyStateNode, view: View): string | undefined {
  return lineOf(node)
    .map((each) => view.states[pathOf(each)])
    .find((name) => name !== undefined);
}

function stepsOf(transition: AnyTransitionDefinition, view: View): Step[] {
  const event = eventOf(transition);
  return (transition.target ?? []).flatMap((node) => stepsTo(node, labelOf(transition), event, view));
}

/** Into the state that a node is shown as, or that it begins in, or to where it leads without being rested in. */
function stepsTo(node: AnyStateNode, label: string, event: string, view: View): Step[] {
  const to = shownAs(node, view);
  if (to !== undefined) return [{ to, label, event }];
  const told = view.passing[pathOf(node)];
  if (told === undefined) {
    const isLeaf = Object.keys(node.states).length === 0;
    return isLeaf ? [] : node.initial.target.flatMap((first) => stepsTo(first, label, event, view));
  }
  const next = (node.always ?? []).flatMap(({ target }) => target ?? []);
  return next.flatMap((each) => stepsTo(each, told[pathOf(each)] ?? label, event, view));
}

/** By what it is taken: what the machine says of it, the question that is answered with yes, or the event. */
function labelOf(transition: AnyTransitionDefinition): string {
  const { guard, description } = transition;
  const question = typeof guard === 'string' ? guard : (guard as { type?: string } | undefined)?.type;
  const names = [description, question, eventOf(transition)];
  return names.map((name) => words[name ?? '']).find((word) => word !== undefined) ?? '';
}

function eventOf({ eventType }: AnyTransitionDefinition): string {
  if (eventType === '') return 'always';
  return /^xstate\.(?:after\.)?(\w+)/.exec(eventType)?.[1] ?? eventType;
}

function pathOf(node: AnyStateNode): string {
  return node.path.join('.');
}
