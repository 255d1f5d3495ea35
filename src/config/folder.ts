import path from 'node:path';
import { doorsOf, sharedDoor, shownDoor } from '../../machines/doors.ts';
import { configFiles, readFromDisk } from './file.ts';
import { sameName } from './name.ts';
import { isWithin, type Origin } from './paths.ts';
import { inReadingOrder, problemIn, type Problem } from './problem.ts';
import type { Reading } from './read.ts';
import { fileStart } from './tree.ts';

export { appName, isConfigFile } from './name.ts';

/** What there is to say about a folder of config files, file by file in the order in which they start. */
export interface FolderReading {
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
}

interface Neighbour {
  readonly file: string;
  readonly reading: Reading;
}

/** Reads every config file of a folder, and compares them with each other. A `Failure` where the folder cannot be read. */
export async function readFolder(origin: Origin): Promise<FolderReading> {
  const before: Neighbour[] = [];
  const problems: Problem[] = [];
  for (const file of await configFiles(origin.folder)) {
    const shown = path.join(origin.folder, file);
    const reading = await readFromDisk(shown, shown, origin);
    if (reading === null) continue;
    problems.push(...inReadingOrder([...reading.problems, ...conflicts(shown, reading, before)]));
    before.push({ file, reading });
  }
  return { files: before.map(({ file }) => file), problems, notes: before.flatMap(({ reading }) => reading.notes) };
}

/** Of two files that want the same, the second by name is refused. */
function conflicts(shown: string, reading: Reading, before: readonly Neighbour[]): readonly Problem[] {
  const found: Problem[] = [];
  const namesake = before.find((other) => sameName(other.reading.name) === sameName(reading.name));
  if (namesake !== undefined) {
    const message = `the app has the same name as that of ${namesake.file}`;
    found.push(problemIn(shown, { at: fileStart, key: '', message, hint: 'rename one of the two files' }));
  }
  const mine = reading.config?.repository.localPath;
  for (const { file, reading: other } of before) {
    const theirs = other.config?.repository.localPath;
    found.push(...sharedDoors(shown, reading, file, other));
    const overlap = mine === undefined || theirs === undefined ? null : overlapOf(mine, theirs);
    if (overlap === null) continue;
    const key = 'repository.local path' as const;
    const hint = 'give each app a folder of its own';
    found.push(problemIn(shown, { at: reading.at(key), key, message: `${overlap} that of ${file}`, hint }));
  }
  return found;
}

function sharedDoors(shown: string, mine: Reading, file: string, theirs: Reading): readonly Problem[] {
  if (mine.config === null || theirs.config === null) return [];
  const doors = sharedDoor(doorsOf(mine.config), doorsOf(theirs.config));
  if (doors === null) return [];
  const [{ key }, other] = doors;
  const message = `is in use by ${file} (${other.key} ${shownDoor(other)})`;
  return [problemIn(shown, { at: mine.at(key), key, message, hint: 'give each app an address of its own' })];
}

function overlapOf(mine: string, theirs: string): string | null {
  if (mine === theirs) return 'is the same place as';
  if (isWithin(mine, theirs)) return 'lies inside';
  return isWithin(theirs, mine) ? 'holds' : null;
}
