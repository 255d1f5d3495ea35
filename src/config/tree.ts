import type { Mistake, Position } from './problem.ts';

/** What a config file says, whether it is JSON or INI: one shape with places, so that one checker serves both. */
export type Tree = Leaf | List | Table;

interface Leaf {
  readonly kind: 'leaf';
  readonly at: Position;
  readonly value: string | number | boolean | null;
}

interface List {
  readonly kind: 'list';
  readonly at: Position;
  readonly items: readonly Tree[];
}

/** Keys given twice are in it twice: to tell is the checker's part. */
export interface Table {
  readonly kind: 'table';
  readonly at: Position;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  /** Where the key stands; its value has a place of its own. */
  readonly at: Position;
  readonly value: Tree;
}

/** A file that has been parsed. `root` is null where the mistakes leave nothing that is worth checking further. */
export interface Parsed {
  readonly root: Table | null;
  readonly mistakes: readonly Mistake[];
}

export const fileStart: Position = { line: 1, column: 1 };

/** A function from offsets in the text to places. Lines end with LF, CRLF or CR. */
export function placesIn(text: string): (offset: number) => Position {
  const starts = [0];
  for (const ending of text.matchAll(/\r\n|\r|\n/g)) starts.push(ending.index + ending[0].length);
  return (offset) => {
    let line = starts.findLastIndex((start) => start <= offset);
    if (line < 0) line = 0;
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
}

/** The plain value of a tree, as JSON.parse would give it (of keys given twice, the last). */
export function plain(tree: Tree): unknown {
  if (tree.kind === 'leaf') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plain);
  return Object.fromEntries(tree.entries.map((entry) => [entry.key, plain(entry.value)]));
}
