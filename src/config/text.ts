import { isUtf8 } from 'node:buffer';
import type { Mistake, Wrong } from './problem.ts';
import { placesIn } from './tree.ts';

/** Configs are a few hundred bytes; what is larger is another file that has got here by mistake. */
export const longestFile = 1_000_000;

/** The bytes of a config file as text, without its byte order mark; or why they are none. */
export function decode(bytes: Uint8Array): { readonly text: string } | { readonly mistake: Mistake } {
  const text = new TextDecoder('utf-8').decode(bytes.subarray(0, longestFile));
  if (bytes.length > longestFile) return { mistake: mistakeAt(text, 0, tooLarge) };
  if (!isUtf8(bytes)) return { mistake: mistakeAt(text, firstBroken(bytes, text), notUtf8) };
  const nul = text.indexOf('\0');
  return nul < 0 ? { text } : { mistake: mistakeAt(text, nul, holdsNul) };
}

const tooLarge = { message: 'the file is larger than a megabyte', hint: 'a config file holds a few lines of text' };
const notUtf8 = { message: 'the file is not UTF-8 from here on', hint: 'save it as UTF-8' };
const holdsNul = { message: 'holds a NUL character', hint: 'save the file as UTF-8' };

function mistakeAt(text: string, offset: number, wrong: Wrong): Mistake {
  return { at: placesIn(text)(offset), key: '', ...wrong };
}

/** The offset of the first replacement character that the bytes do not spell out themselves. */
function firstBroken(bytes: Uint8Array, text: string): number {
  const mark = hasMark(bytes) ? 3 : 0;
  for (let offset = text.indexOf('\uFFFD'); offset >= 0; offset = text.indexOf('\uFFFD', offset + 1)) {
    const start = mark + Buffer.byteLength(text.slice(0, offset));
    if (!Buffer.from('\uFFFD').equals(bytes.subarray(start, start + 3))) return offset;
  }
  return 0;
}

function hasMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
