import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { appMachine } from '../../machines/app.ts';

/** The states of CONTRACT.md, in the order in which a deployment goes through them. */
const shown = ['cloning', 'testing', 'stopping', 'pulling', 'restarting', 'running', 'checking', 'waiting', 'stopped'];

/** States that are never rested in, and what they are on the way to. */
const transient: Readonly<Record<string, readonly string[]>> = { idle: ['running', 'waiting'] };

/** What every state answers alike is told in words, not drawn from each of them. */
const ofNoFlow = new Set(['retire', 'shutdown', 'kill', 'detach', 'config', 'restart', 'deploy', 'rollback']);

/** The flow chart of an app, drawn from its machine: a Mermaid diagram, as GitHub and others show it. */
export function flowChart(): string {
  const lines = ['stateDiagram-v2', '    direction LR', '    [*] --> cloning'];
  for (const from of shown) {
    const node = appMachine.states[from];
    if (node === undefined) throw new Error(`the machine has no state ${from}`);
    for (const [to, labels] of edges(node)) {
      lines.push(`    ${from} --> ${to}${labels.length > 0 ? `: ${labels.join(', ')}` : ''}`);
    }
  }
  lines.push('    running --> stopped: stop');
  return `${lines.join('\n')}\n`;
}

function edges(top: AnyStateNode): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const transition of transitionsOf(top)) {
    for (const to of targetsOf(transition)) {
      if (to === top.key || !shown.includes(to)) continue;
      const label = to === 'waiting' && isIdle(transition) ? 'nothing fit to run' : labelOf(transition);
      const labels = found.get(to) ?? [];
      if (label !== '' && !labels.includes(label)) labels.push(label);
      found.set(to, labels);
    }
  }
  return found;
}

function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  const own = [...node.transitions.values(), node.always ?? []].flat() as AnyTransitionDefinition[];
  const inner = Object.values(node.states).flatMap(transitionsOf);
  return [...own, ...inner].filter(({ eventType }) => !ofNoFlow.has(eventType));
}

function targetsOf({ target }: AnyTransitionDefinition): readonly string[] {
  const key = target?.[0] === undefined ? '' : topOf(target[0]).key;
  return transient[key] ?? [key];
}

function isIdle({ target }: AnyTransitionDefinition): boolean {
  return target?.[0] !== undefined && topOf(target[0]).key in transient;
}

function topOf(node: AnyStateNode): AnyStateNode {
  return node.parent === undefined || node.parent.parent === undefined ? node : topOf(node.parent);
}

/** By what it is taken: an event in words, or the question that is answered with yes. */
function labelOf({ eventType, guard, description }: AnyTransitionDefinition): string {
  if (description !== undefined) return description;
  if (eventType.startsWith('xstate.error')) return 'error';
  if (eventType.startsWith('xstate.after')) return 'time';
  const question = typeof guard === 'string' ? guard : ((guard as { type?: string } | undefined)?.type ?? '');
  if (eventType === '' || eventType.startsWith('xstate.done')) return inWords(question);
  return eventType.split('.').at(-1) ?? '';
}

function inWords(name: string): string {
  return name
    .replace(/^(is|are|has|can)(?=[A-Z])/, '')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim();
}
