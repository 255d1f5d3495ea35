import type { Repository } from '../../machines/config.ts';

/** Where and as whom git works for one app, given by whoever wires Huddle together. */
export interface GitPlace {
  /** The app. */
  readonly name: string;
  readonly repository: Repository;
  /** The argv that starts a command as the app's user (`setpriv …`); empty: Huddle's own user. */
  readonly runAs: readonly string[];
  /** The user's `HOME` and the like, merged into git's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** `HUDDLE_MARK` of every process of this call: whatever carries it can be found and ended. */
  readonly mark: string;
  /** Kills every process that carries the mark; resolves when none is left. */
  readonly endMarked: (mark: string) => Promise<void>;
  /** Appends to the deploy log. The text is free of secrets. */
  readonly log: (text: string) => void;
  /** A folder of Huddle's that stays empty: where git looks for hooks. */
  readonly emptyFolder: string;
  /**
   * Where candidates are checked out: a folder of this app alone, writable by its user. Without it they lie in
   * `.git/huddle/candidates`, where tools that pass by every path with `/.git/` in it (jest) find no tests.
   */
  readonly candidates?: string;
}
