import { readdirSync } from 'node:fs';
import { appName, isConfigFile } from '../config/name.ts';

/** The apps of a folder by its config files, in their order; none where it cannot be read. Asks no Huddle. */
export function appNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(isConfigFile).map(appName).sort();
  } catch {
    return [];
  }
}
