import { useEffect, useState } from 'preact/hooks';
import { Chart } from './chart.js';
import { html } from './html.js';
import { askJson, pathOfApp } from './huddle.js';
import { percent, programWords, size, span } from './words.js';

/** @import { AppStatus } from '../../../control/status.ts' */

/**
 * One look at what a program uses.
 *
 * @typedef {object} Sample
 * @property {number} at milliseconds since the epoch
 * @property {number} memory bytes
 * @property {number} cpu seconds of processor time since its start
 * @property {number} processes
 */

/** Between two looks; milliseconds. */
const every = 2_000;

/** What is kept, and what is shown at least; milliseconds. */
const longest = 5 * 60_000;
const shortest = 60_000;

/** Of each app that has been looked at, for as long as the page is open. @type {Map<string, readonly Sample[]>} */
const kept = new Map();

/**
 * The program of an app, and what it uses.
 *
 * @param {{ app: AppStatus, now: number, isLive: boolean }} props
 */
export function Program({ app, now, isLive }) {
  const { name, program, beside } = app;
  const samples = useSamples(name, program.pid, isLive);
  const last = samples.at(-1);
  const shares = sharesOf(samples);
  const hasFigures = last !== undefined && program.pid !== null;
  return html`
    <section class="card program" aria-labelledby="program-title">
      <h2 id="program-title">Program</h2>
      <dl class="facts">
        <div>
          <dt>State</dt>
          <dd>${programWords(app, now)}${program.adopted && ' (taken over)'}</dd>
        </div>
        <div>
          <dt>Process</dt>
          <dd>${program.pid ?? '–'}${hasFigures && last.processes > 1 && ` and ${last.processes - 1} more`}</dd>
        </div>
        ${
          beside &&
          html`<div>
            <dt>Beside it</dt>
            <dd>${beside.revision?.slice(0, 7)} ${beside.state}</dd>
          </div>`
        }
        <div>
          <dt>Restarts</dt>
          <dd>${program.restarts}</dd>
        </div>
      </dl>
      ${
        hasFigures
          ? html`
              <${Curve} title="Processor" points=${shares} time=${stretchOf(samples)} most=${0.1} say=${percent} />
              <${Curve}
                title="Memory"
                points=${samples.map(({ at, memory }) => [at, memory])}
                time=${stretchOf(samples)}
                most=${1e6}
                say=${size}
              />
            `
          : html`<p class="none">${program.pid === null ? 'Nothing runs.' : 'No figures yet.'}</p>`
      }
      <details>
        <summary>The life of a program</summary>
        <${Chart} machine="program" live=${program.state} path=${[]} />
      </details>
    </section>
  `;
}

/**
 * What its processes use, looked at again and again while somebody looks at the page.
 *
 * @param {string} name
 * @param {number | null} pid
 * @param {boolean} isLive
 */
function useSamples(name, pid, isLive) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    if (!isLive || pid === null) return undefined;
    const ending = new AbortController();
    const look = async () => {
      if (document.hidden) return;
      const { usage } = await askJson(`${pathOfApp(name)}/usage`, ending.signal);
      const at = Date.now();
      const before = (kept.get(name) ?? []).filter((sample) => sample.at > at - longest);
      kept.set(name, usage === null ? before : [...before, { at, ...usage }]);
      setTurn(at);
    };
    const tryLook = () => void look().catch(() => undefined);
    tryLook();
    const timer = setInterval(tryLook, every);
    return () => {
      clearInterval(timer);
      ending.abort();
    };
  }, [name, pid, isLive]);
  return kept.get(name) ?? [];
}

/**
 * Processor time between two looks, as a share of one processor. Nothing can be said over the start of a program, over a
 * moment, nor where one of its processes has ended and taken its time along.
 *
 * @param {readonly Sample[]} samples
 * @returns {[at: number, share: number][]}
 */
function sharesOf(samples) {
  return samples.slice(1).flatMap((sample, index) => {
    const before = samples[index] ?? sample;
    const seconds = (sample.at - before.at) / 1_000;
    return sample.cpu < before.cpu || seconds < 0.5 ? [] : [[sample.at, (sample.cpu - before.cpu) / seconds]];
  });
}

/**
 * The time that the curves show, one above the other; milliseconds.
 *
 * @param {readonly Sample[]} samples
 */
function stretchOf(samples) {
  const end = samples.at(-1)?.at ?? 0;
  return { end, stretch: Math.max(end - (samples[0]?.at ?? end), shortest) };
}

const [width, height] = [300, 44];

/**
 * Figures over time. `most`: the curve is at least this high.
 *
 * @param {{
 *   title: string,
 *   points: readonly (readonly [at: number, value: number])[],
 *   time: { end: number, stretch: number },
 *   most: number,
 *   say: (value: number) => string,
 * }} props
 */
function Curve({ title, points, time: { end, stretch }, most, say }) {
  const values = points.map(([, value]) => value);
  const value = values.at(-1);
  if (value === undefined) return html`<p class="none">${title}: measuring …</p>`;
  const highest = Math.max(...values);
  const scale = Math.max(highest * 1.15, most);
  const line = runs(points)
    .map((run) => run.map(([at, each]) => `${x(at, end, stretch)} ${(height - (each / scale) * height).toFixed(1)}`))
    .map((run) => `M${run.join('L')}`);
  const label = `${title}: ${say(value)} now, at most ${say(highest)} in the last ${span(stretch)}`;
  return html`
    <figure class="curve">
      <figcaption>
        <span>${title}</span> <b>${say(value)}</b> <small>at most ${say(highest)} in ${span(stretch)}</small>
      </figcaption>
      <svg viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label=${label}>
        <path class="line" d=${line.join('')} vector-effect="non-scaling-stroke" />
      </svg>
    </figure>
  `;
}

/**
 * @param {number} at
 * @param {number} end
 * @param {number} stretch
 */
function x(at, end, stretch) {
  return (width - ((end - at) / stretch) * width).toFixed(1);
}

/**
 * Points that belong together: a stretch in which nobody has looked is left empty.
 *
 * @param {readonly (readonly [at: number, value: number])[]} points
 */
function runs(points) {
  /** @type {(readonly [number, number])[][]} */
  const all = [];
  let before = -Infinity;
  for (const point of points) {
    if (point[0] - before > 4 * every) all.push([]);
    all.at(-1)?.push(point);
    before = point[0];
  }
  return all;
}
