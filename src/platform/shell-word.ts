/** A word of a POSIX shell's line, quoted only where it must be, so that users can read and paste it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
