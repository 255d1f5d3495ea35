const key = 'huddle.token';

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * What tabs tell each other: a token, or null, which asks for one. It reaches the pages of this very host and port in this
 * browser; a cookie would go to every port.
 */
const tabs = new BroadcastChannel(key);

/** What Huddle does not take; a tab that has not been looked at for long may have it still. @type {Set<string>} */
const refused = new Set();

tabs.addEventListener('message', ({ data }) => {
  const own = sessionStorage.getItem(key);
  if (data === null && own !== null) tell(own);
  if (typeof data === 'string' && own === null && !refused.has(data)) keep(data);
});

/**
 * The token of this session: from the fragment of the link that `huddle open` prints, out of which it is taken at once, so
 * that it stays neither in the address bar nor in the history of the browser. The page of `/inspector` shares it.
 *
 * @returns {string | null}
 */
export function takeToken() {
  const given = /^#token=(.*)$/.exec(location.hash)?.[1];
  if (given !== undefined) {
    history.replaceState(null, '', location.pathname + location.search);
    giveToken(given);
  }
  return sessionStorage.getItem(key);
}

/** @param {string} text a token, or the link that holds it; tabs that wait for one get it as well */
export function giveToken(text) {
  const token = text.replace(/^.*#token=/s, '').replaceAll(/[^\w-]/g, '');
  keep(token);
  tell(token);
}

/**
 * Tells each time that this tab gets another token: by a link, by hand, or from another tab.
 *
 * @param {() => void} listener
 * @returns {() => void} what ends that
 */
export function onToken(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Resolves when this tab has another token than one that Huddle does not take; other tabs are asked for it.
 *
 * @param {string | null} token
 */
export function otherToken(token) {
  /** @type {PromiseWithResolvers<void>} */
  const { promise, resolve } = Promise.withResolvers();
  if (takeToken() !== token) return Promise.resolve();
  const unsubscribe = onToken(resolve);
  sessionStorage.removeItem(key);
  if (token !== null) refused.add(token);
  tell(null);
  return promise.finally(unsubscribe);
}

/** @param {string} token */
function keep(token) {
  if (sessionStorage.getItem(key) === token) return;
  sessionStorage.setItem(key, token);
  for (const listener of listeners) listener();
}

/** @param {string | null} message */
function tell(message) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin, and takes no other.
  tabs.postMessage(message);
}
