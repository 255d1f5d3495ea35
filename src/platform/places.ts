import { delimiter, join } from 'node:path';
import { here } from './here.ts';

/** Where the system looks for a program, in this order: a name that is a path is one itself, any other is in `path`. */
export function placesOf(name: string, path: string): string[] {
  const folders = here.isPath(name) ? [''] : path.split(delimiter);
  return folders.flatMap((folder) => here.fileNames(name).map((file) => join(folder, file)));
}
