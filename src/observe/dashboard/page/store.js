import { useEffect, useState } from 'preact/hooks';
import { record } from './journey.js';

/** @import { AppStatus } from '../../../control/status.ts' */
/** @import { Journey } from './journey.js' */

/**
 * What the page knows.
 *
 * @typedef {object} Known
 * @property {'opening' | 'live' | 'hidden' | 'away' | 'locked'} link to Huddle; `hidden`: nobody looks, so that the page does not
 *   listen; `locked`: it does not let this page in
 * @property {string} reason why it is locked
 * @property {number} since milliseconds since the epoch, when the link became what it is
 * @property {ReadonlyMap<string, AppStatus>} apps
 * @property {ReadonlyMap<string, Journey>} journeys of the apps, as far as this page has seen them
 * @property {ReadonlyMap<string, number>} deployments how many have ended before the eyes of this page, by app
 */

/** @type {Known} */
let known = { link: 'opening', reason: '', since: 0, apps: new Map(), journeys: new Map(), deployments: new Map() };

/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {Partial<Known>} news */
export function learn(news) {
  known = { ...known, ...news };
  for (const listener of listeners) listener();
}

/** What the page knows, told anew to a component whenever that changes. */
export function useKnown() {
  const [value, setValue] = useState(known);
  useEffect(() => {
    const listener = () => setValue(known);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return value;
}

/** @param {Known['link']} link */
export function linkIs(link, reason = '') {
  if (known.link !== link || known.reason !== reason) learn({ link, reason, since: Date.now() });
}

/** @param {readonly AppStatus[]} statuses all that there are */
export function learnAll(statuses) {
  const apps = new Map(statuses.map((status) => [status.name, status]));
  learn({ apps, journeys: journeysWith(statuses) });
}

/** @param {AppStatus} status */
export function learnApp(status) {
  learn({ apps: new Map(known.apps).set(status.name, status), journeys: journeysWith([status]) });
}

/** @param {readonly AppStatus[]} statuses */
function journeysWith(statuses) {
  const journeys = new Map(known.journeys);
  for (const { name, state } of statuses) journeys.set(name, record(journeys.get(name), state));
  return journeys;
}

/** @param {string} name */
export function forget(name) {
  const apps = new Map(known.apps);
  apps.delete(name);
  learn({ apps });
}

/** @param {string} name */
export function countDeployment(name) {
  learn({ deployments: new Map(known.deployments).set(name, (known.deployments.get(name) ?? 0) + 1) });
}
