import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { defineConfig } from 'rolldown';

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

// Node takes half a millisecond to find, read and link a module: 170 of them were a third of a start.
export default defineConfig({
  // What a process or a thread starts with.
  input: {
    'cli/main': 'src/cli/main.ts',
    'process/socket-errand': 'src/process/socket-errand.ts',
    'proxy/main': 'src/proxy/main.ts',
    'proxy/worker': 'src/proxy/worker.ts',
  },
  platform: 'node',
  external: Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`)),
  output: {
    dir: 'dist',
    cleanDir: true,
    keepNames: true,
    // A Huddle may be replaced on disk while it runs, and loads then from the new files what it is asked for first: by a name
    // that stays, with all that this needs by names that change when it does.
    chunkFileNames: ({ facadeModuleId }) =>
      facadeModuleId
        ? `chunks/${relative('src', facadeModuleId).replaceAll(/[\\/]/g, '.').replace(/\.ts$/, '')}.js`
        : 'chunks/[name]-[hash].js',
  },
});
