import { renameSync } from 'node:fs';
import * as v from 'valibot';
import { refusal } from './paths.ts';

/** Moves what cannot be used out of the way, for a look. Answers what became of it, as the end of a sentence; never throws. */
export function setAside(path: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
  try {
    renameSync(path, aside);
    return `it is kept as ${aside}`;
  } catch (error) {
    return `it could not be set aside: ${refusal(error)}`;
  }
}

/** What is wrong with a file that was read: the message of a schema with the key that it is about, or the system's. */
export function inWords(thrown: unknown): string {
  if (!v.isValiError(thrown)) return refusal(thrown);
  const [issue] = thrown.issues;
  const key = v.getDotPath(issue);
  return key === null ? issue.message : `${key}: ${issue.message}`;
}
