import { appendFileSync, closeSync, fchownSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { refusal, refused } from '../ledger/paths.ts';

/** Who may open a log anew by `/dev/stdout`, as nginx does: the user that its program runs as. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const listeners = new Set<(path: string) => void>();

/** Calls `opened` with the path of each log that somebody begins to write to, until what is returned is called. */
export function whenOpened(opened: (path: string) => void): () => void {
  listeners.add(opened);
  return () => void listeners.delete(opened);
}

/**
 * Opens a log to append to and returns the descriptor, which the caller closes once a child has inherited it. The log is
 * the owner's (0640); the folders above it are Huddle's alone (0700), so it cannot be moved or swapped by its program.
 * Throws `disk-full` or `internal`.
 */
export function appendTo(path: string, owner?: Owner): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Readable too: the end of what a test has said is looked at.
    const descriptor = openSync(path, 'a+', 0o640);
    if (owner) fchownSync(descriptor, owner.uid, owner.gid);
    tellOpened(path);
    return descriptor;
  } catch (error) {
    throw refused(error, 'opening', path);
  }
}

/** Says that a log is written to which somebody else has opened: an earlier Huddle, for a program that is taken over. */
export function tellOpened(path: string): void {
  for (const opened of listeners) opened(path);
}

/** One attempt's part of `deploy.log`. */
export interface DeployLog {
  /** For the output of children; valid until `close`. */
  readonly fd: number;
  /** Appends as it is, secrets already struck out. A log that cannot be written is warned of once and else ignored. */
  write(text: string): void;
  close(): void;
}

/**
 * Opens `deploy.log` and begins a part of it with a line that says when, and what is being done ("testing 3f2a1b0").
 * Throws as `appendTo`.
 */
export function deployLog(
  path: string,
  { what, owner, warn }: { what: string; owner?: Owner; warn: (text: string) => void },
): DeployLog {
  const fd = appendTo(path, owner);
  let failing = false;
  let open = true;
  function write(text: string): void {
    if (!open) return;
    try {
      appendFileSync(fd, text);
      failing = false;
    } catch (error) {
      if (!failing) warn(`writing ${path}: ${refusal(error)}; what a deployment prints is lost until this is mended`);
      failing = true;
    }
  }
  write(`--- ${new Date().toISOString()} ${what}\n`);
  return {
    fd,
    write,
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
