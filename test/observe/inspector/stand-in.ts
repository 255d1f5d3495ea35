import { readFileSync } from 'node:fs';

// A viewer as the hosted one is, built with the package's own receiver: what it has heard is in `window.heard`.

/** Modules that the receiver's file names, but the receiver does not use. */
const unused = {
  'fast-safe-stringify': 'export default null',
  'safe-stable-stringify': 'export default { configure: () => null }',
  'isomorphic-ws': 'export default null',
  partysocket: 'export default null',
  superjson: 'export const stringify = null',
  '#uuid': 'export const uuid = null',
};

const viewerPage = `<!doctype html><script type="importmap">${JSON.stringify({
  imports: {
    xstate: '/xstate/xstate.esm.js',
    ...Object.fromEntries(Object.entries(unused).map(([name, code]) => [name, `data:text/javascript,${code}`])),
  },
})}</script><script type="module">
import { createBrowserReceiver } from '/inspect.mjs';
window.heard = [];
createBrowserReceiver().subscribe((event) => window.heard.push(event));
</script>`;

/** What the stand-in has at a path; its page is at `/inspect`. */
export function standInFile(path: string): { readonly contentType: string; readonly body: string } {
  if (path === '/inspect') return { contentType: 'text/html', body: viewerPage };
  const file =
    path === '/inspect.mjs'
      ? new URL(import.meta.resolve('@statelyai/inspect'))
      : new URL(`dist/${path.replace('/xstate/', '')}`, new URL('.', import.meta.resolve('xstate/package.json')));
  return { contentType: 'text/javascript', body: readFileSync(file, 'utf8') };
}
