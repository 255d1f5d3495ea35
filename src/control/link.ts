/**
 * The address of a page, with the token in its fragment: that part is never sent, so that it ends up in nobody's log.
 * The page keeps it for the session and takes it out of the address bar.
 */
export function linkTo(url: string, page: string, token: string): string {
  return `${url}${page}#token=${token}`;
}

/** The address for a WebSocket client that knows only a URL. */
export function viewerAddress(url: string, token: string): string {
  return `${url.replace(/^http/, 'ws')}/inspect?token=${token}`;
}
