import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode } from '../ledger/paths.ts';
import { startsWith } from './bytes.ts';

/*
 * A log is one text, its bytes numbered from the first that was ever written: app.log.N … app.log.1 and app.log hold the
 * last of it without a gap. Rotation moves bytes from file to file but never changes their numbers, so who reads by
 * number loses and doubles nothing. app.log.origin says with which number app.log.1 begins. While bytes move,
 * app.log.moving is there, which becomes app.log.origin in the step that ends the move.
 */

export const rotated = (path: string, number: number): string => `${path}.${number}`;
export const part = (path: string): string => `${path}.part`;
const marker = (path: string): string => `${path}.moving`;
const origin = (path: string): string => `${path}.origin`;

/** A move of bytes out of the live file that has begun and not ended. */
export interface Move {
  /** The number of the byte with which app.log.1 begins when it is done. */
  readonly start: number;
  /** The offset in the live file of the first byte that moves; what is before it is dropped. */
  readonly from: number;
  /** What the live file begins with when it is done. */
  readonly next: Buffer;
}

/** How the bytes of a log are numbered. */
export interface Layout {
  /** The number of the first byte of the live file that counts. */
  readonly begin: number;
  /** How many bytes of the live file come before it: they are in app.log.1 as well. */
  readonly skip: number;
}

/** Where a byte of a log is. */
export interface Place {
  readonly path: string;
  readonly offset: number;
  readonly byte: number;
}

/** The number of the live file's first byte; for who moves bytes, as it says nothing while somebody else does. */
export async function beginOf(path: string): Promise<number> {
  return (await numberIn(origin(path))) + ((await sizeOf(rotated(path, 1))) ?? 0);
}

/** Says that the bytes of the live file between two offsets are about to move, and with which number they begin. */
export async function beginMove(
  path: string,
  live: FileHandle,
  { start, from, to }: { readonly start: number; readonly from: number; readonly to: number },
): Promise<void> {
  const { buffer, bytesRead } = await live.read(Buffer.alloc(4096), 0, 4096, to);
  const next = buffer.subarray(0, bytesRead);
  await writeFile(marker(path), Buffer.concat([Buffer.from(`${start} ${from}\n`), next]), { mode: 0o640, flush: true });
}

/** The move is done. */
export async function endMove(path: string): Promise<void> {
  await rename(marker(path), origin(path));
}

/** Nothing has moved. */
export async function forgetMove(path: string): Promise<void> {
  await rm(marker(path), { force: true });
}

/** The move that is under way, or was cut short; null: none. */
export async function moveOf(path: string): Promise<Move | null> {
  const text = await readFile(marker(path)).catch(nullWhereMissing);
  if (text === null) return null;
  const end = text.indexOf('\n');
  const [start, from] = text.toString('latin1', 0, end).split(' ').map(Number);
  return { start: start || 0, from: from || 0, next: text.subarray(end + 1) };
}

/** A move takes milliseconds; one that is as old as this was cut short, and nobody may come to finish it. */
const longestMove = 5_000;

/**
 * Has a look at a log between two moves: `look` is called, again where bytes were moved meanwhile, with the number of the
 * live file's first byte.
 */
export async function steadily<T>(path: string, look: (layout: Layout) => Promise<T>): Promise<T> {
  for (;;) {
    const before = await layoutOf(path);
    if (before !== null) {
      const found = await look(before);
      const after = await layoutOf(path);
      if (before.begin === after?.begin && before.skip === after.skip) return found;
    }
    await pause(5);
  }
}

/** null: bytes are being moved. */
async function layoutOf(path: string): Promise<Layout | null> {
  const since = (await stat(marker(path)).catch(nullWhereMissing))?.mtimeMs ?? null;
  if (since === null) return { begin: await beginOf(path), skip: 0 };
  return Math.abs(Date.now() - since) < longestMove ? null : await cutShort(path);
}

/** After the copy got its name and before it left the live file, its bytes are in both. */
async function cutShort(path: string): Promise<Layout> {
  const move = await moveOf(path);
  if (move === null || (await sizeOf(part(path))) !== null) return { begin: await beginOf(path), skip: 0 };
  const moved = (await sizeOf(rotated(path, 1))) ?? 0;
  const begin = move.start + moved;
  const live = await open(path, 'r').catch(nullWhereMissing);
  try {
    return { begin, skip: live === null || (await startsWith(live, move.next)) ? 0 : move.from + moved };
  } finally {
    await live?.close();
  }
}

/** The place of a byte; where it is not kept any more, that of the oldest one that is. */
export async function placeOf(path: string, byte: number, { begin, skip }: Layout): Promise<Place> {
  let oldest = { path, offset: skip, byte: begin };
  for (let number = 1; byte < oldest.byte; number += 1) {
    const size = await sizeOf(rotated(path, number));
    if (size === null) return oldest;
    oldest = { path: rotated(path, number), offset: 0, byte: oldest.byte - size };
  }
  return { ...oldest, offset: oldest.offset + byte - oldest.byte, byte };
}

async function numberIn(path: string): Promise<number> {
  const text = await readFile(path, 'latin1').catch(nullWhereMissing);
  return Number.parseInt(text ?? '', 10) || 0;
}

/** The size of a file; null: there is none. Rejects with the system's error. */
export async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(({ size }) => size, nullWhereMissing);
}

export function nullWhereMissing(error: unknown): null {
  if (errorCode(error) === 'ENOENT') return null;
  throw error;
}
