import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { nextEvent } from './event.ts';
import type { Wait } from './event.ts';
import { nullWhereMissing, placeOf, sizeOf, steadily } from './layout.ts';
import type { Layout, Place } from './layout.ts';

export interface TailOptions {
  /** How many of the last lines come first; one without its line end counts. */
  readonly lines: number;
  /** Whether to go on with what is written from then on, until the signal aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** As many bytes are in memory at a time. */
const chunk = 65_536;

/** How long to wait for an event; there are file systems without any. Milliseconds. */
const longestWait = 1_000;

/** Who writes line by line is read from so often; milliseconds. */
const gather = 15;

/**
 * The last lines of a log, from the rotated files too, in pieces that may break anywhere; then, where wanted, what is
 * written to it, through every rotation, emptying, removal and return. Nothing is read before it is asked for: what is
 * rotated away before it was is left out, and a line says how much that is. Rejects with the system's error.
 */
export async function* tail(path: string, { lines, follow, signal }: TailOptions): AsyncGenerator<Buffer> {
  const end = await endOf(path);
  const reader = new Reader(path, await startOfLast(path, lines, end));
  while (!signal.aborted) {
    // Begun before the look: nothing is written in between without being noticed.
    const change = follow ? changeIn(dirname(path), signal) : null;
    try {
      for (let piece = await reader.next(); piece !== null && !signal.aborted; piece = await reader.next()) {
        const surplus = follow ? 0 : Math.max(0, reader.position - end);
        if (piece.length > surplus) yield piece.subarray(0, piece.length - surplus);
        if (!follow && reader.position >= end) return;
      }
      if (change === null) return;
      await change.happened;
    } finally {
      change?.cancel();
    }
  }
}

/** Reads a log onwards from a byte. */
class Reader {
  /** The number of the byte that comes next. */
  position: number;
  readonly #path: string;
  /** Where the live file began at the last look. */
  #begin: number | null = null;
  #isMidLine = false;

  constructor(path: string, position: number) {
    this.#path = path;
    this.position = position;
  }

  /** null: nothing more is there yet. */
  async next(): Promise<Buffer | null> {
    const found = await steadily(this.#path, (layout) => this.#look(layout));
    if (found === null) return null;
    const { bytes, from, begin, leftOut } = found;
    this.#begin = begin;
    this.position = from + bytes.length;
    const note = leftOut > 0 ? noteOf(leftOut, this.#isMidLine) : '';
    if (bytes.length === 0 && note === '') return null;
    this.#isMidLine = bytes.length > 0 && bytes.at(-1) !== 0x0a;
    return note === '' ? bytes : Buffer.concat([Buffer.from(note), bytes]);
  }

  async #look(layout: Layout) {
    const { begin } = layout;
    // The numbers begin anew where somebody has removed the rotated files; the live file is still the same.
    const restarted = this.#begin === null ? 0 : Math.max(0, this.#begin - begin);
    const next = this.position - restarted;
    const place = await placeOf(this.#path, next, layout);
    const bytes = await bytesAt(place);
    if (bytes === null) return null;
    if (bytes === 'less') {
      // Somebody has emptied it, and may have removed it by now.
      const anew = await bytesAt({ ...place, offset: 0 });
      return Buffer.isBuffer(anew) ? { bytes: anew, from: begin, begin, leftOut: 0 } : null;
    }
    return { bytes, from: place.byte, begin, leftOut: place.byte - next };
  }
}

/** null: there is no such file, for now. */
async function bytesAt({ path, offset }: Place): Promise<Buffer | 'less' | null> {
  const file = await open(path, 'r').catch(nullWhereMissing);
  if (file === null) return null;
  try {
    if ((await file.stat()).size < offset) return 'less';
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunk), 0, chunk, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function noteOf(leftOut: number, isMidLine: boolean): string {
  return `${isMidLine ? '\n' : ''}--- ${leftOut} bytes are left out: they were rotated away before they could be read\n`;
}

async function endOf(path: string): Promise<number> {
  return await steadily(path, async ({ begin, skip }) => begin - skip + ((await sizeOf(path)) ?? skip));
}

/** The number of the byte with which the last `lines` lines before `end` begin. */
async function startOfLast(path: string, lines: number, end: number): Promise<number> {
  if (lines === 0) return end;
  let found = 0;
  for (let to = end; ;) {
    const { bytes, from } = await bytesBefore(path, to);
    for (let at = bytes.lastIndexOf(0x0a); at !== -1; at = at === 0 ? -1 : bytes.lastIndexOf(0x0a, at - 1)) {
      // The end of the last line begins none.
      if (from + at + 1 < end) found += 1;
      if (found === lines) return from + at + 1;
    }
    if (bytes.length === 0) return to;
    to = from;
  }
}

/** Bytes of one file that end where byte `to` begins; none where nothing older is kept. */
async function bytesBefore(path: string, to: number): Promise<{ bytes: Buffer; from: number }> {
  return await steadily(path, async (layout) => {
    const last = await placeOf(path, to - 1, layout);
    const first = last.path === path ? layout.skip : 0;
    const length = Math.min(chunk, last.offset + 1 - first);
    const bytes = last.byte === to - 1 ? await bytesAt({ ...last, offset: last.offset + 1 - length }) : null;
    return Buffer.isBuffer(bytes) ? { bytes: bytes.subarray(0, length), from: to - length } : nothing;
  });
}

const nothing = { bytes: Buffer.alloc(0), from: 0 };

/** Resolves soon after the next event in a folder, or when it is time for a look anyway, or when the signal aborts. */
function changeIn(folder: string, signal: AbortSignal): { happened: Promise<void> } & Pick<Wait, 'cancel'> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(resolve, longestWait);
  const event = nextEvent(folder, () => setTimeout(resolve, gather));
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake);
  return {
    happened: promise,
    cancel() {
      clearTimeout(late);
      event.cancel();
      signal.removeEventListener('abort', wake);
    },
  };
}
