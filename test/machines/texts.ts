import type { AnyActorRef, SnapshotFrom } from 'xstate';
import type { appMachine } from '../../machines/app.ts';
import type { AppConfig } from '../../machines/config.ts';
import { isSame } from '../../machines/policy.ts';
import type { processMachine } from '../../machines/process.ts';
import type { programMachine } from '../../machines/program.ts';
import type { ProgramStatus } from '../../machines/protocol.ts';
import type { Chronicle } from './invariants.ts';

// What matters of the machines of a model: two snapshots of the same text have the same future.

export type AppSnapshot = SnapshotFrom<typeof appMachine>;
export type ProgramSnapshot = SnapshotFrom<typeof programMachine>;
export type ProcessSnapshot = SnapshotFrom<typeof processMachine>;

/** Names configs by what they say: where they run is a config's own. */
export function namesOf(configs: Readonly<Record<string, AppConfig>>): (config: AppConfig | null) => string {
  const names = new Map(Object.entries(configs).map(([name, config]) => [config, name]));
  return (config) => {
    if (config === null) return '';
    const known = names.get(config);
    if (known !== undefined) return known;
    const placed = { ...config, repository: { ...config.repository, localPath: '/srv/shop' } };
    const [, found = ''] = [...names].find(([each]) => isSame(each, placed)) ?? [];
    names.set(config, found);
    return found;
  };
}

/** The inputs of the slots that are at work, by their actors. */
export const inputs = new WeakMap<AnyActorRef, Readonly<Record<string, unknown>>>();

export function textOfApp(nameOf: (config: AppConfig | null) => string): (app: AppSnapshot) => string {
  return (app) => {
    const { facts, opened, asked, target, attempt, wish, leave, tested, checkAgain, condemned, held } = app.context;
    const { deploying, ...durable } = facts;
    const asides = Object.values(app.children).map((actor) => {
      const { revision, want, running, hook } = inputs.get(actor as AnyActorRef) ?? {};
      return [revision, want, running, hook];
    });
    return JSON.stringify([
      [app.status, app.value, nameOf(app.context.config), nameOf(held)],
      [durable, deploying?.revision, app.context.isOpen, app.context.owesHandOver],
      app.matches('cloning') ? opened : null,
      app.matches('checking') ? asked : null,
      [target, attempt?.revision, attempt?.byHand, wish, leave, checkAgain, condemned !== null],
      [tested, app.context.scriptTries, app.context.nextCheck !== null, app.context.lead],
      [ofStatus(app.context.program), ofStatus(app.context.other), asides],
    ]);
  };
}

function ofStatus({ state, revision, verdict, failure }: ProgramStatus): unknown {
  return [state, revision, verdict, failure !== null];
}

export function textOfProgram(nameOf: (config: AppConfig | null) => string): (program: ProgramSnapshot) => string {
  return ({ status, value, context, children }) => {
    const { revision, config, verdict, ending, exits, health, adopted, last, pid } = context;
    return JSON.stringify([
      [status, value, revision, nameOf(config), verdict, Object.keys(children)],
      [ending, Math.min(exits, 4), health, adopted, last?.exit, pid !== null],
    ]);
  };
}

export function textOfProcess({ status, value, context, children }: ProcessSnapshot): string {
  const { revision, adopted, exit, failure, obstacle } = context;
  const ended = [exit, failure !== null, obstacle !== null];
  return JSON.stringify([status, value, revision, adopted, ...ended, Object.keys(children)]);
}

export function textOfPast(past: Chronicle): string {
  const { accepted, passed, named, isOrdered, pulled, isDetached, isStuck, isEnded, isSick } = past;
  const flags = [isOrdered, isDetached, isStuck, isEnded, isSick].map(Number).join('');
  return `${accepted.join()}|${passed.join()}|${named.join()}|${pulled}|${flags}`;
}
