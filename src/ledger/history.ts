import { open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { HistoryEntry } from '../../machines/facts.ts';
import { faultPoint } from '../fault.ts';
import { makeDurable, makeFolder, replaceFile } from './durable.ts';
import { errorCode } from './paths.ts';
import { revisionSchema } from './state-file.ts';

/** When the file has this many lines, the older half is dropped. */
const mostLines = 1_000;

const entryEntries: { [Key in keyof HistoryEntry]: v.GenericSchema<unknown, HistoryEntry[Key]> } = {
  at: v.string(),
  revision: revisionSchema,
  from: v.nullable(revisionSchema),
  result: v.picklist(['deployed', 'test failed', 'script failed', 'rolled back']),
  reason: v.string(),
  seconds: v.number(),
  downtime: v.nullable(v.number()),
};
const entrySchema = v.object(entryEntries);

/**
 * The newest `limit` entries, newest first. A line that is no entry (cut short when the power went) is passed over. A
 * file that is not there is an empty one; rejects with the system's error where it cannot be read.
 */
export async function readHistory(path: string, limit: number): Promise<readonly HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for (const line of (await linesOf(path)).toReversed()) {
    if (entries.length >= limit) break;
    const entry = parseEntry(line);
    if (entry) entries.push(entry);
  }
  return entries;
}

/** Adds an entry, and resolves once it is on disk. One call at a time. Rejects with the system's error. */
export async function appendHistory(path: string, entry: HistoryEntry): Promise<void> {
  await makeFolder(dirname(path));
  const file = await open(path, 'a+', 0o600);
  try {
    // After a line that was cut short the new one must not become a part of it.
    faultPoint('ledger.history.before');
    const heal = (await endsInLine(file)) ? '' : '\n';
    await file.writeFile(`${heal}${JSON.stringify(entry)}\n`);
    await file.sync();
    faultPoint('ledger.history.after');
  } finally {
    await file.close();
  }
  await trim(path);
}

async function endsInLine(file: { stat(): Promise<{ size: number }>; read: ReadAt }): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

type ReadAt = (buffer: Buffer, offset: number, length: number, position: number) => Promise<{ buffer: Buffer }>;

/** Reading all of a file that grows by a line per deployment costs less than keeping count would. */
async function trim(path: string): Promise<void> {
  const lines = await linesOf(path);
  if (lines.length <= mostLines) return;
  const kept = lines.slice(-mostLines / 2).filter((line) => parseEntry(line) !== null);
  replaceFile(path, `${kept.join('\n')}\n`);
  await makeDurable(path);
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function parseEntry(line: string): HistoryEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const parsed = v.safeParse(entrySchema, value);
  return parsed.success ? parsed.output : null;
}
