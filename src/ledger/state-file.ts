import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as v from 'valibot';
import { noFacts } from '../../machines/facts.ts';
import type { Deploying, Facts, HistoryEntry, Rejection } from '../../machines/facts.ts';
import { entrySchema, resultSchema, revisionSchema } from './entry.ts';
import { errorCode } from './paths.ts';
import type { AppPaths } from './paths.ts';
import { inWords, setAside } from './set-aside.ts';

/** Raised when an older Huddle could misread the file. What is merely added later has a default, and needs no new one. */
const version = 1;

type Entries<T> = { [Key in keyof T]: v.GenericSchema<unknown, T[Key]> };

const rejection: Entries<Rejection> = {
  revision: revisionSchema,
  why: v.picklist(['test failed', 'script failed', 'rolled back']),
  at: v.number(),
  times: v.number(),
};

const deploying: Entries<Deploying> = {
  revision: revisionSchema,
  from: v.nullable(revisionSchema),
  result: resultSchema,
  reason: v.string(),
  began: v.number(),
};

const facts: Entries<Facts> = {
  good: v.optional(v.nullable(revisionSchema), noFacts.good),
  previous: v.optional(v.nullable(revisionSchema), noFacts.previous),
  current: v.optional(v.nullable(revisionSchema), noFacts.current),
  branch: v.optional(v.nullable(v.string()), noFacts.branch),
  pulling: v.optional(v.nullable(revisionSchema), noFacts.pulling),
  deploying: v.optional(v.nullable(v.object(deploying)), noFacts.deploying),
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
  /** What the history may not have yet: an attempt and the facts that follow from it are on disk by one stroke. */
  readonly untold: readonly HistoryEntry[];
}

const stateSchema = v.object({
  version: v.literal(version),
  facts: v.object(facts),
  unsynced: v.optional(v.nullable(v.string()), null),
  untold: v.optional(v.array(entrySchema), []),
});

/** The text of `state.json`. */
export function stateText({ facts: known, unsynced, untold }: State): string {
  return `${JSON.stringify({ version, facts: known, unsynced, untold }, null, 2)}\n`;
}

/**
 * The facts that an app's `state.json` holds. A file that cannot be used (cut short, empty, another's, of another
 * version, unreadable) is set aside for a look, with a warning, and the last good one before it is taken; with neither,
 * nothing is known. Never throws.
 */
export function readState(paths: AppPaths, warn: (text: string) => void): State {
  const nothing = { facts: noFacts, unsynced: null, untold: [] };
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
