import { readFileSync, renameSync } from 'node:fs';
import { basename } from 'node:path';
import * as v from 'valibot';
import { noFacts } from '../../machines/facts.ts';
import type { Facts, Rejection } from '../../machines/facts.ts';
import { errorCode, refusal } from './paths.ts';
import type { AppPaths } from './paths.ts';

/** Raised when an older Huddle could misread the file. What is merely added later has a default, and needs no new one. */
const version = 1;

/** A commit id: 40 hex digits, 64 in a SHA-256 repository. */
export const revisionSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'not a commit id'));

type Entries<T> = { [Key in keyof T]: v.GenericSchema<unknown, T[Key]> };

const rejection: Entries<Rejection> = {
  revision: revisionSchema,
  why: v.picklist(['test failed', 'script failed', 'rolled back']),
  at: v.number(),
  times: v.number(),
};

const facts: Entries<Facts> = {
  good: v.optional(v.nullable(revisionSchema), noFacts.good),
  previous: v.optional(v.nullable(revisionSchema), noFacts.previous),
  current: v.optional(v.nullable(revisionSchema), noFacts.current),
  branch: v.optional(v.nullable(v.string()), noFacts.branch),
  pulling: v.optional(v.nullable(revisionSchema), noFacts.pulling),
  rejected: v.optional(v.array(v.object(rejection)), []),
  provingUntil: v.optional(v.nullable(v.number()), noFacts.provingUntil),
  paused: v.optional(v.boolean(), noFacts.paused),
  pinned: v.optional(v.boolean(), noFacts.pinned),
  stopped: v.optional(v.boolean(), noFacts.stopped),
};

/** What `state.json` holds. */
export interface State {
  readonly facts: Facts;
  /**
   * The boot in which the working copy was changed and, as far as is known, has not reached the disk yet. After another
   * boot the tree may be half of one revision and half of another.
   */
  readonly unsynced: string | null;
}

const stateSchema = v.object({
  version: v.literal(version),
  facts: v.object(facts),
  unsynced: v.optional(v.nullable(v.string()), null),
});

/** The text of `state.json`. */
export function stateText({ facts: known, unsynced }: State): string {
  return `${JSON.stringify({ version, facts: known, unsynced }, null, 2)}\n`;
}

/**
 * The facts that an app's `state.json` holds. A file that cannot be used (cut short, empty, another's, of another
 * version, unreadable) is set aside for a look, with a warning, and the last good one before it is taken; with neither,
 * nothing is known. Never throws.
 */
export function readState(paths: AppPaths, warn: (text: string) => void): State {
  const nothing = { facts: noFacts, unsynced: null };
  return readOrSetAside(paths.state, warn) ?? readOrSetAside(paths.oldState, warn) ?? nothing;
}

function readOrSetAside(path: string, warn: (text: string) => void): State | null {
  try {
    return v.parse(stateSchema, JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    warn(`${basename(path)} is damaged (${inWords(error)}); ${setAside(path)}`);
    return null;
  }
}

/** The message of a schema with the key that it is about. */
export function inWords(thrown: unknown): string {
  if (!v.isValiError(thrown)) return refusal(thrown);
  const [issue] = thrown.issues;
  const key = v.getDotPath(issue);
  return key === null ? issue.message : `${key}: ${issue.message}`;
}

function setAside(path: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
  try {
    renameSync(path, aside);
    return `it is kept as ${aside}`;
  } catch (error) {
    return `it could not be set aside: ${refusal(error)}`;
  }
}
