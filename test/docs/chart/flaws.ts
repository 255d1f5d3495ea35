import { widthOf } from './letters.ts';
import { type Box, type Point, type } from './place.ts';

type Segment = readonly [Point, Point];

interface Shape {
  readonly name: string;
  readonly box: Box;
}

interface Line {
  readonly name: string;
  readonly ends: readonly string[];
  readonly segments: readonly Segment[];
}

/** A drawing as it is seen: read from the SVG, with the letters as wide as they may be. */
export interface Seen {
  readonly sheet: Box;
  readonly states: readonly Shape[];
  readonly labels: readonly Shape[];
  readonly lines: readonly Line[];
}

/** How near two lines of different ways may run beside each other. In pixels. */
const nearest = 4;

/** Reads a drawing. Lines are taken with sharp corners, which reach further than round ones. */
export function seen(svg: string): Seen {
  const groups = [...svg.matchAll(/<g class="([^"]*)"([^>]*)>(.*?)<\/g>/g)];
  const states = groups
    .filter(([, kind]) => kind?.startsWith('state'))
    .map(([, , names = '', inner = '']) => ({
      name: attribute(names, 'data-state'),
      box: boxOf(/<rect[^>]*>/.exec(inner)?.[0] ?? ''),
    }));
  const ways = groups
    .filter(([, kind]) => kind?.startsWith('way'))
    .map(([, , names = '', inner = '']) => {
      const ends = [attribute(names, 'data-from'), attribute(names, 'data-to')];
      const name = ends.join(' > ');
      return { labels: textsOf(inner, name), line: { name, ends, segments: segmentsOf(inner) } };
    });
  const [, width = '', height = ''] = /viewBox="0 0 (\S+) ([^"]+)"/.exec(svg) ?? [];
  return {
    sheet: { x: 0, y: 0, width: Number(width), height: Number(height) },
    states,
    labels: [...ways.flatMap(({ labels }) => labels), ...notesOf(svg)],
    lines: ways.map(({ line }) => line),
  };
}

/** What makes a drawing hard to read, in words; empty when nothing does. */
export function flaws({ sheet, states, labels, lines }: Seen): string[] {
  const shapes = [...states, ...labels];
  return [
    ...shapes.filter(({ box }) => !isInside(box, sheet)).map(({ name }) => `${name} leaves the sheet`),
    ...pairs(shapes)
      .filter(([a, b]) => doOverlap(a.box, b.box))
      .map(([a, b]) => `${a.name} overlaps ${b.name}`),
    ...lines.flatMap((line) =>
      shapes
        .filter(({ box }) => line.segments.some((segment) => doesEnter(segment, box)))
        .map((shape) => `the line ${line.name} crosses ${shape.name}`),
    ),
    ...pairs(lines)
      .filter(([a, b]) => a.segments.some((one) => b.segments.some((other) => areBeside(one, other))))
      .map(([a, b]) => `the lines ${a.name} and ${b.name} run into each other`),
  ];
}

/** How often lines cross each other. */
export function crossings({ lines }: Seen): number {
  const crossed = pairs(lines).flatMap(([a, b]) =>
    a.segments.flatMap((one) => b.segments.filter((other) => doCross(one, other))),
  );
  return crossed.length;
}

function attribute(tag: string, name: string): string {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
}

function boxOf(tag: string): Box {
  const [x = 0, y = 0, width = 0, height = 0] = ['x', 'y', 'width', 'height'].map((name) =>
    Number(attribute(tag, name)),
  );
  return { x, y, width, height };
}

function textsOf(inner: string, of: string): Shape[] {
  return [...inner.matchAll(/<text x="([^"]*)" y="([^"]*)">([^<]*)</g)].map(([, x, y, words = '']) => {
    const width = widthOf(words, type.label);
    return { name: `'${words}' of ${of}`, box: lineBox(Number(x) - width / 2, Number(y), width) };
  });
}

function notesOf(svg: string): Shape[] {
  return [...svg.matchAll(/<text class="note" x="([^"]*)" y="([^"]*)">([^<]*)</g)].map(([, x, y, words = '']) => ({
    name: 'the note',
    box: lineBox(Number(x), Number(y), widthOf(words, type.label)),
  }));
}

/** The box of a line of text by its baseline: letters with and without tails. */
function lineBox(x: number, baseline: number, width: number): Box {
  return { x, y: baseline - type.label * 0.8, width, height: type.label };
}

function segmentsOf(inner: string): Segment[] {
  const data = /class="line" d="([^"]*)"/.exec(inner)?.[1] ?? '';
  return data.split('M').flatMap((piece) => {
    // The middle point of a curve is the corner that it rounds.
    const corners = [...piece.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }));
    return corners.slice(1).map((end, index): Segment => [corners[index] ?? end, end]);
  });
}

function pairs<T>(all: readonly T[]): (readonly [T, T])[] {
  return all.flatMap((one, index) => all.slice(index + 1).map((other) => [one, other] as const));
}

function isInside(box: Box, sheet: Box): boolean {
  return box.x >= 0 && box.y >= 0 && box.x + box.width <= sheet.width && box.y + box.height <= sheet.height;
}

function doOverlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The box that a level or upright segment fills. */
function extent([a, b]: Segment): Box {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, width: Math.abs(a.x - b.x), height: Math.abs(a.y - b.y) };
}

/** To end at the border of a state is not to enter it. */
function doesEnter(segment: Segment, box: Box): boolean {
  const inner = { x: box.x + 0.2, y: box.y + 0.2, width: box.width - 0.4, height: box.height - 0.4 };
  const { x, y, width, height } = extent(segment);
  return doOverlap({ x, y, width: width + 0.01, height: height + 0.01 }, inner);
}

function isLevel([a, b]: Segment): boolean {
  return Math.abs(a.y - b.y) < Math.abs(a.x - b.x);
}

function areBeside(one: Segment, other: Segment): boolean {
  if (isLevel(one) !== isLevel(other)) return false;
  const [a, b] = [extent(one), extent(other)];
  const level = isLevel(one);
  const shared = level ? overlap(a.x, a.width, b.x, b.width) : overlap(a.y, a.height, b.y, b.height);
  return shared > 1 && Math.abs(level ? a.y - b.y : a.x - b.x) < nearest;
}

function overlap(a: number, long: number, b: number, wide: number): number {
  return Math.min(a + long, b + wide) - Math.max(a, b);
}

function doCross(one: Segment, other: Segment): boolean {
  return isLevel(one) !== isLevel(other) && doOverlap(grown(extent(one)), grown(extent(other)));
}

function grown({ x, y, width, height }: Box): Box {
  return { x, y, width: width + 0.01, height: height + 0.01 };
}
