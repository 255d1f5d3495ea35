import { useEffect, useState } from 'preact/hooks';
import { Dialog } from './dialog.js';
import { html } from './html.js';
import { order, Refusal } from './huddle.js';
import { useShortcuts } from './keys.js';
import { short } from './words.js';

/** @import { AppStatus } from '../../../control/status.ts' */
/** @import { Order } from '../../../../machines/protocol.ts' */

/**
 * What an operator does with an app.
 *
 * @typedef {object} Action
 * @property {Order['type']} verb
 * @property {string} label
 * @property {string} key
 * @property {string} doing
 * @property {(app: AppStatus) => boolean} fits whether it is offered
 * @property {(app: AppStatus) => boolean} [can] whether it would lead to anything now
 * @property {(app: AppStatus) => string} [warning] asked first, where it disturbs
 * @property {(app: AppStatus) => string} [field] what may be given with it
 */

/** @type {readonly Action[]} */
const actions = [
  {
    verb: 'check',
    label: 'Check now',
    key: 'c',
    doing: 'Checking',
    fits: () => true,
    can: ({ state }) => state !== 'stopped',
  },
  {
    verb: 'deploy',
    label: 'Deploy …',
    key: 'd',
    doing: 'Deploying',
    fits: () => true,
    warning: () =>
      'What passes its test replaces what runs; the program is stopped and started for it. A revision that is named stays until the app is resumed.',
    field: ({ branch }) => `Commit, tag or branch; empty: the newest of ${branch ?? 'the branch'}`,
  },
  {
    verb: 'rollback',
    label: 'Roll back …',
    key: 'b',
    doing: 'Rolling back',
    fits: () => true,
    can: ({ previous }) => previous !== null,
    warning: ({ revision, previous }) =>
      `Back to ${short(previous ?? '')}, which stays until the app is resumed. ${short(revision ?? '')} is rejected. The program is stopped and started for it.`,
  },
  {
    verb: 'restart',
    label: 'Restart …',
    key: 'r',
    doing: 'Restarting',
    fits: ({ state }) => state !== 'stopped',
    warning: () => 'Its program is stopped and started anew at the same revision.',
  },
  {
    verb: 'pause',
    label: 'Pause',
    key: 'p',
    doing: 'Pausing',
    fits: ({ paused, pinned }) => !paused && !pinned,
  },
  {
    verb: 'resume',
    label: 'Resume',
    key: 'p',
    doing: 'Resuming',
    fits: ({ paused, pinned }) => paused || pinned,
  },
  {
    verb: 'stop',
    label: 'Stop …',
    key: 's',
    doing: 'Stopping',
    fits: ({ state }) => state !== 'stopped',
    warning: () =>
      'Every process of it ends. It stays stopped, also when Huddle starts anew, until it is started again.',
  },
  {
    verb: 'start',
    label: 'Start',
    key: 's',
    doing: 'Starting',
    fits: ({ state }) => state === 'stopped',
  },
];

/**
 * What came of an order.
 *
 * @typedef {object} Outcome
 * @property {Action} action
 * @property {'running' | 'done' | 'failed'} state
 * @property {string} text
 * @property {string} hint
 */

/**
 * The buttons for one app, and what came of the last one. `isLive`: somebody is there to carry out an order.
 *
 * @param {{ app: AppStatus, isLive: boolean }} props
 */
export function Actions({ app, isLive }) {
  const [asked, setAsked] = useState(/** @type {Action | null} */ (null));
  const [outcome, setOutcome] = useState(/** @type {Outcome | null} */ (null));
  useEffect(() => setOutcome(null), [app.name]);
  const offered = actions.filter(({ fits }) => fits(app));
  const isOpen = (/** @type {Action} */ action) => isLive && (action.can?.(app) ?? true);

  const run = async (/** @type {Action} */ action, /** @type {Record<string, string>} */ body) => {
    setAsked(null);
    setOutcome({ action, state: 'running', text: `${action.doing} ${app.name} …`, hint: '' });
    const result = await order(app.name, action.verb, body).then(
      (text) => /** @type {const} */ ({ state: 'done', text, hint: '' }),
      (thrown) => failed(thrown),
    );
    // Of two orders the later one is shown.
    setOutcome((shown) => (shown?.action === action ? { action, ...result } : shown));
  };
  const press = (/** @type {Action} */ action) => {
    if (action.warning === undefined) void run(action, {});
    else setAsked(action);
  };
  useShortcuts(Object.fromEntries(offered.filter(isOpen).map((action) => [action.key, () => press(action)])));

  return html`
    <div class="actions" role="group" aria-label=${`What to do with ${app.name}`}>
      ${offered.map(
        (action) =>
          html`<button
            type="button"
            disabled=${!isOpen(action)}
            aria-keyshortcuts=${action.key}
            onClick=${() => press(action)}
          >
            ${action.label}
          </button>`,
      )}
    </div>
    <p class=${`outcome ${outcome?.state ?? ''}`} role="status">
      ${outcome && html`<b>${outcome.action.label.replace(' …', '')}</b> ${outcome.text}`}
      ${outcome?.hint && html` <span class="hint">${outcome.hint}</span>`}
    </p>
    ${asked && html`<${Question} app=${app} action=${asked} onAnswer=${run} onClose=${() => setAsked(null)} />`}
  `;
}

/** @param {unknown} thrown */
function failed(thrown) {
  const text =
    thrown instanceof Refusal ? thrown.message : 'Huddle went away before it answered: look at the state above.';
  return /** @type {const} */ ({ state: 'failed', text, hint: thrown instanceof Refusal ? thrown.hint : '' });
}

/**
 * @param {{
 *   app: AppStatus,
 *   action: Action,
 *   onAnswer: (action: Action, body: Record<string, string>) => void,
 *   onClose: () => void,
 * }} props
 */
function Question({ app, action, onAnswer, onClose }) {
  const verb = action.label.replace(' …', '');
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get('revision');
    const revision = typeof given === 'string' ? given.trim() : '';
    onAnswer(action, revision === '' ? {} : { revision });
  };
  return html`
    <${Dialog} title=${`${verb} ${app.name}?`} onClose=${onClose}>
      <form onSubmit=${submit}>
        <p>${action.warning?.(app)}</p>
        ${
          action.field &&
          html`<label>
            Revision
            <input name="revision" autocomplete="off" spellcheck="false" autocapitalize="off" />
            <span class="hint">${action.field(app)}</span>
          </label>`
        }
        <p class="answers">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button type="submit" class="sure">${verb}</button>
        </p>
      </form>
    <//>
  `;
}
