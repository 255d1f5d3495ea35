import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { PageFile } from '../../control/source.ts';

/** A page with the headers that it must be served with. */
export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The page of `/inspector`: hands what `/inspect` tells to the hosted inspector, which it shows in a frame, and to
 * nobody else. The token comes in the page's fragment, as `#token=…`, or from a tab with the dashboard, and is kept for
 * the session under `huddle.token`.
 */
export function inspectorPage(viewer = 'https://stately.ai/inspect'): Page {
  const { origin } = new URL(viewer);
  const policy = [
    `default-src 'none'`,
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    `connect-src 'self'`,
    `frame-src ${origin}`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
    `require-trusted-types-for 'script'`,
  ];
  return {
    html: document(viewer),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    },
  };
}

/** The same as a file to be served. */
export function inspectorFile(): PageFile {
  const { html, headers } = inspectorPage();
  const plain = Buffer.from(html);
  return { headers, plain, packed: gzipSync(plain) };
}

const digest = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

/** The frame may do what a page of its own may, but for leading this one away. */
const document = (viewer: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Huddle: inspector</title>
<style>${style}</style>
</head>
<body>
<p id="notice" role="status" hidden></p>
<iframe id="viewer" title="The Stately inspector" data-address="${viewer.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"
  sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox"></iframe>
<script>${script}</script>
</body>
</html>
`;

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; height: 100dvh; display: flex; flex-direction: column; }
p { margin: 0; padding: 0.5rem 1rem; }
iframe { flex: 1; border: 0; }
`;

/**
 * The handshake is that of @statelyai/inspect's `createBrowserInspector`: the viewer says when it listens. Each time it
 * does, a connection of its own is made, and with it comes every live actor: a viewer that loads itself anew misses nothing.
 */
const script = `
'use strict';
const frame = document.getElementById('viewer');
const notice = document.getElementById('notice');
const viewer = new URL(frame.dataset.address).origin;

/** Out of the address bar, out of the history. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null) {
    sessionStorage.setItem('huddle.token', token);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem('huddle.token');
}

function say(text) {
  notice.textContent = text;
  notice.hidden = text === '';
}

const wrongToken = 'Huddle does not take this token any more: open the link that huddle open prints.';

/** A WebSocket does not tell why it was refused. */
async function refuses(token) {
  const headers = { authorization: 'Bearer ' + token };
  const answer = await fetch('api/apps', { method: 'HEAD', headers }).catch(() => null);
  return answer !== null && answer.status === 401;
}

function addressOf(token) {
  const address = new URL('inspect', location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  address.searchParams.set('token', token);
  return address;
}

function bridge(token) {
  let socket = null;
  let timer = 0;
  let wait = 1000;
  let isFresh = true;

  /** The actors of a Huddle that has started anew are others: they want an empty viewer. */
  function load() {
    isFresh = true;
    socket = null;
    frame.src = frame.dataset.address;
  }

  function connect() {
    clearTimeout(timer);
    const before = socket;
    const mine = new WebSocket(addressOf(token));
    socket = mine;
    before?.close();
    mine.onopen = () => {
      wait = 1000;
      say('');
      if (isFresh || mine !== socket) return;
      load();
      mine.close();
    };
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return;
      isFresh = false;
      frame.contentWindow.postMessage(JSON.parse(data), viewer);
    };
    mine.onclose = async () => {
      if (mine !== socket) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(2 * wait, 15000);
      const isRefused = await refuses(token);
      if (mine === socket) say(isRefused ? wrongToken : 'Huddle does not answer. Trying again.');
    };
  }

  addEventListener('message', ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== viewer || data?.type !== '@statelyai.connected') return;
    isFresh = true;
    connect();
  });
  say('Waiting for the viewer of ' + viewer + ', which needs the internet …');
  load();
}

addEventListener('hashchange', () => location.reload());
const token = takeToken();
const tabs = new BroadcastChannel('huddle.token');
tabs.onmessage = ({ data }) => {
  if (data === null && token !== null) tabs.postMessage(token);
  if (typeof data !== 'string' || token !== null) return;
  sessionStorage.setItem('huddle.token', data);
  location.reload();
};
if (token === null) {
  say('This page wants a token: open the link that huddle open prints.');
  tabs.postMessage(null);
} else bridge(token);
`;
