import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { bare, isLoopback } from './tcp-address.ts';

/** Who may come in from the network. */
export interface Door {
  readonly token: string;
  /** Where Huddle listens. */
  readonly host: string;
  /** Further names by which it may be called: a reverse proxy's. */
  readonly allowHosts: readonly string[];
}

/** Why a request is answered with nothing but this. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Judges a request before anything of it is acted upon; null: it may pass. A WebSocket's is an `upgrade`. */
export type Admit = (request: IncomingMessage, kind: 'request' | 'upgrade') => Refusal | null;

/** Who asks this needs no token: it tells nothing but that Huddle serves. */
const isHealth = (path: string): boolean => path === '/healthz';

/** The pages' own files hold no secret; a page asks for everything else with the token. */
const isPage = (path: string, method = ''): boolean =>
  (method === 'GET' || method === 'HEAD') && (path === '/' || path === '/inspector' || path.startsWith('/dashboard/'));

/** These carry a signature of their own, and come through whatever proxies there are. */
const isHook = (path: string, method = ''): boolean => method === 'POST' && /^\/hooks\/[^/]+$/.test(path);

/**
 * Asks three things of a request, on every path: that the page it comes from is one of Huddle's own (`Origin`), that
 * it is Huddle that was meant (`Host`: a stranger's name that has been made to point here would make his page one of
 * ours in a browser's eyes), and the token.
 */
export function doorkeeper(door: Door): Admit {
  const wanted = digest(door.token);
  const names = new Set(door.allowHosts.map((name) => name.toLowerCase()));
  const isOwnName = (host: string, request: IncomingMessage): boolean =>
    isLoopback(host) || names.has(host) || host === door.host.toLowerCase() || host === addressOf(request);
  return (request, kind) => {
    const { host, origin } = request.headers;
    const path = plainPath(request.url);
    if (origin !== undefined && !isSame(origin, host) && !names.has(hostIn(origin))) return foreignOrigin;
    if (isHook(path, request.method)) return null;
    if (!isOwnName(nameIn(host), request)) return foreignHost;
    if (isHealth(path) || isPage(path, request.method)) return null;
    const given = tokenIn(request, kind);
    return given !== undefined && timingSafeEqual(digest(given), wanted) ? null : unauthorized;
  };
}

/** Of one length, whatever is given: the comparison takes the same time for all. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Browsers cannot give a WebSocket a header; elsewhere a token in a URL would end up in histories and logs. */
function tokenIn({ headers, url = '' }: IncomingMessage, kind: 'request' | 'upgrade'): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined || kind === 'request') return bearer;
  return new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('token') ?? undefined;
}

/** '' where the path is written in a way that could be understood as another one (`%2e%2e`): such need the token. */
function plainPath(url = ''): string {
  const path = url.split('?', 1)[0] ?? '';
  const base = 'http://huddle';
  return URL.canParse(path, base) && new URL(path, base).href === base + path ? path : '';
}

/** The name in a `Host` header, without its port: that one is another's where a tunnel leads here. */
function nameIn(host = ''): string {
  return bare(/^(\[[\da-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(host)?.[1] ?? '').toLowerCase();
}

/** Where the connection has ended: for a Huddle that listens on all interfaces, the address that it was called by. */
function addressOf({ socket }: IncomingMessage): string {
  return (socket.localAddress ?? '').replace(/^::ffff:/, '');
}

/** Whether a page is from where the request goes to. The scheme may differ: a proxy may have taken the TLS away. */
function isSame(origin: string, host = ''): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: its } = new URL(origin);
  const own = `${protocol}//${host}`;
  return its !== '' && URL.canParse(own) && new URL(own).host === its;
}

function hostIn(origin: string): string {
  return URL.canParse(origin) ? bare(new URL(origin).hostname) : '';
}

const unauthorized: Refusal = {
  status: 401,
  code: 'unauthorized',
  message: 'the token is missing or wrong',
  hint: 'Send "Authorization: Bearer TOKEN" with what is in .huddle/token, or use the link of huddle open.',
};

const foreignHost: Refusal = {
  status: 403,
  code: 'foreign-host',
  message: 'this Huddle does not go by that host name',
  hint: 'Call it by its address, or start it with --allow-host NAME.',
};

const foreignOrigin: Refusal = {
  status: 403,
  code: 'foreign-origin',
  message: 'pages of other sites may not speak to Huddle',
  hint: 'For a reverse proxy in front, start Huddle with --allow-host NAME.',
};
