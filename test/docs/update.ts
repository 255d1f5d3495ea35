import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configReference } from '../../src/config/json-schema.ts';
import { drawings } from './chart/draw.ts';

/** What of the README is made from the code: the text between `<!-- NAME: … -->` and the next `<!-- end -->`. */
const made: Readonly<Record<string, () => string>> = {
  'config reference': () => `| section | key | meaning | default |\n| --- | --- | --- | --- |\n${configReference()}`,
};

/** The README as it ought to be. Throws where it has no place for a part. */
export function withMadeParts(readme: string): string {
  return Object.entries(made).reduce((text, [name, make]) => {
    const place = new RegExp(`(<!-- ${name}: [^\n]*-->\n)[^]*?(<!-- end -->)`);
    if (!place.test(text)) throw new Error(`README.md has no place for the ${name}`);
    return text.replace(place, (_all, begin: string, end: string) => `${begin}${make()}${end}`);
  }, readme);
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '..', '..', 'README.md');
  await writeFile(path, withMadeParts(await readFile(path, 'utf8')));
  const folder = join(import.meta.dirname, '..', '..', 'src', 'observe', 'chart');
  await mkdir(folder, { recursive: true });
  for (const [name, text] of await drawings()) await writeFile(join(folder, name), text);
}
