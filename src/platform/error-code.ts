/** `ENOENT` and its like; empty where it is no error of the operating system. */
export function errorCode(thrown: unknown): string {
  const code: unknown = thrown instanceof Error && 'code' in thrown ? thrown.code : '';
  return typeof code === 'string' ? code : '';
}
