import * as v from 'valibot';
import type { HistoryEntry } from '../../machines/facts.ts';

/** A commit id: 40 hex digits, 64 in a SHA-256 repository. */
export const revisionSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'not a commit id'));

/** What came of an attempt. */
export const resultSchema = v.picklist(['deployed', 'test failed', 'script failed', 'rolled back']);

const entryEntries: { [Key in keyof HistoryEntry]: v.GenericSchema<unknown, HistoryEntry[Key]> } = {
  at: v.string(),
  revision: revisionSchema,
  from: v.nullable(revisionSchema),
  result: resultSchema,
  reason: v.string(),
  seconds: v.number(),
  downtime: v.nullable(v.number()),
};

/** A line of the history. */
export const entrySchema = v.object(entryEntries);
