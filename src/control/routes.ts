import type { Source } from './source.ts';

/** A body that is a string goes out as text, anything else as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Reply = Answer | 'events';

interface Route {
  readonly path: RegExp;
  reply(source: Source, name: string, query: URLSearchParams): Reply | Promise<Reply>;
}

const routes: readonly Route[] = [
  { path: /^\/healthz$/, reply: () => ({ status: 200, body: 'ok\n' }) },
  { path: /^\/api\/apps$/, reply: (source) => ({ status: 200, body: { apps: source.apps() } }) },
  { path: /^\/api\/apps\/([^/]+)$/, reply: (source, name) => oneApp(source, name) },
  { path: /^\/api\/apps\/([^/]+)\/history$/, reply: history },
  { path: /^\/api\/events$/, reply: () => 'events' },
];

/**
 * What the control API says to one request, by method and target; `events` where it becomes an event stream.
 * Rejects with what the source rejects with.
 */
export async function answer(method: string, target: string, source: Source): Promise<Reply> {
  const [path = '', query = ''] = target.split('?', 2);
  const match = routes.map((route) => ({ route, groups: route.path.exec(path) })).find(({ groups }) => groups);
  if (match === undefined) return refusal(404, 'not-found', `there is nothing at ${path}`, 'See GET /api/apps.');
  const { route, groups } = match;
  // HEAD is GET whose body Node leaves out; as an event stream it would never end.
  const readable = method === 'GET' || (method === 'HEAD' && path !== '/api/events');
  if (!readable) {
    const hint = 'Use GET.';
    const refused = refusal(405, 'method-not-allowed', `${path} does not take ${method}`, hint);
    return { ...refused, headers: { allow: 'GET, HEAD' } };
  }
  const name = decoded(groups?.[1] ?? '');
  if (name === undefined)
    return refusal(400, 'bad-request', 'the name is not well encoded', 'Encode it as UTF-8 in %xx.');
  return await route.reply(source, name, new URLSearchParams(query));
}

function oneApp(source: Source, name: string): Answer {
  const status = source.app(name);
  return status ? { status: 200, body: status } : unknownApp(name);
}

const mostHistory = 1000;

async function history(source: Source, name: string, query: URLSearchParams): Promise<Answer> {
  if (source.app(name) === undefined) return unknownApp(name);
  const limit = Number(query.get('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostHistory) {
    return refusal(400, 'bad-request', 'limit is no number of entries', `Ask for 1 to ${mostHistory}.`);
  }
  return { status: 200, body: { history: await source.history(name, limit) } };
}

function unknownApp(name: string): Answer {
  return refusal(
    404,
    'not-found',
    `there is no app ${JSON.stringify(name)}`,
    'GET /api/apps lists those that there are.',
  );
}

/** Text in percent-encoding; undefined where it is none. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** These codes are HTTP's, not those of failures: they tell the client that it asked wrongly. */
function refusal(status: number, code: string, message: string, hint: string): Answer {
  return { status, body: { error: { code, message, hint } } };
}
