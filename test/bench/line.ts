/** One line of the benchmark's table. */
export interface Line {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  /** null: nothing to compare with. */
  readonly met: boolean | null;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error('nothing was measured');
  return (low + high) / 2;
}

/** Milliseconds, or seconds where there are many of them. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return milliseconds >= 100 ? `${Math.round(milliseconds)} ms` : `${milliseconds.toFixed(1)} ms`;
}

/** The median, and how far the measurements spread. */
export function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${duration(median(values))} (${duration(least)} … ${duration(most)}, n ${values.length})`;
}

/** The table as text, its columns aligned. */
export function tableOf(lines: readonly Line[]): string {
  const verdict = ({ met }: Line) => (met === null ? '' : met ? 'yes' : 'NO');
  const rows = [
    ['what', 'target', 'measured', 'met'],
    ...lines.map((line) => [line.what, line.target, line.measured, verdict(line)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  text.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return text.join('\n');
}
