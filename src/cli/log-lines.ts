/** A program may never end a line; so many bytes of it are held back. */
const longestLine = 65_536;

/** Puts pieces together to whole lines, without their ends. */
export class Lines {
  #held: Buffer = Buffer.alloc(0);

  take(piece: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = piece.indexOf(0x0a); end !== -1; end = piece.indexOf(0x0a, start)) {
      lines.push(this.#with(piece.subarray(start, end)));
      this.#held = Buffer.alloc(0);
      start = end + 1;
    }
    this.#held = this.#with(piece.subarray(start));
    if (this.#held.length > longestLine) lines.push(this.rest() ?? Buffer.alloc(0));
    return lines;
  }

  /** What has come of a line whose end has not; null: nothing. */
  rest(): Buffer | null {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest.length === 0 ? null : rest;
  }

  /** A copy: the piece may be a part of something larger. */
  #with(bytes: Buffer): Buffer {
    return Buffer.concat([this.#held, bytes]);
  }
}

/** Colours and their like, as SGR of ECMA-48 has them: they change nothing but the look of the text behind them. */
// oxlint-disable-next-line no-control-regex
const looks = /(\u001b\[[\d;:]*m)/;

/**
 * A line of a program as a terminal may get it: what could move the cursor, rename the window or answer in the user's
 * stead is shown as an escape. Colours go through, where wanted, and end with the line.
 */
export function shownLine(line: Buffer, coloured: boolean): string {
  const text = line.toString('utf8').replace(/\r$/, '');
  const parts = text.split(looks);
  const shown = parts.map((part, index) => (index % 2 === 0 ? shownText(part) : coloured ? part : '')).join('');
  return parts.length > 1 && coloured ? `${shown}\u001b[0m` : shown;
}

function shownText(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
