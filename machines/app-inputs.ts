import type { AppContext } from './app-context.ts';
import { otherSide } from './protocol.ts';
import type { DrainInput, FetchInput, HandOverInput, OpenInput, ScriptInput } from './slots.ts';

// What the slots of an app are given: plain functions for its charts.

export function openInput({ name, config, facts, program, placedAt }: AppContext): OpenInput {
  const isDown = program.state === 'down';
  const isHere = !isDown && placedAt?.localPath === config.repository.localPath;
  return {
    name,
    config,
    want: facts.good !== null && isDown ? 'place' : 'tip',
    running: isHere ? facts.current : null,
  };
}

export function fetchInput({ name, config, facts, wish, asked }: AppContext): FetchInput {
  const named = wish?.type === 'deploy' ? wish.revision : null;
  return { name, config, branch: facts.branch ?? '', revision: named ?? asked?.tip ?? '', from: facts.current };
}

/** Before anything serves there is nobody to hand over from. */
export function handOverInput({ name, config, lead, facts, target, placedAt }: AppContext): HandOverInput {
  const directory = target?.directory ?? placedAt?.directory ?? config.repository.localPath;
  return { name, config, side: lead, revision: target?.revision ?? facts.current ?? '', directory, from: null };
}

/** The one on trial is to take over from the one that leads. */
export function takeOverInput(context: AppContext): HandOverInput {
  const { lead, facts } = context;
  const from = { side: lead, revision: facts.current ?? '' };
  return { ...handOverInput(context), side: otherSide(lead), from };
}

export function drainInput({ name, config, lead }: AppContext): DrainInput {
  return { name, config, side: otherSide(lead) };
}

/** What prepares for a revision runs where the one before is. */
export function scriptInput({ name, config, target, placedAt }: AppContext, hook: ScriptInput['hook']): ScriptInput {
  const directory = hook === 'post-pull' ? target?.directory : placedAt?.directory;
  return { name, config, hook, revision: target?.revision ?? '', directory: directory ?? null };
}
