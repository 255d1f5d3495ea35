/** What can go wrong, by a name that scripts may rely on. */
export const failureCodes = [
  'config-invalid',
  'git-missing',
  'remote-unreachable',
  'authentication-failed',
  'host-key-unknown',
  'branch-missing',
  'remote-empty',
  'path-occupied',
  'timeout',
  'disk-full',
  'limit-reached',
  'command-not-found',
  'directory-missing',
  'user-unknown',
  'test-failed',
  'test-pending',
  'script-failed',
  'not-accepted',
  'crash-limit',
  'not-running',
  'permission-denied',
  'not-supported',
  'internal',
] as const;

export type FailureCode = (typeof failureCodes)[number];

/** The parts of a failure: what was being done, to what, what came of it, and what the user can do about it. */
export interface FailureParts {
  /** What was being done, as in "asking", "cloning", "running the test". */
  readonly doing: string;
  /** What it was done to: a remote (without its credentials), a path, a command. */
  readonly subject: string;
  /** What came of it, one line: "connection refused", "exit code 2". */
  readonly reason: string;
  /** What the user can do, one sentence; empty where nothing is known. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error of Huddle. No part of it ever holds a secret: whoever makes one strikes secrets out of the text that
 * came in (git's stderr, a URL) before.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  readonly doing: string;
  readonly subject: string;
  readonly reason: string;
  readonly hint: string;

  constructor(code: FailureCode, parts: FailureParts) {
    const subject = withoutUrlSecrets(parts.subject);
    const reason = withoutUrlSecrets(parts.reason);
    super(`${parts.doing} ${subject}: ${reason}`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.doing = parts.doing;
    this.subject = subject;
    this.reason = reason;
    this.hint = withoutUrlSecrets(parts.hint ?? '');
  }
}

/** Any thrown thing as a `Failure`; what is none yet is a fault of Huddle's own. */
export function asFailure(thrown: unknown): Failure {
  if (isFailure(thrown)) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure('internal', {
    doing: 'running',
    subject: 'Huddle itself',
    reason,
    hint: 'This is a fault of Huddle: please report it with the log of --debug.',
    cause: thrown,
  });
}

/** By its name: a Huddle that is replaced on disk while it runs may have loaded this file twice. */
function isFailure(thrown: unknown): thrown is Failure {
  return thrown instanceof Error && thrown.name === 'Failure';
}

/**
 * Text from outside (a commit's subject, a program's last words, a file's name) as one line that hides nothing: white
 * space folded, control and direction characters shown as escapes. Whoever writes such text to a log or a terminal
 * sends it through here first, or it could forge lines, colours and clicks.
 */
export function oneLine(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
    });
}

/** A command line or a URL that a user has written may hold a user name and a password: nobody else is to read them. */
export function withoutUrlSecrets(text: string): string {
  return text.replace(/(\bhttps?:\/\/)[^\s/?#]*@|(:\/\/)[^\s/?#:@]*:[^\s/?#@]*@/gi, '$1$2***@');
}
