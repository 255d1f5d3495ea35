/** @import { AppStatus } from '../../../control/status.ts' */
/** @typedef {'bad' | 'warn' | 'busy' | 'well' | 'off'} Condition */

const busy = new Set(['cloning', 'testing', 'stopping', 'pulling', 'restarting']);

/**
 * How an app is, for the eye: `bad` where it does not do its work, `warn` where only the next revision has a problem.
 *
 * @param {AppStatus} app
 * @returns {Condition}
 */
export function conditionOf({ state, program, health, error }) {
  if (state === 'stopped') return 'off';
  const isDown = program.state === 'given up' || program.state === 'backing off';
  if (isDown || health === 'unhealthy' || (state === 'waiting' && error !== null)) return 'bad';
  if (error !== null) return 'warn';
  return busy.has(state) ? 'busy' : 'well';
}

/** @param {AppStatus} app */
export function isInTrouble(app) {
  return ['bad', 'warn'].includes(conditionOf(app));
}

/**
 * Those in trouble first, the worst before the others; then by name. What an app is busy with moves no row: nobody could
 * click on it.
 *
 * @param {Iterable<AppStatus>} apps
 */
export function inOrder(apps) {
  /** @param {AppStatus} app */
  const rank = (app) => ({ bad: 0, warn: 1, busy: 2, well: 2, off: 2 })[conditionOf(app)];
  return [...apps].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}

/**
 * @typedef {object} Filter
 * @property {string} name a part of the name, in any case
 * @property {string} state `''`: any; `trouble`: in trouble; otherwise a state
 */

/**
 * @param {AppStatus} app
 * @param {Filter} filter
 */
export function fits(app, { name, state }) {
  const isState = state === '' || (state === 'trouble' ? isInTrouble(app) : app.state === state);
  return isState && app.name.toLowerCase().includes(name.trim().toLowerCase());
}
