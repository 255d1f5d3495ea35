import { now, setClock } from './clock.js';
import { countDeployment, forget, learnAll, learnApp, linkIs } from './store.js';
import { onToken, otherToken, takeToken } from './token.js';

/** @import { AppStatus } from '../../../control/status.ts' */
/** @import { Order } from '../../../../machines/protocol.ts' */

/** Huddle gives a sign of life every 15 s: who hears none for as long as this is cut off. Milliseconds. */
const longestSilence = 40_000;

/** How long a page that nobody looks at goes on listening: a browser has six connections to a host for all its tabs. */
const patience = 10_000;

/** How long another tab may take to hand its token on; milliseconds. */
const courtesy = 250;

const waits = [300, 1_000, 2_000, 3_000, 5_000];

/** What Huddle answers when it does not do what it is asked; `status` is that of HTTP. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {{ message: string, hint: string }} error
   */
  constructor(status, { message, hint }) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/**
 * Asks Huddle. Throws a `Refusal`, or a `TypeError` where nobody answers.
 *
 * @param {string} path from the root of the control API, without a slash before it
 * @param {RequestInit} [options]
 */
export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  headers.set('authorization', `Bearer ${takeToken() ?? ''}`);
  const response = await fetch(path, { ...options, headers, cache: 'no-store', redirect: 'error' });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refusal(response.status, body?.error ?? { message: `it answers ${response.status}`, hint: '' });
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function askJson(path, signal) {
  return await (await ask(path, signal === undefined ? {} : { signal })).json();
}

/** @param {string} name */
export function pathOfApp(name) {
  return `api/apps/${encodeURIComponent(name)}`;
}

/**
 * Has Huddle do something with an app; resolves with what came of it, in words.
 *
 * @param {string} name
 * @param {Order['type']} verb
 * @param {Record<string, string>} body
 * @returns {Promise<string>}
 */
export async function order(name, verb, body) {
  const headers = { 'content-type': 'application/json' };
  const options = { method: 'POST', headers, body: JSON.stringify(body) };
  return (await (await ask(`${pathOfApp(name)}/${verb}`, options)).json()).outcome;
}

/** Follows what Huddle tells for as long as the page is open; connects anew, by itself, whenever that breaks off. */
export async function follow() {
  if (takeToken() === null) await Promise.race([otherToken(null), pause(courtesy)]);
  for (let failures = 0; ;) {
    await isLookedAt();
    const began = now();
    const token = takeToken();
    const end = token === null ? shut('') : await listen();
    if (end === 'hidden') {
      linkIs('hidden');
      continue;
    }
    if (end === 'refused') await otherToken(token);
    if (end === 'refused' || end === 'renewed') {
      linkIs('opening');
      continue;
    }
    linkIs('away');
    failures = now() - began > longestSilence ? 1 : failures + 1;
    await pause(waits[Math.min(failures, waits.length) - 1] ?? 0);
  }
}

/** Until the stream ends: by itself, because nobody looks, with its token, or because Huddle does not let the page in. */
async function listen() {
  const ending = new AbortController();
  const unwatch = whenHidden(() => ending.abort('hidden'));
  const unsubscribe = onToken(() => ending.abort('renewed'));
  try {
    const response = await ask('api/events', { signal: ending.signal });
    setClock(response.headers.get('date'));
    await hear(response, ending);
  } catch (thrown) {
    if (thrown === 'hidden' || thrown === 'renewed') return thrown;
    if (thrown instanceof Refusal && (thrown.status === 401 || thrown.status === 403))
      return shut(`Huddle says: ${thrown.message}.`);
  } finally {
    unwatch();
    unsubscribe();
    ending.abort();
  }
  return 'ended';
}

/** @param {string} reason */
function shut(reason) {
  linkIs('locked', reason);
  return 'refused';
}

/**
 * @param {Response} response
 * @param {AbortController} ending
 */
async function hear(response, ending) {
  /** What was there when the stream began; null once it has all been told. @type {AppStatus[] | null} */
  let first = [];
  for await (const { event, data } of eventsIn(response, ending)) {
    if (event === 'ready' && first !== null) {
      learnAll(first);
      first = null;
      linkIs('live');
    } else if (event === 'app' && first !== null) first.push(data);
    else if (event === 'app') learnApp(data);
    else if (event === 'removed') forget(data.name);
    else if (event === 'deployment') countDeployment(data.name);
  }
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html); the browser's own `EventSource`
 * cannot send the token. Ends what has become silent.
 *
 * @param {Response} response
 * @param {AbortController} ending
 */
async function* eventsIn({ body }, ending) {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const timer = setTimeout(() => ending.abort(), longestSilence);
    const { value, done = true } = (await reader?.read().finally(() => clearTimeout(timer))) ?? {};
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      if (event !== undefined) yield { event, data: JSON.parse(data ?? 'null') };
    }
  }
}

/**
 * @param {() => void} act once nobody has looked for a while
 * @returns {() => void} what ends that
 */
function whenHidden(act) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(act, patience);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}

/** Resolves while somebody looks at the page. */
function isLookedAt() {
  /** @type {PromiseWithResolvers<void>} */
  const { promise, resolve } = Promise.withResolvers();
  if (!document.hidden) resolve();
  else document.addEventListener('visibilitychange', () => resolve(), { once: true });
  return promise;
}

/** @param {number} milliseconds, less where the network comes back before */
function pause(milliseconds) {
  /** @type {PromiseWithResolvers<void>} */
  const { promise, resolve } = Promise.withResolvers();
  const end = () => resolve();
  setTimeout(end, milliseconds);
  addEventListener('online', end);
  return promise.finally(() => removeEventListener('online', end));
}
