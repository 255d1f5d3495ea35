/**
 * The word of a list that is most like another one, and how many letters apart the two are (Levenshtein), blind to
 * case and to what joins the words: `remotePath` and `remote_path` are 0 away from `remote path`. The list is not empty.
 */
export function nearest(word: string, known: readonly string[]): { readonly word: string; readonly apart: number } {
  let best = { word: '', apart: Infinity };
  for (const candidate of known) {
    const apart = distance(bare(word), bare(candidate));
    if (apart < best.apart) best = { word: candidate, apart };
  }
  return best;
}

/** Beyond this, two words have nothing to do with each other. */
export function isNear(word: string, apart: number): boolean {
  return apart <= Math.max(1, Math.floor(word.length / 3));
}

/** Longer words are cut: no key is that long, and the table below grows with the length. */
const longest = 64;

function bare(word: string): string {
  return word
    .toLowerCase()
    .replaceAll(/[\s_-]/g, '')
    .slice(0, longest);
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
