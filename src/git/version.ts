import { type BigIntStats, statSync } from 'node:fs';
import { Failure } from '../../machines/failure.ts';
import { placesOf } from '../platform/places.ts';

/**
 * The oldest git that knows what Huddle asks of it: `fetch --no-write-fetch-head` came with 2.29, `--end-of-options` for
 * `rev-parse` with 2.30. Newer settings are passed over by an older git.
 */
const oldest = [2, 30] as const;

/** The executables that have been found fit, each with the file that it was then. */
const fit = new Map<string, string>();

/**
 * Makes sure, once for each git that is installed, that it is one, and new enough. `ask` runs it with `--version`. Fails
 * with `git-missing` where something else answers, with `not-supported` where it is too old.
 */
export async function mustBeFit(executable: string, doing: string, ask: () => Promise<string>): Promise<void> {
  const file = fileOf(executable);
  if (file !== null && fit.get(executable) === file) return;
  const said = (await ask()).trim();
  const version = /^git version ((\d+)\.(\d+)\S*)/.exec(said);
  if (version === null) {
    throw new Failure('git-missing', {
      doing,
      subject: executable,
      reason: `asked for its version it says ${JSON.stringify(said.slice(0, 60))}`,
      hint: 'Install git, or set repository.executable to it.',
    });
  }
  const [, name = '', major, minor] = version;
  if (Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1])) {
    throw new Failure('not-supported', {
      doing,
      subject: executable,
      reason: `git ${name} is too old`,
      hint: `Install git ${oldest.join('.')} or newer, or set repository.executable to one.`,
    });
  }
  if (file !== null) fit.set(executable, file);
}

/** What tells a file from one that takes its place; null: it is nowhere to be found. */
function fileOf(executable: string): string | null {
  for (const place of placesOf(executable, process.env['PATH'] ?? '')) {
    const found = lookAt(place);
    if (found?.isFile() === true) return [place, found.ino, found.size, found.mtimeNs].join(':');
  }
  return null;
}

function lookAt(place: string): BigIntStats | undefined {
  try {
    return statSync(place, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // A folder of PATH that is not for us: the next place is looked at.
  }
}
