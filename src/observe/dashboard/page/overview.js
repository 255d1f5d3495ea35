import { useMemo, useRef, useState } from 'preact/hooks';
import { useNow } from './clock.js';
import { html } from './html.js';
import { useShortcuts } from './keys.js';
import { conditionOf, fits, inOrder, isInTrouble } from './order.js';
import { State } from './signs.js';
import { nextCheck, programWords, short } from './words.js';

/** @import { AppStatus } from '../../../control/status.ts' */
/** @import { Filter } from './order.js' */

/** Kept while an app is looked at. @type {Filter} */
let lastFilter = { name: '', state: '' };

/**
 * Every app at a glance.
 *
 * @param {{ apps: ReadonlyMap<string, AppStatus>, isLive: boolean }} props
 */
export function Overview({ apps, isLive }) {
  const [filter, setFilter] = useState(lastFilter);
  const now = useNow();
  /** @type {{ current: HTMLElement | null }} */
  const place = useRef(null);
  const all = useMemo(() => inOrder(apps.values()), [apps]);
  const shown = all.filter((app) => fits(app, filter));
  const troubled = all.filter(isInTrouble).length;
  lastFilter = filter;

  const links = () =>
    [...(place.current?.querySelectorAll('td a') ?? [])].filter((link) => link instanceof HTMLElement);
  const step = (/** @type {number} */ by) => () => {
    const each = links();
    const at = each.findIndex((link) => link === document.activeElement);
    each[at === -1 ? 0 : Math.min(Math.max(at + by, 0), each.length - 1)]?.focus();
  };
  useShortcuts({
    j: step(1),
    k: step(-1),
    '/': () => place.current?.querySelector('input')?.focus(),
    Escape: () => setFilter({ name: '', state: '' }),
  });

  return html`
    <section ref=${place} class=${isLive ? '' : 'stale'} aria-labelledby="overview-title">
      <div class="headline">
        <h1 id="overview-title">Apps</h1>
        <p role="status">${summary(all.length, troubled)}</p>
        <${Filters} all=${all} filter=${filter} onChange=${setFilter} />
      </div>
      ${all.length === 0 && isLive && html`<p class="notice">There is no app yet: put a config file into the folder.</p>`}
      ${all.length > 0 && shown.length === 0 && html`<p class="notice">No app is like that.</p>`}
      ${shown.length > 0 && html`<${Table} apps=${shown} now=${now} />`}
    </section>
  `;
}

/**
 * @param {number} all
 * @param {number} troubled
 */
function summary(all, troubled) {
  if (all === 0) return '';
  if (troubled === 0) return all === 1 ? 'one app, and all is well' : `${all} apps, all well`;
  return `${troubled} of ${all} in trouble`;
}

/** @param {{ all: readonly AppStatus[], filter: Filter, onChange: (filter: Filter) => void }} props */
function Filters({ all, filter, onChange }) {
  const states = [...new Set(all.map(({ state }) => state))].sort();
  if (filter.state !== '' && filter.state !== 'trouble' && !states.some((state) => state === filter.state))
    states.push(/** @type {AppStatus['state']} */ (filter.state));
  const count = (/** @type {string} */ state) => all.filter((app) => fits(app, { name: '', state })).length;
  const take = (/** @type {Partial<Filter>} */ part) => onChange({ ...filter, ...part });
  return html`
    <form
      class="filters"
      role="search"
      aria-label="Filter the apps"
      onSubmit=${(/** @type {SubmitEvent} */ event) => event.preventDefault()}
    >
      <input
        type="search"
        aria-label="Filter by name"
        aria-keyshortcuts="/"
        placeholder="Name"
        value=${filter.name}
        onInput=${(/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => take({ name: currentTarget.value })}
      />
      <select
        aria-label="Filter by state"
        value=${filter.state}
        onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget }) => take({ state: currentTarget.value })}
      >
        <option value="">any state (${all.length})</option>
        <option value="trouble">in trouble (${count('trouble')})</option>
        ${states.map((state) => html`<option value=${state}>${state} (${count(state)})</option>`)}
      </select>
    </form>
  `;
}

/** The roles are written out: a table that is laid out as something else on a phone would lose them. */
function Table(/** @type {{ apps: readonly AppStatus[], now: number }} */ { apps, now }) {
  return html`
    <table class="apps" role="table" aria-label="Apps, those in trouble first">
      <thead role="rowgroup">
        <tr role="row">
          ${['App', 'State', 'Program', 'Health', 'Revision', 'Next check', 'Trouble'].map(
            (title) => html`<th role="columnheader" scope="col">${title}</th>`,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${apps.map((app) => html`<${Row} key=${app.name} app=${app} now=${now} />`)}
      </tbody>
    </table>
  `;
}

function Row(/** @type {{ app: AppStatus, now: number }} */ { app, now }) {
  const { name, health, revision, error, program } = app;
  const isUnwell = program.state === 'given up' || program.state === 'backing off';
  return html`
    <tr role="row" class=${conditionOf(app)}>
      <td role="cell" class="name">
        <a href=${`#/apps/${encodeURIComponent(name)}`}>${name}</a>
      </td>
      <td role="cell" class="state-cell"><${State} app=${app} /></td>
      <td role="cell" class=${`program-cell${isUnwell ? ' unwell' : ''}`}>${programWords(app, now)}</td>
      <td role="cell" class=${health}>${health === 'unknown' ? '–' : health}</td>
      <td role="cell" class="revision-cell">
        ${revision === null ? '–' : html`<code title=${revision}>${short(revision)}</code>`}
      </td>
      <td role="cell" class="check-cell">${nextCheck(app, now)}</td>
      <td role="cell" class="error-cell">${error?.message}</td>
    </tr>
  `;
}
