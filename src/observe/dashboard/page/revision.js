import { html } from './html.js';
import { short } from './words.js';

/**
 * Where the commits of an app come from.
 *
 * @typedef {object} Repository
 * @property {string} remote
 * @property {string | null} commit the address of a commit's page, `{revision}` in its place; null: no forge that is known
 */

/**
 * A revision, with the way to its commit at the forge.
 *
 * @param {{ of: string | null, repository: Repository | null }} props
 */
export function Revision({ of, repository }) {
  if (of === null) return '–';
  const code = html`<code title=${of}>${short(of)}</code>`;
  const template = repository?.commit ?? null;
  if (template === null) return code;
  return html`<a class="commit" href=${template.replace('{revision}', of)} target="_blank" rel="noopener noreferrer"
    >${code}</a
  >`;
}
