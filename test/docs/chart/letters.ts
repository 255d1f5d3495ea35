/** The fonts of the drawings: none of them has wider letters than `DejaVu Sans`. */
export const fonts = 'system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,"DejaVu Sans",sans-serif';

/** The wider one of DejaVu Sans and Verdana, in thousandths of the size of the font, by letters of that width. */
const widths: readonly (readonly [letters: string, width: number])[] = [
  ['il', 278],
  ['j', 344],
  [' f', 352],
  [',.:;', 364],
  ['t', 394],
  ['r', 427],
  ['s', 521],
  ['z', 525],
  ['c', 550],
  ['kvxy', 592],
  ['ao', 613],
  ['e', 615],
  ['bdghnpqu', 635],
  ['w', 818],
  ['m', 974],
];

/** What bold letters of DejaVu Sans are wider by. */
const bolder = 1.16;

/** How wide a text is at most, whichever font of the stack shows it. In pixels, as its `size` is. */
export function widthOf(text: string, size: number, weight: 'regular' | 'bold' = 'regular'): number {
  const thousandths = Array.from(text, widthOfLetter).reduce((sum, width) => sum + width, 0);
  return (thousandths * size * (weight === 'bold' ? bolder : 1)) / 1000;
}

function widthOfLetter(letter: string): number {
  return widths.find(([letters]) => letters.includes(letter))?.[1] ?? 800;
}

/** The words of a text in as few lines of at most so many pixels as they need, and those as even as they can be. */
export function wrap(text: string, size: number, room: number): string[] {
  let lines = filled(text, size, room);
  for (let next = lines; next.length === lines.length && lines.length > 1;) {
    lines = next;
    next = filled(text, size, longest(lines, size) - 1);
    if (longest(next, size) >= longest(lines, size)) break;
  }
  return lines;
}

function longest(lines: readonly string[], size: number): number {
  return Math.max(...lines.map((line) => widthOf(line, size)));
}

/** Line by line as full as may be; a word that is wider than a line has one for itself. */
function filled(text: string, size: number, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trimStart();
    if (lines.length > 0 && widthOf(longer, size) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
