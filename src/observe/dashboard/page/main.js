import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { App } from './app.js';
import { useNow } from './clock.js';
import { html } from './html.js';
import { follow } from './huddle.js';
import { KeyList, useShortcuts } from './keys.js';
import { isInTrouble } from './order.js';
import { Overview } from './overview.js';
import { useKnown } from './store.js';
import { giveToken, takeToken } from './token.js';
import { span } from './words.js';

/** @import { Known } from './store.js' */

/** The whole page. */
function Page() {
  const known = useKnown();
  const name = useRoute();
  const [areKeysShown, showKeys] = useState(false);
  useShortcuts({ '?': () => showKeys(true) });
  const app = name === null ? undefined : known.apps.get(name);
  useTitle(known, name);
  return html`
    <a class="skip" href="#main" onClick=${toMain}>To the content</a>
    <header class="bar">
      <p class="brand">${name === null ? 'Huddle' : html`<a href="#/">Huddle</a>`}</p>
      ${name !== null && html`<nav aria-label="Where you are"><a href="#/">All apps</a> <span aria-hidden="true">/</span> ${name}</nav>`}
      <p class="place">${location.host}</p>
      <a class="quiet" href="inspector">Inspector</a>
      <button type="button" class="quiet" aria-keyshortcuts="?" onClick=${() => showKeys(true)}>Keys</button>
    </header>
    <${Away} known=${known} />
    <main id="main" tabindex="-1">${content(known, name, app)}</main>
    ${areKeysShown && html`<${KeyList} onClose=${() => showKeys(false)} />`}
  `;
}

/**
 * @param {Known} known
 * @param {string | null} name
 * @param {ReturnType<Known['apps']['get']>} app
 */
function content(known, name, app) {
  const { link, reason, apps, journeys, deployments } = known;
  if (link === 'locked') return html`<${Locked} reason=${reason} />`;
  if (link === 'opening') return html`<p class="notice">Asking Huddle …</p>`;
  const isLive = link === 'live';
  if (name === null) return html`<${Overview} apps=${apps} isLive=${isLive} />`;
  if (app === undefined)
    return html`<p class="notice">There is no app ${name} (any more). <a href="#/">All apps</a></p>`;
  const seen = { journey: journeys.get(app.name), deployments: deployments.get(app.name) ?? 0 };
  return html`<${App} key=${app.name} app=${app} isLive=${isLive} ...${seen} />`;
}

/** @param {{ reason: string }} props */
function Locked({ reason }) {
  return html`
    <section class="notice locked">
      <h1>This page needs the token of its Huddle</h1>
      ${reason !== '' && html`<p role="alert">${reason}</p>`}
      <p>On the machine where Huddle runs, this prints a link that holds the token:</p>
      <pre>huddle -c DIR open</pre>
      <form onSubmit=${unlock}>
        <label>
          Open that link in this browser, or give it here
          <input
            type="password"
            name="token"
            required
            autocomplete="off"
            pattern=".*[\\w\\-]{43}\\s*"
            title="The link, or the 43 characters of the token"
          />
        </label>
        <button type="submit" class="sure">Open</button>
      </form>
      <p class="hint">The token is kept until the browser’s tab is closed.</p>
    </section>
  `;
}

/** @param {SubmitEvent} event */
function unlock(event) {
  event.preventDefault();
  const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get('token');
  if (typeof given === 'string') giveToken(given);
}

/** @param {{ known: Known }} props */
function Away({ known: { link, since } }) {
  const now = useNow();
  const isAway = link === 'away';
  return html`
    <div role="alert">
      ${
        isAway &&
        html`<p class="away">
          <b>Huddle does not answer.</b> What is shown is how things were
          <span aria-live="off"> ${span(Math.max(0, now - since))} ago</span>. This page tries again by itself.
        </p>`
      }
    </div>
  `;
}

/** The app that the fragment names; null: all of them. */
function useRoute() {
  const [name, setName] = useState(routed);
  useEffect(() => {
    const look = () => {
      takeToken();
      setName(routed());
      scrollTo(0, 0);
    };
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  return name;
}

function routed() {
  const name = /^#\/apps\/([^/]+)$/.exec(location.hash)?.[1];
  try {
    return name === undefined ? null : decodeURIComponent(name);
  } catch {
    return null;
  }
}

/**
 * @param {Known} known
 * @param {string | null} name
 */
function useTitle({ apps }, name) {
  const state = name === null ? undefined : apps.get(name)?.state;
  const troubled = [...apps.values()].filter(isInTrouble).length;
  const where = name === null ? (troubled === 0 ? '' : `${troubled} in trouble · `) : `${name}: ${state ?? 'gone'} · `;
  useEffect(() => void (document.title = `${where}Huddle`), [where]);
}

/** @param {Event} event */
function toMain(event) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

takeToken();
const place = document.getElementById('page');
if (place !== null) render(html`<${Page} />`, place);
void follow();
