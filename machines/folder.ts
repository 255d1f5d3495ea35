import type { AppConfig } from './config.ts';
import { doorsOf, sharedDoor, shownDoor } from './doors.ts';
import { Failure } from './failure.ts';
import { isOverlapping, isSame } from './policy.ts';

// From the files of the folder to the apps: a plain function for huddle.ts.

/** A config file, as it was last read. */
export interface Entry {
  /** Its name inside DIR. */
  readonly file: string;
  /** The app's. */
  readonly name: string;
  /** The last one that could be read. */
  readonly config: AppConfig | null;
  /** Why the file cannot be read as it stands. */
  readonly failure: Failure | null;
  /** Why it does not run, or runs on with an older config: another app is in its way. */
  readonly refusal: Failure | null;
}

/** The place of one app actor. */
export interface Slot {
  readonly name: string;
  readonly file: string;
  /** In force. */
  readonly config: AppConfig;
  /** `dead`: its actor has failed; `due`: it is to be started anew now. */
  readonly state: 'live' | 'leaving' | 'dead' | 'due';
  readonly deaths: number;
  readonly diedAt: number | null;
}

export interface Folder {
  readonly files: Readonly<Record<string, Entry>>;
  readonly slots: Readonly<Record<string, Slot>>;
}

export type Step =
  | { readonly type: 'start'; readonly name: string; readonly config: AppConfig }
  | { readonly type: 'configure'; readonly name: string; readonly config: AppConfig }
  | { readonly type: 'retire'; readonly name: string }
  | { readonly type: 'refuse'; readonly name: string; readonly entry: Entry; readonly failure: Failure };

/**
 * What must be done so that the apps are what the files say.
 *
 * An app that runs keeps its name, its local path and its addresses against all others; among the rest the first by file name
 * wins. Who is refused is looked at again whenever an app has left or wants something else. A file of the same name as an app
 * that is leaving waits.
 */
export function plan(folder: Folder): Folder & { steps: Step[] } {
  let planned = withoutGone(folder);
  // What one app gives up another one may have been refused for, whichever comes first.
  for (let isDone = false; !isDone;) {
    const { files, slots, steps } = settled(planned);
    isDone = steps.length === 0;
    planned = { files, slots, steps: [...planned.steps, ...steps] };
  }
  const { files, slots, steps } = planned;
  return { files, slots, steps: [...steps, ...refusals(folder, files)] };
}

/** Apps whose file is gone leave. */
function withoutGone({ files, slots: before }: Folder): Folder & { steps: Step[] } {
  const steps: Step[] = [];
  const slots = { ...before };
  for (const slot of Object.values(before)) {
    if (files[slot.file] !== undefined || slot.state === 'leaving') continue;
    if (slot.state === 'live') {
      steps.push({ type: 'retire', name: slot.name });
      slots[slot.name] = { ...slot, state: 'leaving' };
    } else delete slots[slot.name];
  }
  return { files, slots, steps };
}

/** Starts and configures what nothing is in the way of, file by file. */
function settled(folder: Folder): Folder & { steps: Step[] } {
  const steps: Step[] = [];
  const files = { ...folder.files };
  const slots = { ...folder.slots };
  const staying = Object.values(slots).filter(({ state }) => state !== 'leaving');
  const slotOf = new Map(staying.map((slot) => [slot.file, slot]));
  for (const file of Object.keys(files).sort()) {
    const entry = files[file];
    if (entry === undefined || entry.config === null) continue;
    const slot = slotOf.get(file);
    const { config, name } = entry;
    // Who has its place was compared with all others when it came, and who came later with it.
    const hasPlace = slot !== undefined && isSame(slot.config, config);
    const refusal = hasPlace ? null : obstacle(entry, config, Object.values(slots));
    if (refusal !== entry.refusal) files[file] = { ...entry, refusal };
    if (refusal !== null) {
      if (slot?.state !== 'due') continue;
      steps.push({ type: 'start', name: slot.name, config: slot.config });
      slots[slot.name] = { ...slot, state: 'live' };
    } else if (slot === undefined || slot.state === 'due') {
      steps.push({ type: 'start', name, config });
      const { deaths, diedAt } = slot ?? { deaths: 0, diedAt: null };
      slots[name] = { name, file, config, state: 'live', deaths, diedAt };
    } else if (!isSame(slot.config, config)) {
      if (slot.state === 'live') steps.push({ type: 'configure', name, config });
      slots[slot.name] = { ...slot, config };
    }
  }
  return { files, slots, steps };
}

/** Each is told once, as long as it stays the same. */
function refusals({ files: before }: Folder, files: Folder['files']): Step[] {
  return Object.values(files).flatMap((entry): Step[] => {
    const { file, name, refusal } = entry;
    if (refusal === null || refusal.message === before[file]?.refusal?.message) return [];
    return [{ type: 'refuse', name, entry: { ...entry, refusal: before[file]?.refusal ?? null }, failure: refusal }];
  });
}

/** What another app has that this file wants too; null where nothing is in its way. */
function obstacle({ file, name }: Entry, config: AppConfig, slots: readonly Slot[]): Failure | null {
  const path = config.repository.localPath;
  for (const slot of slots) {
    if (slot.file === file && slot.state !== 'leaving') continue;
    if (slot.name.toLowerCase() === name.toLowerCase()) {
      return new Failure('config-invalid', {
        doing: 'starting',
        subject: file,
        reason: `its app has the same name as that of ${slot.file}`,
        hint: `It starts when ${slot.file} has left; rename one of the two to have both.`,
      });
    }
    if (isOverlapping(slot.config.repository.localPath, path)) {
      return new Failure('config-invalid', {
        doing: 'starting',
        subject: file,
        reason: `its local path ${path} is in use by ${slot.file} (${slot.config.repository.localPath})`,
        hint: `Give one of the two another repository.local path; it starts when ${slot.file} has left.`,
      });
    }
    const doors = sharedDoor(doorsOf(config), doorsOf(slot.config));
    if (doors !== null) {
      const [mine, theirs] = doors;
      return new Failure('config-invalid', {
        doing: 'starting',
        subject: file,
        reason: `its ${mine.key} ${shownDoor(mine)} is in use by ${slot.file} (${theirs.key} ${shownDoor(theirs)})`,
        hint: `Give one of the two another address; it starts when ${slot.file} has left.`,
      });
    }
  }
  return null;
}
