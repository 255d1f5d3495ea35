import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { ask, pathOfApp } from './huddle.js';

/** What is asked for at first, and what is kept. */
const firstLines = 200;
const mostCharacters = 200_000;

/** Between two times that new text is shown; milliseconds. What comes faster waits where it comes from. */
const pace = 150;

const logs = /** @type {const} */ ([
  ['app', 'Program'],
  ['deploy', 'Deployments'],
]);

/**
 * The end of a log, and what is written from now on.
 *
 * @param {{ name: string, isLive: boolean }} props
 */
export function Log({ name, isLive }) {
  const [log, setLog] = useState(/** @type {'app' | 'deploy'} */ ('app'));
  const text = useTail(name, log, isLive);
  const { pane, isAtEnd, toEnd, look } = useEnd(text);
  return html`
    <section class="card log" aria-labelledby="log-title">
      <h2 id="log-title">Log</h2>
      <div class="choice" role="group" aria-label="Which log">
        ${logs.map(
          ([kind, title]) => html`
            <button type="button" aria-pressed=${String(log === kind)} onClick=${() => setLog(kind)}>${title}</button>
          `,
        )}
      </div>
      <pre ref=${pane} tabindex="0" role="log" aria-live="off" aria-label=${`Log of ${name}`} onScroll=${look}>
${text}</pre>
      <p class="follow">
        ${
          isAtEnd
            ? html`<span>${text === '' ? 'Nothing has been written yet.' : 'Following.'}</span>`
            : html`<button type="button" onClick=${toEnd}>Go on following</button>`
        }
      </p>
    </section>
  `;
}

/**
 * @param {string} name
 * @param {'app' | 'deploy'} log
 * @param {boolean} isLive
 */
function useTail(name, log, isLive) {
  const [text, setText] = useState('');
  useEffect(() => setText(''), [name, log]);
  useEffect(() => {
    if (!isLive) return undefined;
    const ending = new AbortController();
    read(name, log, ending.signal, setText).catch(() => undefined);
    return () => ending.abort();
  }, [name, log, isLive]);
  return text;
}

/**
 * @param {string} name
 * @param {'app' | 'deploy'} log
 * @param {AbortSignal} signal
 * @param {(text: string) => void} show
 */
async function read(name, log, signal, show) {
  const query = `follow=1&lines=${firstLines}${log === 'deploy' ? '&deploy=1' : ''}`;
  const { body } = await ask(`${pathOfApp(name)}/log?${query}`, { signal });
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done = true } = (await reader?.read()) ?? {};
    if (done) return;
    text = newest(text + value);
    show(readable(text));
    await new Promise((resolve) => setTimeout(resolve, pace));
  }
}

/**
 * Whole lines from the end.
 *
 * @param {string} text
 */
function newest(text) {
  if (text.length <= mostCharacters) return text;
  const kept = text.slice(-mostCharacters);
  return kept.slice(kept.indexOf('\n') + 1);
}

/**
 * Colours (ECMA-48, 5.4) are left out; other control characters, and those that turn the reading around, are shown as
 * signs instead of obeyed.
 *
 * @param {string} text
 */
function readable(text) {
  return text
    .replaceAll(/\p{Cc}\[[0-?]*[ -/]*[@-~]/gu, '')
    .replaceAll('\r\n', '\n')
    .replaceAll(/(?![\n\t])[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, pictureOf);
}

/** Unicode has a picture of each of the first 32 characters. @param {string} sign */
function pictureOf(sign) {
  const code = sign.charCodeAt(0);
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
}

/**
 * Keeps the end of a text in view until its reader scrolls away from it.
 *
 * @param {string} text
 */
function useEnd(text) {
  /** @type {{ current: HTMLElement | null }} */
  const pane = useRef(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = () => pane.current?.scrollTo(0, pane.current.scrollHeight);
  useLayoutEffect(() => {
    if (isAtEnd) toEnd();
  }, [text]);
  const look = () => {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = pane.current ?? {};
    setAtEnd(scrollHeight - scrollTop - clientHeight < 8);
  };
  return { pane, isAtEnd, toEnd, look };
}
