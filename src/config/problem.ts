import { Failure, oneLine } from '../../machines/failure.ts';

/** A place in a config file. Both count from 1; a column is a UTF-16 code unit, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is wrong, and what to write instead (empty where the first says it all). Neither ever repeats a value: it may be a secret. */
export interface Wrong {
  readonly message: string;
  readonly hint: string;
}

/** Something wrong at a place of a file; `key` is `section.key`, `section`, or empty where it belongs to neither. */
export interface Mistake extends Wrong {
  readonly at: Position;
  readonly key: string;
}

/** One mistake of a config file as `huddle validate` prints it: `validate --json` prints exactly these members. */
export interface Problem extends Wrong {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly key: string;
}

export function problemIn(file: string, mistake: Mistake): Problem {
  const { at, key, message, hint } = mistake;
  return { file, line: at.line, column: at.column, key, message, hint };
}

/** By line and column; what stands at the same place keeps its order. */
export function inReadingOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** `file:line:column: section.key: what is wrong; what to write instead`, on one line. */
export function describeProblem(problem: Problem): string {
  const hint = problem.hint === '' ? '' : `; ${problem.hint}`;
  return oneLine(`${problem.file}:${problem.line}:${problem.column}: ${withoutPlace(problem)}${hint}`);
}

/** The mistakes of one file as one error: the first in full, the others by their number. Wants at least one. */
export function problemsToFailure(problems: readonly Problem[]): Failure {
  const first = problems[0];
  if (first === undefined) throw new RangeError('no problem to make a failure of');
  const others = problems.length - 1;
  const more =
    others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'mistake' : 'mistakes'}: see huddle validate)`;
  return new Failure('config-invalid', {
    doing: 'reading',
    subject: `${first.file}:${first.line}:${first.column}`,
    reason: `${withoutPlace(first)}${more}`,
    hint: first.hint,
  });
}

function withoutPlace(problem: Problem): string {
  return problem.key === '' ? problem.message : `${problem.key}: ${problem.message}`;
}
