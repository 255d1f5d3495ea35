import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Failure } from '../../machines/failure.ts';
import { errorCode } from './error-code.ts';
import type { Platform } from './platform.ts';
import { posix } from './posix.ts';
import { holdsForWriting, openCensus, readEntry, readTable, readUsage, sightOf } from './proc.ts';

/** Linux, and what resembles it: /proc, util-linux. */
export const linux: Platform = {
  ...posix,
  hasUsers: true,
  spareShell: '/bin/sh',
  hold(path) {
    const descriptor = openSync(path, 'a+', 0o600);
    try {
      if (flock(descriptor)) return { descriptor, release: () => closeSync(descriptor) };
    } catch (thrown) {
      closeSync(descriptor);
      throw thrown;
    }
    closeSync(descriptor);
    return null;
  },
  holdFolder(path) {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const release = () => closeSync(descriptor);
    if (flock(descriptor)) return { release };
    release();
    return null;
  },
  socketLimit: 108, // `sun_path` of unix(7)
  bootId,
  isSameBoot: (id) => id === bootId(),
  readEntry,
  startOfChild: (pid) => readEntry(pid)?.startTime ?? null,
  readTable,
  holdsForWriting,
  usageOf: readUsage,
  sightOf,
  openCensus,
  wholeLookEvery: 4,
};

let boot: string | undefined;

function bootId(): string {
  return (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
}

/**
 * Whether the lock is ours now; false when somebody else has it. It belongs to the open file description (flock(2)).
 * Node cannot take one, so a short-lived `flock` takes it on our descriptor, which it inherits. Every other child gets
 * no copy, as Node opens files with O_CLOEXEC: programs that outlive Huddle do not keep the lock.
 */
function flock(descriptor: number): boolean {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const run = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', descriptor], encoding: 'utf8' });
  if (run.status === 0) return true;
  if (run.status === 1 && run.stderr === '') return false;
  if (errorCode(run.error) === 'ENOENT') {
    throw new Failure('command-not-found', {
      doing: 'locking with',
      subject: 'flock',
      reason: 'no such command',
      hint: 'Install util-linux, which it is a part of; it makes sure that a folder has one Huddle only.',
    });
  }
  throw run.error ?? new Error(`flock: ${run.stderr.trim() || (run.signal ?? `exit code ${run.status}`)}`);
}
