import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** The version of this Huddle, from the sources and from the built files alike. */
export function version(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error('the package.json of Huddle is missing');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
