import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { AppConfig, Watchdog } from '../../machines/config.ts';
import { asFailure, Failure } from '../../machines/failure.ts';
import type { Side } from '../../machines/protocol.ts';
import type { Release } from '../../machines/slots.ts';
import { hasLead, pruneReleases } from '../git/releases.ts';
import type { ProgramRecord } from '../ledger/app-ledger.ts';
import { isAlive } from '../process/identity.ts';
import type { Desk } from './desk.ts';

// What an app that is deployed side by side has more than one of: releases on disk, and ports.

export function isBeside({ deployment }: AppConfig): boolean {
  return deployment.strategy === 'side by side';
}

/** Whether there may be releases: an app that is deployed in place now may have been side by side before. */
export function isReleased(config: AppConfig): boolean {
  return isBeside(config) || hasWorktrees(config);
}

function hasWorktrees({ repository }: AppConfig): boolean {
  return existsSync(join(repository.localPath, '.git', 'worktrees'));
}

/** Whether somebody has removed the release in charge, or the link to it. */
export async function hasLostRelease(config: AppConfig, desk: Desk, signal: AbortSignal): Promise<boolean> {
  const { localPath } = config.repository;
  // A working copy that has gone altogether is seen by whoever opens it.
  if (!isBeside(config) || !existsSync(join(localPath, '.git'))) return false;
  return !(await desk.withGit('looking for a release', config, (place) => hasLead(place, signal)));
}

/** That a working copy is without the release in charge: it has to be opened anew. */
export function goneFrom(localPath: string): Failure {
  return new Failure('directory-missing', {
    doing: 'asking',
    subject: localPath,
    reason: 'the release in charge, or the link current, has gone',
    hint: 'Huddle puts it back as it was deployed; files of your own that were in it are lost.',
  });
}

/** The name of the release that stands in this folder; null where it is none. */
export function releaseName(directory: string): string | null {
  return /[\\/]releases[\\/]([0-9a-f]{7,64})$/.exec(directory)?.[1] ?? null;
}

/** What a program that is written down runs in. */
export function releaseOf(record: ProgramRecord | null): Release | null {
  if (record === null) return null;
  return { name: releaseName(record.directory ?? ''), port: record.port ?? null };
}

/** Somebody has to be told where it listens, so that it has to be told first. */
export function wantsPort({ application, scripts, watchdog }: AppConfig): boolean {
  const probe = watchdog?.probe;
  const isProbed = JSON.stringify(probe ?? null).includes('{port}');
  return application.proxy !== null || scripts.switch.length > 0 || isProbed;
}

/** The port that the revision had on this side before, so that what points to it finds it after a crash; else a free one. */
export async function portFor(revision: string, side: Side, desk: Desk): Promise<number> {
  const { [side]: before } = desk.ledger.programs;
  const known = before?.revision === revision ? (before.port ?? 0) : 0;
  return known === 0 ? await freePort() : known;
}

/** Rejects with the system's error. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** A watchdog that looks at this release. */
export function watchdogOf(watchdog: Watchdog, release: Release | null): Watchdog {
  const port = release?.port ?? null;
  if (port === null) return watchdog;
  const { probe } = watchdog;
  const fill = (text: string) => text.replaceAll('{port}', String(port));
  switch (probe.kind) {
    case 'http':
      return { ...watchdog, probe: { ...probe, url: fill(probe.url) } };
    case 'tcp':
      return { ...watchdog, probe: { ...probe, port: probe.port === '{port}' ? port : probe.port } };
    default:
      return watchdog;
  }
}

/** Releases that are no longer kept go; that they could not be removed is warned of, and tried again with the next. */
export async function pruneOld(config: AppConfig, desk: Desk, signal: AbortSignal): Promise<void> {
  const records = Object.values(desk.ledger.programs).filter((record) => record !== null);
  const { localPath } = config.repository;
  // Side by side one that is down may be about to start again; in place none starts in a release any more.
  const held = isBeside(config) ? records : records.filter(isAlive);
  const spare = held.flatMap(({ directory }) => releaseName(directory ?? '') ?? []);
  const isTreeFree = records.every(({ directory }) => (directory ?? localPath) !== localPath);
  const keep = isBeside(config) ? config.deployment.keep : 0;
  try {
    await desk.withGit('removing old releases', config, (place) =>
      pruneReleases(place, { keep, spare, isTreeFree }, signal),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    desk.warnOf(asFailure(thrown));
  }
}

/** After the way back to `in place`: when what is good runs there, no release is needed any more. */
export async function tidyReleases(config: AppConfig, desk: Desk, signal: AbortSignal): Promise<void> {
  if (isBeside(config) || !hasWorktrees(config)) return;
  const { good, current } = desk.ledger.facts;
  const { program } = desk.ledger;
  const isHome = program === null || (program.directory ?? config.repository.localPath) === config.repository.localPath;
  if (isHome && good !== null && good === current) await pruneOld(config, desk, signal);
}
