import { type AppContext, canRollBack, leftByRollback, mayCheck } from './app-context.ts';
import type { HistoryEntry, Revision } from './facts.ts';
import { Failure } from './failure.ts';
import { type AppCommand, type AppState, doing, type Order } from './protocol.ts';

// What an operator asks an app to do, and when it is done: plain functions over what the app's machine shows. An order
// ends when the app has come to rest again, and what came of it is read from where the app then is.

/** An app at one moment. */
export interface Look {
  readonly state: AppState;
  readonly context: AppContext;
  /** It will do nothing more by itself before its next check, and nothing that it was asked for is still to come. */
  readonly isResting: boolean;
}

/** What is known of an order that has been given. */
export interface Given {
  readonly order: Order;
  /** The app before the order. */
  readonly before: AppContext;
  /** The deployments that have ended since. */
  readonly entries: readonly HistoryEntry[];
}

export type Outcome =
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'stopped' | 'started' | 'already started' | 'restarted' | 'paused' | 'resumed' }
  /** There was nothing to do: the newest revision is in place. */
  | { readonly type: 'unmoved'; readonly branch: string; readonly revision: Revision }
  /** So was what was to be deployed. */
  | { readonly type: 'in place'; readonly revision: Revision }
  /** Its remote test has no verdict yet. */
  | { readonly type: 'test pending'; readonly branch: string; readonly revision: Revision }
  | { readonly type: 'deployed'; readonly revision: Revision; readonly entry: HistoryEntry }
  | { readonly type: 'rolled back'; readonly revision: Revision };

/** An order that was carried out. */
export type Done = Exclude<Outcome, { type: 'failed' }>;

/** Why the app does not take this order as it is now; null where it does. */
export function refusal({ type }: Order, { state, context }: Look): Failure | null {
  const { name, facts, config } = context;
  const refuse = (reason: string, hint: string) =>
    new Failure('not-accepted', { doing: doing[type], subject: name, reason, hint });
  switch (type) {
    case 'check':
      if (state === 'stopped') return refuse('it is stopped', `Start it: huddle start ${name}`);
      if (mayCheck(context)) return null;
      return refuse(facts.paused ? 'it is paused' : 'it is pinned', `Let it go on: huddle resume ${name}`);
    case 'rollback':
      if (state === 'stopped') return refuse('it is stopped', `Start it first: huddle start ${name}`);
      if (canRollBack(context)) return null;
      return refuse('there is no good revision before the one in place', `See: huddle history ${name}`);
    case 'restart':
      if (config.application.start !== null) return null;
      return refuse('it has no program', `Without application.start only its files are kept in sync.`);
    default:
      return null;
  }
}

/** What this order makes of one that was given before it and is not done yet: whether that is off. */
export function supersedes(later: Order, earlier: Order): boolean {
  const isDeployment = ({ type }: Order) => type === 'deploy' || type === 'rollback';
  if (later.type === 'stop') return !['stop', 'pause', 'resume'].includes(earlier.type);
  if (earlier.type === 'stop') return later.type === 'start' || later.type === 'restart' || isDeployment(later);
  return isDeployment(later) && isDeployment(earlier) && !isSameOrder(later, earlier);
}

function isSameOrder(one: Order, other: Order): boolean {
  return (
    one.type === other.type && (one.type !== 'deploy' || other.type !== 'deploy' || one.revision === other.revision)
  );
}

/** What came of an order; null while it is being carried out. */
export function outcome({ order, before, entries }: Given, look: Look): Outcome | null {
  const { context, state, isResting } = look;
  switch (order.type) {
    case 'pause':
      return { type: 'paused' };
    case 'resume':
      return { type: 'resumed' };
    case 'stop':
      if (state === 'stopped') return { type: 'stopped' };
      return context.trouble !== null && context.trouble !== before.trouble ? failed(order, context) : null;
    case 'start':
    case 'restart':
      return ofStart(order, before, look);
    default:
      return isResting ? ofDeployment({ order, before, entries: own(before, entries) }, look) : null;
  }
}

/** What to send for an order: a program that was given up counts as one to be started. */
export function commandFor(order: Order, { state, context: { program } }: Look): AppCommand {
  const isGivenUp = program.state === 'given up' || program.state === 'backing off';
  return order.type === 'start' && state === 'running' && isGivenUp ? { type: 'restart' } : order;
}

/** The deployment that was under way when the order was given, or that is still to be undone, is not the order's. */
function own({ target, attempt, facts }: AppContext, entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const isUnderWay = target !== null && attempt !== null;
  const isToBeUndone = facts.deploying !== null && facts.good !== null;
  return isUnderWay || isToBeUndone ? entries.slice(1) : entries;
}

/** Checks and tests go on beside the program; a deployment that has begun brings another one. */
function ofStart(order: Order, before: AppContext, { state, context, isResting }: Look): Outcome | null {
  const { program, config } = context;
  const isUp = program.state === 'up' || (program.state === 'down' && program.failure === null);
  if (state !== 'running' && state !== 'checking' && state !== 'testing')
    return isResting ? failed(order, context) : null;
  if (config.application.start === null || (isUp && program.verdict === 'accepted'))
    return {
      type: order.type === 'restart' ? 'restarted' : isAsBefore(before, context) ? 'already started' : 'started',
    };
  const isOver = program.verdict === 'refused' || program.state === 'given up' || program.state === 'backing off';
  return isOver && program.state !== 'stopping' ? failed(order, context) : null;
}

/** Whether there was nothing to start. */
function isAsBefore(before: AppContext, { program, config }: AppContext): boolean {
  return !before.facts.stopped && (config.application.start === null || before.program.pid === program.pid);
}

function ofDeployment({ order, before, entries }: Given, { context, state }: Look): Outcome {
  const { facts, trouble, objection, misnamed, asked, program } = context;
  const entry = entries.at(-1);
  const branch = facts.branch ?? '';
  if (misnamed !== null && misnamed !== before.misnamed) return { type: 'failed', failure: misnamed };
  // To go back needs no remote: that it could not be asked before says nothing.
  const isOld = order.type === 'rollback' && trouble === before.trouble;
  if ((trouble !== null && !isOld) || facts.current === null || state === 'stopped') return failed(order, context);
  if (order.type === 'rollback') {
    const isBack = facts.current !== leftByRollback(before) && facts.current === facts.good;
    return isBack && program.verdict !== 'refused'
      ? { type: 'rolled back', revision: facts.current }
      : failed(order, context);
  }
  if (entry !== undefined)
    return entry.result === 'deployed' && objection === null && program.verdict !== 'refused'
      ? { type: 'deployed', revision: facts.current, entry }
      : failed(order, context, entry.reason);
  const tip = asked?.tip ?? facts.current;
  if (order.type === 'check' && tip !== facts.current)
    return objection?.code === 'test-pending'
      ? { type: 'test pending', branch, revision: tip }
      : { type: 'failed', failure: stillRejected(context, tip) };
  if (order.type === 'check') return { type: 'unmoved', branch, revision: facts.current };
  const isNamed = order.type === 'deploy' && order.revision !== null;
  return isNamed || objection === null ? { type: 'in place', revision: facts.current } : failed(order, context);
}

/** Whoever asks for a check wants to know whether the newest revision runs. */
function stillRejected({ name, facts, objection }: AppContext, tip: Revision): Failure {
  const why = facts.rejected.find(({ revision }) => revision === tip)?.why ?? 'rolled back';
  const codes = {
    'test failed': 'test-failed',
    'script failed': 'script-failed',
    'rolled back': 'not-accepted',
  } as const;
  return new Failure(codes[why], {
    doing: doing.check,
    subject: name,
    reason: `${facts.branch} is at ${tip.slice(0, 7)}, which is rejected (${why})${objection === null ? '' : `: ${objection.reason}`}`,
    hint: `Push a new commit, or try it again by name: huddle deploy ${name} ${tip.slice(0, 7)}`,
  });
}

function failed({ type }: Order, context: AppContext, reason = 'it has not come to that'): Outcome {
  const { name, objection, program } = context;
  const failure = context.trouble ?? objection ?? program.failure;
  const parts = { doing: doing[type], subject: name, reason, hint: `See: huddle history ${name}` };
  return { type: 'failed', failure: failure ?? new Failure('not-accepted', parts) };
}
