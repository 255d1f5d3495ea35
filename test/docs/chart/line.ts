import type { Box, Point } from './place.ts';

/** How far a line keeps from its own label, how round its corners are, how long and half as wide its arrowhead is. In pixels. */
const gap = 1;
const radius = 5;
const head = 6;

/** The line through corners that ends where its arrowhead begins, left out where its label is: as path data. */
export function lineAlong(corners: readonly Point[], label: Box | null): string {
  return piecesBeside(label, shortened(corners)).map(rounded).join('');
}

/** The arrowhead at the last of the corners, as path data. */
export function headAt(corners: readonly Point[]): string {
  const [before, tip] = corners.slice(-2);
  if (before === undefined || tip === undefined) return '';
  const back = towards(tip, before, head);
  const [across, along] = [(back.y - tip.y) / 2, (back.x - tip.x) / 2];
  return `M${at(tip)}L${at({ x: back.x + across, y: back.y + along })}L${at({ x: back.x - across, y: back.y - along })}Z`;
}

/** To tenths: what is beyond them nobody sees, and it need not be the same on every machine. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function shortened(corners: readonly Point[]): Point[] {
  const [before, tip] = corners.slice(-2);
  if (before === undefined || tip === undefined) return [...corners];
  return [...corners.slice(0, -1), towards(tip, before, head - 1)];
}

/** What is left of a line without the part that a box covers. */
function piecesBeside(box: Box | null, corners: readonly Point[]): Point[][] {
  const pieces = [corners.slice(0, 1)];
  for (const [index, end] of corners.slice(1).entries()) {
    const start = corners[index] ?? end;
    const covered = box === null ? null : partInside(box, start, end);
    if (covered !== null) {
      pieces.at(-1)?.push(covered[0]);
      pieces.push([covered[1]]);
    }
    pieces.at(-1)?.push(end);
  }
  return pieces;
}

/** Where a level or upright line enters and leaves a box. */
function partInside(box: Box, start: Point, end: Point): readonly [Point, Point] | null {
  const [left, right, top, bottom] = [box.x - gap, box.x + box.width + gap, box.y - gap, box.y + box.height + gap];
  const isLevel = start.y === end.y;
  const [low, high] = isLevel ? [left, right] : [top, bottom];
  const [from, to] = isLevel ? [start.x, end.x] : [start.y, end.y];
  const isBeside = isLevel ? start.y < top || start.y > bottom : start.x < left || start.x > right;
  if (isBeside || Math.min(from, to) > low || Math.max(from, to) < high) return null;
  const [enter, leave] = from < to ? [low, high] : [high, low];
  return isLevel
    ? [
        { x: enter, y: start.y },
        { x: leave, y: start.y },
      ]
    : [
        { x: start.x, y: enter },
        { x: start.x, y: leave },
      ];
}

function rounded(corners: readonly Point[]): string {
  return corners
    .map((corner, index) => {
      const [before, after] = [corners[index - 1], corners[index + 1]];
      if (before === undefined) return `M${at(corner)}`;
      if (after === undefined) return `L${at(corner)}`;
      const room = Math.min(radius, distance(before, corner) / 2, distance(corner, after) / 2);
      return `L${at(towards(corner, before, room))}Q${at(corner)} ${at(towards(corner, after, room))}`;
    })
    .join('');
}

/** So many pixels from a point on the way to another. */
function towards(from: Point, to: Point, pixels: number): Point {
  const share = pixels / (distance(from, to) || 1);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function at({ x, y }: Point): string {
  return `${tenths(x)} ${tenths(y)}`;
}
