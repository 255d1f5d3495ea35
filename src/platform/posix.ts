import { renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Platform } from './platform.ts';

/** What Linux and macOS have in common. */
export const posix = {
  shell: (line) => ({ argv: ['/bin/sh', '-c', line], isVerbatim: false }),
  launch: (argv) => ({ argv, isVerbatim: false }),
  isPath: (program) => program.includes('/'),
  fileNames: (program) => [program],
  usualPath: '/bin:/usr/bin', // What execvp takes.
  gitProgram: (executable) => executable,
  posixShell: 'sh',
  spareShell: null,
  environment: (...layers) => Object.assign({}, ...layers) as Record<string, string>,
  detachesCommands: true,
  hasModes: true,
  controlPipe: () => null,
  rename: renameSync,
  pointLink: null,
  syncFile: sync,
  syncFolder: sync,
  isSameStart: (written, read) => written === read,
  treeEnding: null,
} satisfies Partial<Platform>;

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
