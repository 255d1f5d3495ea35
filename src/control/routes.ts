import { pipeline } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { asFailure } from '../../machines/failure.ts';
import type { Order } from '../../machines/protocol.ts';
import type { Feed } from './feed.ts';
import { logStream } from './log-stream.ts';
import { sendPage } from './page.ts';
import type { Source } from './source.ts';
import { isSigned } from './webhook.ts';

type Env = { Bindings: HttpBindings };
type Api = Hono<Env>;
type Request = Context<Env>;
type Reply = (request: Request) => Response | Promise<Response>;

/** Nothing that is asked for takes more; bytes. */
const longestBody = 64 * 1024;

const mostHistory = 1000;

const actions = ['check', 'restart', 'stop', 'start', 'pause', 'resume', 'deploy', 'rollback'] as const;

/**
 * What the control API answers: every path of it, the method that it takes, and what that does. From the network Huddle
 * can neither be ended nor asked where on this machine it lives.
 */
export function routes(source: Source, feed: Feed, from: 'socket' | 'network'): Api {
  const api: Api = new Hono();
  const get = (path: string, reply: Reply) =>
    api.get(path, reply).all(path, (request) => wrongMethod(request, 'GET, HEAD'));
  const post = (path: string, reply: Reply) =>
    api.post(path, reply).all(path, (request) => wrongMethod(request, 'POST'));

  api.use(async (request, next) => (isWellEncoded(request.req.url) ? next() : badEncoding(request)));
  api.use('/api/apps/:name/*', async (request, next) =>
    source.app(request.req.param('name')) === undefined ? unknownApp(request) : next(),
  );

  get('/healthz', (request) => request.text('ok\n'));
  get('/api/apps', (request) => request.json({ apps: source.apps() }));
  get('/api/apps/:name', (request) => request.json(source.app(nameIn(request)) ?? null));
  get('/api/apps/:name/history', (request) => history(request, source));
  get('/api/apps/:name/log', (request) => log(request, source));
  get('/api/apps/:name/usage', (request) => request.json({ usage: source.usage(nameIn(request)) }));
  get('/api/apps/:name/repository', (request) => request.json(source.repository(nameIn(request))));
  get('/api/events', (request) => events(request, feed));
  for (const type of actions) post(`/api/apps/:name/${type}`, (request) => act(request, source, type));
  post('/hooks/:name', (request) => hook(request, source));
  get('/metrics', (request) => metrics(request, source));
  for (const path of ['/', '/inspector', '/dashboard/*']) get(path, (request) => sendPage(request, source));
  if (from === 'socket') {
    get('/api/huddle', (request) => request.json(source.about()));
    post('/api/detach', (request) => request.json({ apps: source.detach() }));
  }

  api.notFound((request) =>
    refuse(request, 404, 'not-found', `there is nothing at ${request.req.path}`, 'See GET /api/apps.'),
  );
  api.onError((thrown, request) => request.json(errorOf(thrown), 500));
  return api;
}

/** From here on the response is the feed's. */
function events(request: Request, feed: Feed): Response {
  // As a stream HEAD would never end.
  if (request.req.raw.method === 'HEAD') return wrongMethod(request, 'GET');
  feed.add(request.env.outgoing);
  return RESPONSE_ALREADY_SENT;
}

/** An app that is not there looks like one whose secret is another: who is not let in learns nothing. */
async function hook(request: Request, source: Source): Promise<Response> {
  const name = nameIn(request);
  const { incoming } = request.env;
  if (await isSigned(incoming.headers, incoming, source.secret(name))) {
    source.wake(name);
    return request.json({ woken: name }, 202);
  }
  const hint = `Give the forge the secret that huddle webhook ${name} prints.`;
  return refuse(request, 401, 'unauthorized', 'the signature is missing or wrong', hint);
}

async function metrics(request: Request, source: Source): Promise<Response> {
  const { type, text } = await source.metrics();
  return request.body(text, 200, { 'content-type': type });
}

async function history(request: Request, source: Source): Promise<Response> {
  const limit = Number(request.req.query('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostHistory)
    return refuse(request, 400, 'bad-request', 'limit is no number of entries', `Ask for 1 to ${mostHistory}.`);
  return request.json({ history: await source.history(nameIn(request), limit) });
}

/** From here on the response is the log's: it breaks off where the log cannot be read any further. */
function log(request: Request, source: Source): Response {
  if (request.req.raw.method === 'HEAD') return wrongMethod(request, 'GET');
  const { searchParams } = new URL(request.req.url);
  const found = logStream(source.logs(nameIn(request)), searchParams);
  if ('message' in found) return refuse(request, 400, 'bad-request', found.message, found.hint);
  const { outgoing } = request.env;
  outgoing.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  pipeline(found, outgoing, () => undefined);
  return RESPONSE_ALREADY_SENT;
}

/** Answers when the work is done, however long that takes. */
async function act(request: Request, source: Source, type: Order['type']): Promise<Response> {
  const name = nameIn(request);
  const read = await wanted(request, type);
  if ('mistake' in read) return refuse(request, 400, 'bad-request', read.mistake, read.hint);
  try {
    const outcome = read.isPreview ? await source.preview(name) : await source.order(name, read.order);
    return request.json({ app: source.app(name) ?? null, outcome });
  } catch (thrown) {
    return request.json({ ...errorOf(thrown), app: source.app(name) ?? null }, 409);
  }
}

type Wanted =
  | { readonly order: Order; readonly isPreview: boolean }
  | { readonly mistake: string; readonly hint: string };

/** What the body of an action says; none counts as an empty one. */
async function wanted(request: Request, type: Order['type']): Promise<Wanted> {
  const text = await textOf(request.req.raw);
  if (text === null) return { mistake: 'the body is too long', hint: `Send at most ${longestBody} bytes.` };
  const body = text === '' ? {} : parsed(text);
  if (body === undefined) return { mistake: 'the body is no JSON object', hint: 'Send {} or nothing.' };
  const { revision, dryRun, ...others } = body;
  const known = { deploy: { revision }, check: { dryRun } }[type as string] ?? {};
  const strange = [...Object.keys(others), ...Object.keys(body)].find((key) => !(key in known));
  if (strange !== undefined) return { mistake: `${type} takes no ${JSON.stringify(strange)}`, hint: 'Leave it out.' };
  if (revision !== undefined && (typeof revision !== 'string' || revision === ''))
    return { mistake: 'revision is no text', hint: 'Send {"revision":"<commit, tag or branch>"}.' };
  if (dryRun !== undefined && typeof dryRun !== 'boolean')
    return { mistake: 'dryRun is neither true nor false', hint: 'Send {"dryRun":true}.' };
  const order: Order = type === 'deploy' ? { type, revision: revision ?? null } : { type };
  return { order, isPreview: dryRun === true };
}

/** null where it is longer than anybody needs: what is left of it is not read. */
async function textOf({ body }: globalThis.Request): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > longestBody) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function nameIn(request: Request): string {
  return request.req.param('name') ?? '';
}

function wrongMethod(request: Request, allow: string): Response {
  const { path, method } = request.req;
  request.header('allow', allow);
  return refuse(request, 405, 'method-not-allowed', `${path} does not take ${method}`, `Use ${allow}.`);
}

function isWellEncoded(url: string): boolean {
  try {
    decodeURIComponent(new URL(url).pathname);
    return true;
  } catch {
    return false;
  }
}

function badEncoding(request: Request): Response {
  return refuse(request, 400, 'bad-request', 'the name is not well encoded', 'Encode it as UTF-8 in %xx.');
}

function unknownApp(request: Request): Response {
  const name = JSON.stringify(nameIn(request));
  return refuse(request, 404, 'not-found', `there is no app ${name}`, 'GET /api/apps lists those that there are.');
}

/** These codes are HTTP's, not those of failures: they tell the client that it asked wrongly. */
function refuse(
  request: Request,
  status: 400 | 401 | 404 | 405,
  code: string,
  message: string,
  hint: string,
): Response {
  return request.json({ error: { code, message, hint } }, status);
}

function errorOf(thrown: unknown) {
  const { code, message, hint } = asFailure(thrown);
  return { error: { code, message, hint } };
}
