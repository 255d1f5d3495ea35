import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { charts, type Chart } from './charts.ts';
import { crossings, flaws, seen } from './flaws.ts';
import { isMain, type Layout, place, type Placed } from './place.ts';
import { read } from './read.ts';
import { svgOf } from './svg.ts';

// Looks for a good layout of a drawing, when its machine has changed so much that the old one will not do:
// node test/docs/chart/search.ts app wide 120
// tries for 120 seconds and writes the best into layouts.json; `npm run docs` draws it.

const shapes = {
  wide: { direction: 'RIGHT', room: { width: 960, height: 420 } },
  narrow: { direction: 'DOWN', room: { width: 328, height: 900 } },
} as const;

/** What ELK may be told to do one way or another; all the rest is in place.ts. */
const choices: Readonly<Record<string, readonly string[]>> = {
  'elk.layered.cycleBreaking.strategy': ['GREEDY', 'DEPTH_FIRST', 'MODEL_ORDER', 'GREEDY_MODEL_ORDER'],
  'elk.layered.layering.strategy': [
    'NETWORK_SIMPLEX',
    'LONGEST_PATH',
    'LONGEST_PATH_SOURCE',
    'STRETCH_WIDTH',
    'MIN_WIDTH',
  ],
  'elk.layered.edgeLabels.centerLabelPlacementStrategy': [
    'MEDIAN_LAYER',
    'SPACE_EFFICIENT_LAYER',
    'WIDEST_LAYER',
    'TAIL_LAYER',
    'HEAD_LAYER',
  ],
  'elk.layered.considerModelOrder.strategy': ['NONE', 'PREFER_EDGES', 'NODES_AND_EDGES'],
  'elk.layered.nodePlacement.strategy': ['NETWORK_SIMPLEX', 'BRANDES_KOEPF'],
  'elk.layered.compaction.postCompaction.strategy': ['NONE', 'EDGE_LENGTH'],
};

interface Tried {
  readonly layout: Layout;
  readonly cost: number;
}

async function search(name: string, shape: keyof typeof shapes, seconds: number, old?: Layout): Promise<Tried> {
  const chart = chartOf(name);
  const end = Date.now() + seconds * 1000;
  const { direction } = shapes[shape];
  const states = read(chart).states;
  const first: Layout = old ?? fresh(states, direction);
  let best: Tried = { layout: first, cost: await costOf(chart, first, shape) };
  let here = best;
  let patience = 0;
  while (Date.now() < end) {
    const layout = patience > 80 ? fresh(states, direction) : changed(here.layout);
    const cost = await costOf(chart, layout, shape);
    if (patience > 80 || cost < here.cost) patience = 0;
    else patience += 1;
    if (patience === 0 || cost === here.cost) here = { layout, cost };
    if (cost < best.cost) {
      best = here;
      console.log(Math.round(cost));
    }
  }
  return best;
}

/** What ELK cannot do costs most. */
async function costOf(chart: Chart, layout: Layout, shape: keyof typeof shapes): Promise<number> {
  try {
    const placed = await place(read(chart), chart.main, layout);
    const drawing = seen(svgOf(chart, placed));
    return flaws(drawing).length * 300 + crossings(drawing) * 40 + sizeCost(placed, shape) + bendCost(placed, chart);
  } catch {
    return Infinity;
  }
}

function sizeCost({ width, height }: Placed, shape: keyof typeof shapes): number {
  const { room } = shapes[shape];
  const over = Math.max(0, width - room.width) * 8 + Math.max(0, height - room.height) * 2;
  return over + height * 0.3 + width * 0.1;
}

/** Bends, length, and where the life begins: best in the corner where people begin to read. */
function bendCost({ ways, dot }: Placed, { main }: Chart): number {
  const each = ways.map((way) => {
    const { corners } = way;
    const length = corners
      .slice(1)
      .reduce((sum, { x, y }, i) => sum + Math.hypot(x - (corners[i]?.x ?? x), y - (corners[i]?.y ?? y)), 0);
    return ((corners.length - 2) * 5 + length * 0.05) * (isMain(way, main) ? 3 : 1);
  });
  return each.reduce((sum, cost) => sum + cost, 0) + dot.x * 0.2 + dot.y * 0.5;
}

function fresh(states: readonly string[], direction: Layout['direction']): Layout {
  const options = Object.fromEntries(Object.entries(choices).map(([key, values]) => [key, oneOf(values)]));
  return { direction, seed: seed(), order: states, options };
}

function changed(layout: Layout): Layout {
  const dice = Math.random();
  if (dice < 0.15) return { ...layout, seed: seed() };
  if (dice < 0.7) return { ...layout, order: moved(layout.order) };
  const key = oneOf(Object.keys(choices));
  return { ...layout, options: { ...layout.options, [key]: oneOf(choices[key] ?? []) } };
}

function moved(order: readonly string[]): string[] {
  const state = oneOf(order);
  const others = order.filter((each) => each !== state);
  return others.toSpliced(Math.floor(Math.random() * order.length), 0, state);
}

function seed(): number {
  return 1 + Math.floor(Math.random() * 1000);
}

function chartOf(name: string): Chart {
  const chart = charts[name];
  if (chart === undefined) throw new Error(`there is no chart ${name}`);
  return chart;
}

function oneOf(values: readonly string[]): string {
  return values[Math.floor(Math.random() * values.length)] ?? '';
}

const [name = '', shape = '', seconds = '60', anew] = process.argv.slice(2);
if (!(shape in shapes)) throw new Error('usage: search.ts CHART wide|narrow [SECONDS] [anew]');
const file = join(import.meta.dirname, 'layouts.json');
const before = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, Layout>>;
const old = anew === undefined ? before[name]?.[shape] : undefined;
const { layout, cost } = await search(name, shape as keyof typeof shapes, Number(seconds), old);
// Another search may have written a better one meanwhile.
const now = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, Layout>>;
const there = now[name]?.[shape];
const isBetter = there === undefined || cost < (await costOf(chartOf(name), there, shape as keyof typeof shapes));
if (isBetter)
  await writeFile(file, `${JSON.stringify({ ...now, [name]: { ...now[name], [shape]: layout } }, null, 2)}\n`);
console.log(`${name} ${shape}: ${Math.round(cost)}${isBetter ? '' : ', which is no better'}`);
