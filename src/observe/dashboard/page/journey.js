/** @import { HistoryEntry } from '../../../../machines/facts.ts' */

/**
 * The states that an app has gone through.
 *
 * @typedef {object} Journey
 * @property {readonly string[]} now since it last rested, that state included
 * @property {readonly string[]} last those of the last deployment; empty: none has been seen
 */

const resting = new Set(['running', 'waiting', 'stopped']);

/** States that only a deployment comes to; to ask the remote is none. */
const deploying = new Set(['cloning', 'testing', 'stopping', 'pulling', 'restarting']);

/**
 * @param {Journey | undefined} journey
 * @param {string} state
 * @returns {Journey}
 */
export function record(journey, state) {
  if (journey === undefined) return { now: [state], last: [] };
  if (journey.now.at(-1) === state) return journey;
  const now = [...journey.now, state];
  if (!resting.has(state)) return { ...journey, now };
  return { now: [state], last: isDeployment(now) ? now : journey.last };
}

/**
 * The states of the last deployment, or of the one that is under way.
 *
 * @param {Journey | undefined} journey
 */
export function pathOf(journey) {
  if (journey === undefined) return [];
  return isDeployment(journey.now) ? journey.now : journey.last;
}

/** @param {readonly string[]} states */
function isDeployment(states) {
  return states.some((state) => deploying.has(state));
}

/**
 * How a deployment that ended like this one goes, where nobody has watched it.
 *
 * @param {HistoryEntry} entry
 */
export function usualPath({ result, from }) {
  const isFirst = from === null;
  const search = isFirst ? ['cloning', 'testing'] : ['running', 'checking', 'testing'];
  const change = isFirst ? ['pulling', 'restarting'] : ['stopping', 'pulling', 'restarting'];
  const rest = isFirst && result !== 'deployed' ? 'waiting' : 'running';
  switch (result) {
    case 'test failed':
      return [...search, rest];
    case 'script failed':
      return isFirst ? [...search, 'pulling', rest] : [...search, ...change, rest];
    case 'rolled back':
      return [...search, ...change, 'stopping', 'pulling', 'restarting', 'running'];
    default:
      return [...search, ...change, rest];
  }
}

/**
 * The ways that lead through these states in turn. Changes of one instant are told as one, so that a state may be
 * missing: the shortest way in between is the one that was gone.
 *
 * @param {readonly string[]} states
 * @param {readonly (readonly [from: string, to: string])[]} ways
 */
export function waysThrough(states, ways) {
  /** @type {Set<string>} */
  const taken = new Set();
  states.slice(1).forEach((state, index) => {
    for (const way of shortest(states[index] ?? '', state, ways)) taken.add(way);
  });
  return taken;
}

/**
 * @param {string} from
 * @param {string} to
 * @param {readonly (readonly [from: string, to: string])[]} ways
 * @returns {readonly string[]}
 */
function shortest(from, to, ways) {
  /** @type {Map<string, readonly string[]>} */
  const paths = new Map([[from, []]]);
  for (const [state, path] of paths) {
    for (const [start, end] of ways) {
      if (start !== state) continue;
      if (end === to) return [...path, `${start} ${end}`];
      if (!paths.has(end)) paths.set(end, [...path, `${start} ${end}`]);
    }
  }
  return [];
}
