import { html } from './html.js';
import { conditionOf } from './order.js';

/** @import { AppStatus } from '../../../control/status.ts' */

/** A shape for each condition, so that no colour has to be told from another. */
const shapes = {
  well: html`<circle cx="6" cy="6" r="4.5" />`,
  busy: html`<circle cx="6" cy="6" r="4" class="ring" /><circle cx="6" cy="6" r="1.8" />`,
  warn: html`<path d="M6 .8 11.6 11H.4Z" />`,
  bad: html`<path d="M3.6 .5h4.8l3.1 3.1v4.8l-3.1 3.1H3.6L.5 8.4V3.6Z" />`,
  off: html`<rect x="2" y="2" width="8" height="8" rx="1.5" />`,
};

/**
 * How an app is, as a coloured shape beside the word for its state.
 *
 * @param {{ app: AppStatus }} props
 */
export function State({ app }) {
  const condition = conditionOf(app);
  const isHeld = app.paused || app.pinned;
  return html`
    <span class=${`state-word ${condition}`}>
      <svg class="sign" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">${shapes[condition]}</svg>
      ${app.state}
    </span>
    ${isHeld && html` <span class="tag">${app.paused ? 'paused' : 'pinned'}</span>`}
  `;
}
