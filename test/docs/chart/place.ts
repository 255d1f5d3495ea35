import elkjs, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js';
import { widthOf, wrap } from './letters.ts';
import { tenths } from './line.ts';
import type { Graph, Way } from './read.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** A way with its place: all in pixels, from the upper left corner of the drawing. */
export interface PlacedWay extends Way {
  /** Its corners, from the border of the one state to the border of the other. */
  readonly corners: readonly Point[];
  /** The lines of its label, and the box around them. */
  readonly lines: readonly string[];
  readonly label: Box | null;
}

export interface Placed {
  readonly width: number;
  readonly height: number;
  /** The dot that a life begins at, and the way from it. */
  readonly dot: Box;
  readonly begin: readonly Point[];
  readonly states: readonly (Box & { readonly name: string })[];
  readonly ways: readonly PlacedWay[];
}

/** How a graph is laid out. ELK makes another drawing of each seed and order of the states: search.ts looks for good ones. */
export interface Layout {
  readonly direction: 'RIGHT' | 'DOWN';
  readonly seed: number;
  readonly order: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

/** Sizes of text, in pixels. */
export const type = { state: 13, label: 11, line: 13 } as const;

/** How narrow the labels of a narrow drawing are kept; a phone shows it as it is. In pixels. */
const roomOfLabel = { RIGHT: Infinity, DOWN: 50 } as const;

const dot = 8;

const spacing = {
  'elk.algorithm': 'layered',
  'elk.padding': '[top=6,left=4,bottom=6,right=4]',
  'elk.spacing.nodeNode': '7',
  'elk.spacing.edgeNode': '6',
  'elk.spacing.edgeEdge': '6',
  'elk.spacing.edgeLabel': '2',
  'elk.spacing.labelLabel': '2',
  'elk.layered.spacing.nodeNodeBetweenLayers': '14',
  'elk.layered.spacing.edgeNodeBetweenLayers': '9',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '8',
};

const engine = new elkjs.default();

/** Lays a graph out. The same input gives the same drawing, on every machine. */
export async function place(graph: Graph, main: readonly string[], layout: Layout): Promise<Placed> {
  const { direction, seed, order, options } = layout;
  const layoutOptions = { ...spacing, ...options, 'elk.direction': direction, 'elk.randomSeed': String(seed) };
  const names = graph.states.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
  const root = await engine.layout<ElkNode>({
    id: 'root',
    layoutOptions,
    children: [{ id: 'dot', width: dot, height: dot }, ...names.map((name) => stateNode(name, graph, direction))],
    edges: [
      { id: 'begin', sources: ['dot'], targets: [graph.states[0] ?? ''] },
      ...graph.ways.map((way, index) => wayEdge(way, String(index), main, direction)),
    ],
  });
  return {
    width: Math.ceil(root.width ?? 0),
    height: Math.ceil(root.height ?? 0),
    dot: boxOf(named(root.children, 'dot')),
    begin: cornersOf(named(root.edges, 'begin')),
    states: graph.states.map((name) => ({ name, ...boxOf(named(root.children, name)) })),
    ways: graph.ways.map((way, index) => {
      const edge = named(root.edges, String(index));
      const label = edge.labels?.[0];
      const lines = label?.text?.split('\n') ?? [];
      return { ...way, corners: cornersOf(edge), lines, label: label === undefined ? null : boxOf(label) };
    }),
  };
}

/** As tall as the arrows at its sides need it, where the drawing is wide. */
function stateNode(name: string, { ways }: Graph, direction: Layout['direction']): ElkNode {
  const arrows = ways.filter(({ from, to }) => from === name || to === name).length;
  const isWide = direction === 'RIGHT';
  const width = Math.ceil(widthOf(name, type.state, 'bold')) + (isWide ? 16 : 8);
  return { id: name, width, height: isWide ? Math.max(28, arrows * 5) : 26 };
}

function wayEdge(way: Way, id: string, main: readonly string[], direction: Layout['direction']): ElkExtendedEdge {
  const lines = way.labels.flatMap((label) => wrap(label, type.label, roomOfLabel[direction]));
  const width = Math.ceil(Math.max(...lines.map((line) => widthOf(line, type.label)))) + 4;
  const label = { text: lines.join('\n'), width, height: lines.length * type.line + 2 };
  return {
    id,
    sources: [way.from],
    targets: [way.to],
    layoutOptions: isMain(way, main) ? { 'elk.layered.priority.straightness': '10' } : {},
    labels: lines.length === 0 ? [] : [{ ...label, layoutOptions: { 'elk.edgeLabels.inline': 'true' } }],
  };
}

/** Whether a way is one of those that are gone when all goes well. */
export function isMain({ from, to }: Way, main: readonly string[]): boolean {
  return main.some((name, index) => name === from && main[index + 1] === to);
}

function named<T extends { id: string }>(all: readonly T[] | undefined, id: string): T {
  const found = all?.find((each) => each.id === id);
  if (found === undefined) throw new Error(`ELK has placed no ${id}`);
  return found;
}

function boxOf({ x = 0, y = 0, width = 0, height = 0 }: Partial<Box>): Box {
  return { x: tenths(x), y: tenths(y), width, height };
}

function cornersOf({ sections }: ElkExtendedEdge): Point[] {
  return (sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => ({ x: tenths(x), y: tenths(y) })),
  );
}
