import { asFailure, oneLine, type Failure } from '../../machines/failure.ts';
import { pasteable, type Place } from '../control/paste.ts';
import { complaint } from './complaint.ts';

/** How something ended for one app. */
export type Result =
  | { readonly name: string; readonly ok: true; readonly outcome: string }
  | { readonly name: string; readonly ok: false; readonly failure: Failure };

/** What becomes of the work for an app; never rejects. */
export async function resultOf(name: string, work: Promise<{ readonly outcome: string }>): Promise<Result> {
  try {
    const { outcome } = await work;
    return { name, ok: true, outcome };
  } catch (error) {
    return { name, ok: false, failure: asFailure(error) };
  }
}

/** A line for people: on stdout, or on stderr where it failed. Commands in it are those for `place`. */
export function tell(result: Result, place: Place): void {
  if (result.ok) process.stdout.write(`${oneLine(result.name)}: ${oneLine(pasteable(result.outcome, place))}\n`);
  else process.stderr.write(complaint(result.failure, place));
}

/** What `--json` prints of all of them; commands in it are those for `place`, too. */
export function inJson(results: readonly Result[], place: Place): string {
  const apps = results.map((result) => {
    if (result.ok) return { ...result, outcome: pasteable(result.outcome, place) };
    const { code, reason, hint } = result.failure;
    return { name: result.name, ok: false, error: { code, message: reason, hint: pasteable(hint, place) } };
  });
  return `${JSON.stringify({ apps })}\n`;
}
