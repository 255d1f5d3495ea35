import { styleText } from 'node:util';

export type Style = 'bold' | 'gray' | 'green' | 'red' | 'yellow';

/** Adds a style to a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Colours for stdout: none where it is no terminal, or NO_COLOR is set. */
export const paintOutput: Paint = (style, text) => styleText(style, text, { stream: process.stdout });

/** Columns of the terminal on stdout; a file or a pipe, or a terminal that does not know (0), is as wide as a line is long. */
export function outputWidth(): number {
  return (process.stdout.isTTY && process.stdout.columns) || Infinity;
}

/** How many columns a text takes in a terminal: letters of East Asia and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** A text in exactly this many columns: filled with spaces, or cut with an ellipsis. */
export function fit(text: string, width: number): string {
  const missing = width - displayWidth(text);
  return missing >= 0 ? text + ' '.repeat(missing) : fit(cut(text, width), width);
}

/** A text in at most this many columns. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const { segment } of graphemes.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** A text in lines of at most this many columns, broken between words; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const graphemes = new Intl.Segmenter();

// What Unicode's East Asian Width calls wide (UAX 11), as far as regular expressions can name it.
const wide =
  /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])/u;

function graphemeWidth(grapheme: string): number {
  if (/^[\p{Mark}\p{Cf}\p{Cc}]/u.test(grapheme)) return 0;
  return wide.test(grapheme) ? 2 : 1;
}
