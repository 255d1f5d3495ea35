import { oneLine } from '../../machines/failure.ts';
import { pasteable, type Place } from '../control/paste.ts';

interface Complaint {
  readonly message: string;
  readonly hint: string;
}

/** What went wrong, as every command says it on stderr: a line, and one below it on what to do, ready to be pasted. */
export function complaint({ message, hint }: Complaint, place: Place): string {
  return `huddle: ${oneLine(message)}\n${hint === '' ? '' : `  ${oneLine(pasteable(hint, place))}\n`}`;
}
