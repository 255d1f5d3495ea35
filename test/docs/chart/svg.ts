import type { Chart } from './charts.ts';
import { wrap } from './letters.ts';
import { headAt, lineAlong, tenths } from './line.ts';
import { type Box, isMain, type Placed, type PlacedWay, type Point, type } from './place.ts';
import { style } from './style.ts';

const margin = 4;

/** A drawing as an SVG file: a group for each state and for each way, and no colour but those of the style. */
export function svgOf(chart: Chart, placed: Placed): string {
  const note = wrap(chart.note, type.label, placed.width - 2 * margin);
  const { width } = placed;
  const height = placed.height + note.length * type.line + margin;
  // What is gone along when all goes well lies above the rest.
  const ways = placed.ways.toSorted((a, b) => Number(isMain(a, chart.main)) - Number(isMain(b, chart.main)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<title>${chart.title}</title>`,
    `<style>\n${style}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    beginning(placed),
    ...ways.map((way) => wayGroup(way, isMain(way, chart.main))),
    ...placed.states.map((state) => stateGroup(state, chart.choices.includes(state.name))),
    ...note.map((line, index) => text(line, { x: margin, y: placed.height + (index + 1) * type.line - 2 }, 'note')),
    '</svg>\n',
  ].join('\n');
}

/** The dot that a life begins at. */
function beginning({ dot, begin }: Placed): string {
  const { x, y } = centreOf(dot);
  return `<g class="way"><circle cx="${x}" cy="${y}" r="${dot.width / 2}"/>${arrow(begin, null)}</g>`;
}

function wayGroup({ from, to, events, corners, lines, label }: PlacedWay, isMain: boolean): string {
  const names = `data-from="${from}" data-to="${to}" data-event="${events.join(' ')}"`;
  const words = label === null ? [] : lines.map((line, index) => text(line, baseline(label, index)));
  return `<g class="way${isMain ? ' main' : ''}" ${names}>${arrow(corners, label)}${words.join('')}</g>`;
}

function stateGroup(state: Box & { readonly name: string }, isChoice: boolean): string {
  const { name, x, y, width, height } = state;
  const centre = centreOf(state);
  const rect = `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${isChoice ? height / 2 : 7}"/>`;
  const words = text(name, { x: centre.x, y: centre.y + type.state * 0.35 });
  return `<g class="state${isChoice ? ' choice' : ''}" data-state="${name}">${rect}${words}</g>`;
}

function arrow(corners: readonly Point[], label: Box | null): string {
  return `<path class="line" d="${lineAlong(corners, label)}"/><path class="head" d="${headAt(corners)}"/>`;
}

function baseline(label: Box, index: number): Point {
  return { x: centreOf(label).x, y: label.y + (index + 0.8) * type.line };
}

function text(words: string, { x, y }: Point, kind?: string): string {
  return `<text${kind === undefined ? '' : ` class="${kind}"`} x="${tenths(x)}" y="${tenths(y)}">${words}</text>`;
}

function centreOf({ x, y, width, height }: Box): Point {
  return { x: tenths(x + width / 2), y: tenths(y + height / 2) };
}
