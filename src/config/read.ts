import path from 'node:path';
import type { AppConfig } from '../../machines/config.ts';
import { appConfig } from './app-config.ts';
import { remoteOfClone } from './clone.ts';
import { parseIni } from './ini.ts';
import { parseJson } from './json.ts';
import { type KeyName, sections } from './keys.ts';
import { appName, judgeName } from './name.ts';
import { absolute, isWithin, resolved, type Origin } from './paths.ts';
import { inReadingOrder, problemIn, type Mistake, type Position, type Problem } from './problem.ts';
import { contradictions, doubts } from './rules.ts';
import { check, type Checked } from './schema.ts';
import { decode } from './text.ts';
import { fileStart, type Parsed } from './tree.ts';

/** A config file as it was found; `path` is what problems call it, and its ending tells JSON from INI. */
export interface ConfigFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

export interface Reading {
  /** Of the app. */
  readonly name: string;
  /** null where there are problems. */
  readonly config: AppConfig | null;
  /** Every mistake of the file, in reading order. */
  readonly problems: readonly Problem[];
  /** What is allowed, but hardly meant. */
  readonly notes: readonly Problem[];
  /** Where a key stands, for who compares the files of a folder. */
  readonly at: (name: KeyName) => Position;
}

/** Reads one config file. Never throws for what is in the file; touches the disk only to resolve symlinks of the local path. */
export async function readConfig(file: ConfigFile, origin: Origin): Promise<Reading> {
  const name = appName(path.basename(file.path));
  const place: Origin = { folder: path.resolve(origin.folder), home: origin.home };
  const { root, mistakes } = parse(file);
  const checked = root === null ? null : check(root);
  const found = [...mistakesOfName(name), ...mistakes, ...(checked === null ? [] : await mistakesOf(checked, place))];
  const config = checked === null || found.length > 0 ? null : await appConfig(checked, place);
  if (config !== null && checked !== null) found.push(...(await mistakesOfPlace(config, checked, place)));
  return {
    name,
    config: found.length > 0 ? null : config,
    problems: inReadingOrder(found.map((mistake) => problemIn(file.path, mistake))),
    notes: checked === null ? [] : inReadingOrder(doubts(checked).map((doubt) => problemIn(file.path, doubt))),
    at: (key) => checked?.at(key) ?? fileStart,
  };
}

function parse(file: ConfigFile): Parsed {
  const bytes = typeof file.content === 'string' ? Buffer.from(file.content) : file.content;
  const decoded = decode(bytes);
  if ('mistake' in decoded) return { root: null, mistakes: [decoded.mistake] };
  if (!/\.ini$/i.test(file.path)) return parseJson(decoded.text);
  return parseIni(decoded.text, (section, key) => sections.get(section)?.get(key)?.commas === true);
}

function mistakesOfName(name: string): readonly Mistake[] {
  const wrong = judgeName(name);
  return wrong === null ? [] : [{ at: fileStart, key: '', ...wrong }];
}

async function mistakesOf(checked: Checked, origin: Origin): Promise<readonly Mistake[]> {
  const mistakes = await Promise.all(checked.mistakes.map((mistake) => withClone(mistake, checked, origin)));
  return [...mistakes, ...contradictions(checked)];
}

/** Where the remote path is missing but its working copy is there, the hint names where that came from. */
async function withClone(mistake: Mistake, checked: Checked, origin: Origin): Promise<Mistake> {
  const { values, isGiven, isWrong } = checked;
  const isMissing = mistake.key === 'repository.remote path' && !isGiven('repository.remote path');
  if (!isMissing || isWrong('repository.local path')) return mistake;
  const localPath = absolute(values.repository['local path'], origin);
  const url = await remoteOfClone(localPath, values.repository.remote);
  return url === null ? mistake : { ...mistake, hint: `the clone at the local path follows ${url}: write that` };
}

/** The state of Huddle is no place for a working copy. */
async function mistakesOfPlace(
  { repository }: AppConfig,
  checked: Checked,
  origin: Origin,
): Promise<readonly Mistake[]> {
  if (!isWithin(repository.localPath, await resolved(path.join(origin.folder, '.huddle')))) return [];
  const key = 'repository.local path';
  const hint = 'write another path, such as ../app';
  return [{ at: checked.at(key), key, message: "lies inside Huddle's own folder .huddle", hint }];
}
