import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { waysThrough } from './journey.js';

/** Below this many pixels the drawing is one for a phone. */
const narrow = 700;

/** @type {Map<string, Promise<Element | null>>} */
const drawings = new Map();

/**
 * A statechart, its live state lit and a path through it marked.
 *
 * @param {{ machine: 'app' | 'program', live: string, path: readonly string[] }} props
 */
export function Chart({ machine, live, path }) {
  /** @type {{ current: HTMLElement | null }} */
  const place = useRef(null);
  const [drawing, setDrawing] = useState(/** @type {Element | null} */ (null));
  const shape = useShape(place);

  useEffect(() => {
    let isWanted = shape !== null;
    if (isWanted) void load(`${machine}-${shape}`).then((found) => isWanted && setDrawing(found));
    return () => void (isWanted = false);
  }, [machine, shape]);
  useLayoutEffect(() => place.current?.replaceChildren(...(drawing ? [drawing] : [])), [drawing]);
  useLayoutEffect(() => {
    if (drawing !== null) light(drawing, live, path);
  }, [drawing, live, path.join()]);

  return html`<div class="drawing" ref=${place}></div>`;
}

/**
 * @param {{ current: HTMLElement | null }} place
 * @returns {'wide' | 'narrow' | null}
 */
function useShape(place) {
  const [shape, setShape] = useState(/** @type {'wide' | 'narrow' | null} */ (null));
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      if (width > 0) setShape(width < narrow ? 'narrow' : 'wide');
    });
    if (place.current !== null) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return shape;
}

/**
 * A drawing of one's own.
 *
 * @param {string} name
 */
async function load(name) {
  const loading = drawings.get(name) ?? fetchDrawing(`dashboard/chart/${name}.svg`);
  drawings.set(name, loading);
  const found = await loading;
  if (found === null) drawings.delete(name);
  return found === null ? null : /** @type {Element} */ (found.cloneNode(true));
}

/**
 * By an `XMLHttpRequest`, since that makes a document of it without any text of ours being taken for HTML.
 *
 * @param {string} path
 * @returns {Promise<Element | null>}
 */
function fetchDrawing(path) {
  /** @type {PromiseWithResolvers<Element | null>} */
  const { promise, resolve } = Promise.withResolvers();
  const request = new XMLHttpRequest();
  request.open('GET', path);
  request.responseType = 'document';
  request.onloadend = () => {
    const root = request.status === 200 ? (request.responseXML?.documentElement ?? null) : null;
    resolve(root && document.importNode(root, true));
  };
  request.send();
  return promise;
}

/**
 * @param {Element} drawing
 * @param {string} live
 * @param {readonly string[]} path
 */
function light(drawing, live, path) {
  const ways = [...drawing.querySelectorAll('[data-from]')];
  const ends = (/** @type {Element} */ way) =>
    /** @type {const} */ ([way.getAttribute('data-from') ?? '', way.getAttribute('data-to') ?? '']);
  const taken = waysThrough(path, ways.map(ends));
  for (const way of ways) way.classList.toggle('taken', taken.has(ends(way).join(' ')));
  for (const state of drawing.querySelectorAll('[data-state]'))
    state.classList.toggle('live', state.getAttribute('data-state') === live);
  drawing.setAttribute('aria-label', `${drawing.querySelector('title')?.textContent}, now ${live}`);
}
