import { html } from './html.js';
import { Revision } from './revision.js';
import { clockTime, span, took } from './words.js';

/** @import { HistoryEntry } from '../../../../machines/facts.ts' */
/** @import { Repository } from './revision.js' */

/**
 * Past deployments, and why they ended as they did.
 *
 * @param {{
 *   entries: readonly HistoryEntry[],
 *   rejected: readonly string[],
 *   repository: Repository | null,
 *   now: number,
 *   onMore: (() => void) | null,
 * }} props
 */
export function History({ entries, rejected, repository, now, onMore }) {
  return html`
    <section class="card history" aria-labelledby="history-title">
      <h2 id="history-title">Deployments</h2>
      ${entries.length === 0 && html`<p class="none">None yet.</p>`}
      <ol>
        ${entries.map(
          (entry) => html`
            <li
              key=${entry.at + entry.revision}
              class=${entry.result === 'deployed' && entry.reason === '' ? 'good' : 'poor'}
            >
              <p>
                <b>${entry.result}</b>
                <span>
                  ${
                    entry.from !== null &&
                    html`<span class="from"><${Revision} of=${entry.from} repository=${repository} /> → </span>`
                  }
                  <${Revision} of=${entry.revision} repository=${repository} />
                  ${rejected.includes(entry.revision) && html` <span class="tag">rejected</span>`}
                </span>
                <time datetime=${entry.at} title=${clockTime(entry.at)}>${span(now - Date.parse(entry.at))} ago</time>
              </p>
              ${entry.reason !== '' && html`<p class="reason">${entry.reason}</p>`}
              <p class="figures">took ${took(entry.seconds)}${entry.downtime !== null && `, ${gap(entry.downtime)}`}</p>
            </li>
          `,
        )}
      </ol>
      ${onMore && html`<p><button type="button" onClick=${onMore}>Show older ones</button></p>`}
    </section>
  `;
}

/**
 * @param {number} downtime seconds
 */
function gap(downtime) {
  return downtime === 0 ? 'without a gap' : `program down for ${took(downtime)}`;
}
