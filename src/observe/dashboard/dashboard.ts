import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { PageFile } from '../../control/source.ts';

// The page is made of plain modules: they lie in the sources, are checked there, and are served as they lie there.

const root = dirname(findPackageJSON(import.meta.url) ?? '');
const pageFolder = join(root, 'src', 'observe', 'dashboard', 'page');
const chartFolder = join(root, 'src', 'observe', 'chart');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const libraries: Readonly<Record<string, string>> = {
  '/dashboard/vendor/preact.mjs': 'preact',
  '/dashboard/vendor/hooks.mjs': 'preact/hooks',
  '/dashboard/vendor/htm.mjs': 'htm',
};

const packed = promisify(gzip);

let files: ReadonlyMap<string, string> | undefined;
const ready = new Map<string, PageFile>();

/**
 * A file of the dashboard, by the path at which a browser asks for it; null: there is none. It is kept as it was made
 * ready; what could not be read is looked for again.
 */
export async function dashboardFile(path: string): Promise<PageFile | null> {
  files ??= await listed();
  const file = files.get(path);
  if (file === undefined) return null;
  const made = ready.get(path) ?? (await make(file, [...files.keys()]));
  ready.set(path, made);
  return made;
}

/** What there is, by its path: nothing else of the disk can be asked for. */
async function listed(): Promise<ReadonlyMap<string, string>> {
  const found = new Map([['/', join(pageFolder, 'index.html')]]);
  for (const name of await readdir(pageFolder))
    if (/\.(js|css)$/.test(name)) found.set(`/dashboard/${name}`, join(pageFolder, name));
  for (const name of await readdir(chartFolder)) found.set(`/dashboard/chart/${name}`, join(chartFolder, name));
  for (const [path, name] of Object.entries(libraries)) found.set(path, fileURLToPath(import.meta.resolve(name)));
  return found;
}

async function make(file: string, paths: readonly string[]): Promise<PageFile> {
  const isPage = basename(file) === 'index.html';
  const text = await readFile(file, 'utf8');
  const plain = Buffer.from(isPage ? withModules(text, paths) : withoutStyle(text, file));
  const headers = {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': isPage ? policy(text) : `default-src 'none'`,
    // Kept, but never used unasked: all modules of a page must be of one Huddle.
    'cache-control': 'no-cache',
    etag: `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  };
  return { headers, plain, packed: await packed(plain, { level: 9 }) };
}

/** A drawing has a style of its own; on the page it is `chart.css` that counts, and the policy lets in no other. */
function withoutStyle(text: string, file: string): string {
  return extname(file) === '.svg' ? text.replace(/<style>[^]*?<\/style>/, '') : text;
}

/** Modules that import each other would be asked for one row after the other. */
function withModules(html: string, paths: readonly string[]): string {
  const links = paths
    .filter((path) => /\.m?js$/.test(path))
    .map((path) => `<link rel="modulepreload" href="${path.slice(1)}">`);
  return html.replace('<!-- modules -->', links.join('\n'));
}

/** The page asks nobody but its Huddle for anything; the import map is the one script that is not a file. */
function policy(html: string): string {
  const map = /<script type="importmap">([^]*?)<\/script>/.exec(html)?.[1] ?? '';
  const digest = createHash('sha256').update(map).digest('base64');
  return [
    `default-src 'none'`,
    `script-src 'self' 'sha256-${digest}'`,
    `style-src 'self'`,
    `connect-src 'self'`,
    `img-src 'self' data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ].join('; ');
}
