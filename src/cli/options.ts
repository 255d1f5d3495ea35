/** What a command is called with, checked and complete. */
export interface Options {
  /** DIR as the user named it. */
  readonly folder: string;
  /** Where the state lives, when not in DIR. */
  readonly state: string | undefined;
  readonly debug: boolean;
  readonly json: boolean;
  readonly once: boolean;
  readonly watch: boolean;
  /** The words after the verb. */
  readonly apps: readonly string[];
}
