import { oneLine } from '../../machines/failure.ts';

/** What went wrong, as every command says it on stderr: a line, and one below it on what to do. */
export function complaint({ message, hint }: { readonly message: string; readonly hint: string }): string {
  return `huddle: ${oneLine(message)}\n${hint === '' ? '' : `  ${oneLine(hint)}\n`}`;
}
