const key = 'huddle.token';

/**
 * The token of this session: from the fragment of the link that `huddle open` prints, out of which it is taken at once, so
 * that it stays neither in the address bar nor in the history of the browser. The page of `/inspector` shares it.
 *
 * @returns {string | null}
 */
export function takeToken() {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) {
    sessionStorage.setItem(key, token);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(key);
}
