import { useEffect, useState } from 'preact/hooks';
import { Actions } from './actions.js';
import { Chart } from './chart.js';
import { useNow } from './clock.js';
import { History } from './history.js';
import { html } from './html.js';
import { askJson, pathOfApp } from './huddle.js';
import { useShortcuts } from './keys.js';
import { Log } from './log.js';
import { conditionOf } from './order.js';
import { pathOf, usualPath } from './journey.js';
import { Program } from './program.js';
import { Revision } from './revision.js';
import { State } from './signs.js';
import { nextCheck, span } from './words.js';

/** @import { AppStatus } from '../../../control/status.ts' */
/** @import { HistoryEntry } from '../../../../machines/facts.ts' */
/** @import { Journey } from './journey.js' */
/** @import { Repository } from './revision.js' */

/** How many deployments are shown until more are asked for. */
const entries = 8;

/**
 * One app: where it is in its life, its program, what it says, what became of its deployments, and what to do with it.
 *
 * @param {{ app: AppStatus, journey: Journey | undefined, deployments: number, isLive: boolean }} props
 */
export function App({ app, journey, deployments, isLive }) {
  const { name, revision, branch, error, health } = app;
  const now = useNow();
  const repository = /** @type {Repository | null} */ (useAnswer(`${pathOfApp(name)}/repository`, isLive, revision));
  const [limit, setLimit] = useState(entries);
  const told = /** @type {{ history: readonly HistoryEntry[] } | null} */ (
    useAnswer(`${pathOfApp(name)}/history?limit=${limit}`, isLive, deployments)
  );
  const history = told?.history ?? [];
  useShortcuts({ Escape: () => (location.hash = '#/') });

  return html`
    <article class=${isLive ? 'app' : 'app stale'} aria-labelledby="app-title">
      <div class="headline">
        <h1 id="app-title">${name}</h1>
        <p class="now" role="status"><${State} app=${app} /></p>
      </div>
      <dl class="facts">
        <div>
          <dt>Revision</dt>
          <dd><${Revision} of=${revision} repository=${repository} /></dd>
        </div>
        <div>
          <dt>Branch</dt>
          <dd>${branch ?? '–'}</dd>
        </div>
        <div>
          <dt>Health</dt>
          <dd class=${health}>${health === 'unknown' ? '–' : health}</dd>
        </div>
        <div>
          <dt>Next check</dt>
          <dd>${nextCheck(app, now)}</dd>
        </div>
        ${
          repository?.remote &&
          html`<div class="remote">
            <dt>Remote</dt>
            <dd>${repository.remote}</dd>
          </div>`
        }
      </dl>
      ${
        error &&
        html`<p class=${`trouble ${conditionOf(app)}`}>
          <b>${error.code}</b> ${error.message} ${error.hint !== '' && html`<span class="hint">${error.hint}</span>`}
        </p>`
      }
      <${Actions} app=${app} isLive=${isLive} />
      <div class="cards">
        <div>
          <${Life} app=${app} journey=${journey} last=${history[0]} now=${now} />
          <${Log} name=${name} isLive=${isLive} />
        </div>
        <div>
          <${Program} app=${app} now=${now} isLive=${isLive} />
          <${History}
            entries=${history}
            rejected=${app.rejected}
            repository=${repository}
            now=${now}
            onMore=${history.length === limit ? () => setLimit(limit + 50) : null}
          />
        </div>
      </div>
    </article>
  `;
}

/** @param {{ app: AppStatus, journey: Journey | undefined, last: HistoryEntry | undefined, now: number }} props */
function Life({ app, journey, last, now }) {
  const seen = pathOf(journey);
  const path = seen.length > 0 || last === undefined ? seen : usualPath(last);
  return html`
    <section class="card life" aria-labelledby="life-title">
      <h2 id="life-title">Life</h2>
      <${Chart} machine="app" live=${app.state} path=${path} />
      <p class="legend">
        <span class="key live">now: ${app.state}</span>
        ${path.length > 0 && html`<span class="key taken">${legend(seen, last, now)}</span>`}
      </p>
    </section>
  `;
}

/**
 * @param {readonly string[]} seen
 * @param {HistoryEntry | undefined} last
 * @param {number} now
 */
function legend(seen, last, now) {
  if (seen.length > 0 && !['running', 'waiting', 'stopped'].includes(seen.at(-1) ?? ''))
    return 'this deployment so far';
  const when = last === undefined ? '' : `, ${span(now - Date.parse(last.at))} ago: ${last.result}`;
  return seen.length > 0 ? `the way of the last deployment${when}` : `the way of such a deployment as the last${when}`;
}

/**
 * What Huddle answers at a path: asked again when Huddle is there again, and when `turn` changes.
 *
 * @param {string} path
 * @param {boolean} isLive
 * @param {unknown} turn
 */
function useAnswer(path, isLive, turn) {
  const [answer, setAnswer] = useState(/** @type {{ path: string, value: unknown } | null} */ (null));
  useEffect(() => {
    if (!isLive) return undefined;
    const ending = new AbortController();
    askJson(path, ending.signal).then(
      (value) => setAnswer({ path, value }),
      // Who asks in vain is away, or the app has gone: both are told elsewhere.
      () => undefined,
    );
    return () => ending.abort();
  }, [path, isLive, turn]);
  const base = (/** @type {string} */ text) => text.split('?')[0];
  return answer !== null && base(answer.path) === base(path) ? answer.value : null;
}
