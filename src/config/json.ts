import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import type { Mistake, Position, Wrong } from './problem.ts';
import { fileStart, placesIn, type Parsed, type Tree } from './tree.ts';

type Place = (offset: number) => Position;

/** Parses JSON that may hold comments and trailing commas. Never throws; the text has no byte order mark any more. */
export function parseJson(text: string): Parsed {
  const place = placesIn(text);
  const errors: ParseError[] = [];
  try {
    const node = parseTree(text, errors, { allowTrailingComma: true });
    if (node === undefined) return { root: null, mistakes: [emptyOr(text, errors, place)] };
    const mistakes = mistakesOf(errors, place);
    if (!errors.every((error) => isHarmless(error))) return { root: null, mistakes };
    const tree = treeOf(node, place);
    if (tree.kind === 'table') return { root: tree, mistakes };
    return { root: null, mistakes: [...mistakes, notAnObject(tree.at)] };
  } catch (thrown) {
    // Parser and conversion call themselves for each bracket.
    if (!(thrown instanceof RangeError)) throw thrown;
    return { root: null, mistakes: [{ at: fileStart, key: '', message: 'is nested too deeply', hint: sample }] };
  }
}

const sample = 'write { "repository": { "remote path": "…", "local path": "…" } }';

function notAnObject(at: Position): Mistake {
  return { at, key: '', message: 'the file must hold one object', hint: sample };
}

function emptyOr(text: string, errors: readonly ParseError[], place: Place): Mistake {
  const [first] = mistakesOf(errors, place);
  const onlyComments = text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '').trim() === '';
  if (first === undefined || onlyComments)
    return { at: fileStart, key: '', message: 'the file is empty', hint: sample };
  return first;
}

/** After these the parser knows for certain how to go on, so the rest of the file can still be checked. */
function isHarmless(error: ParseError): boolean {
  return ['CommaExpected', 'InvalidCharacter', 'InvalidEscapeCharacter', 'InvalidUnicode'].includes(
    printParseErrorCode(error.error),
  );
}

/** The first error of each line: what follows on the same line is mostly its echo. */
function mistakesOf(errors: readonly ParseError[], place: Place): readonly Mistake[] {
  const byLine = new Map<number, Mistake>();
  for (const error of errors) {
    const at = place(error.offset);
    if (!byLine.has(at.line)) byLine.set(at.line, { at, key: '', ...wording(printParseErrorCode(error.error)) });
  }
  return [...byLine.values()];
}

const wordings: Readonly<Record<string, Wrong>> = {
  InvalidSymbol: { message: 'is no JSON', hint: 'keys and texts stand in double quotes' },
  InvalidNumberFormat: { message: 'is not a number as JSON writes it', hint: 'write it like 60 or 0.5' },
  PropertyNameExpected: { message: 'a key is expected here', hint: 'write it in double quotes' },
  ValueExpected: { message: 'a value is expected here', hint: 'write a value after the colon, or take the key away' },
  ColonExpected: { message: 'a colon is missing before this', hint: 'write "key": value' },
  CommaExpected: { message: 'a comma is missing before this', hint: 'write a comma after the value before' },
  CloseBraceExpected: { message: 'a closing brace is missing', hint: 'write }' },
  CloseBracketExpected: { message: 'a closing bracket is missing', hint: 'write ]' },
  EndOfFileExpected: { message: 'nothing may follow the closing brace', hint: 'take away what follows' },
  InvalidCommentToken: { message: 'is not a comment', hint: 'comments are // to the end of the line, or /* … */' },
  UnexpectedEndOfComment: { message: 'a comment is not closed', hint: 'write */ at its end' },
  UnexpectedEndOfString: { message: 'a text is not closed on its line', hint: 'write " at its end' },
  UnexpectedEndOfNumber: { message: 'is not a number as JSON writes it', hint: 'write it like 60 or 0.5' },
  InvalidUnicode: { message: 'holds a \\u that is not followed by four hex digits', hint: 'write it like \\u00e9' },
  InvalidEscapeCharacter: { message: 'holds an unknown escape', hint: 'write a backslash as \\\\' },
  InvalidCharacter: { message: 'holds a control character', hint: 'write a tab as \\t' },
};

function wording(code: string): Wrong {
  return wordings[code] ?? { message: 'is no JSON', hint: '' };
}

function treeOf(node: Node, place: Place): Tree {
  const at = place(node.offset);
  const children = node.children ?? [];
  if (node.type === 'array') return { kind: 'list', at, items: children.map((child) => treeOf(child, place)) };
  if (node.type !== 'object') return { kind: 'leaf', at, value: node.value as string | number | boolean | null };
  const entries = children.flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined
      ? []
      : [{ key: String(key.value), at: place(key.offset), value: treeOf(value, place) }],
  );
  return { kind: 'table', at, entries };
}
