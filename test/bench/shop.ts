import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { findExecutable } from '../../src/process/executable.ts';
import type { Huddle } from '../e2e/command.ts';
import type { Scene, Sections } from '../e2e/harness.ts';
import { freePort } from '../e2e/proc.ts';
import type { Files, Repository } from '../e2e/repository.ts';
import type { Visitors } from './visitors.ts';

/** How requests find a release. */
export const ways = ['listen', 'proxy', 'behind nginx', 'in place'] as const;
export type Way = (typeof ways)[number];

/** A small web server that Huddle keeps up, and what is needed to deploy it. */
export interface Shop {
  readonly stage: Scene;
  readonly repo: Repository;
  /** Where its clients ask. */
  readonly port: number;
  readonly huddle: Huddle;
}

/** Also where Debian has its servers; the example of `switch` calls nginx by its name. */
const path = [dirname(process.execPath), process.env['PATH'], '/usr/sbin'].join(delimiter);

export function isInstalled(program: string): boolean {
  return findExecutable(program, '/', path) !== null;
}

/** What a release of it holds; one whose version begins with `bad` does not come up. */
export function releaseOf(version: string): Files {
  return { 'shop.mjs': readFileSync(join(import.meta.dirname, 'programs/shop.mjs'), 'utf8'), version: `${version}\n` };
}

/** One that serves its first release. `journal`: where it tells of its starts and stops. */
export async function opened(stage: Scene, way: Way, journal?: string): Promise<Shop> {
  const port = await freePort();
  const repo = await stage.repo();
  const first = await repo.publish(releaseOf('v0'));
  const { repository = null } = stage.sections('shop', repo.remote);
  const { application, ...more } = await sectionsOf(stage, way, port);
  const environment = journal === undefined ? {} : { JOURNAL: journal };
  await stage.writeConfig('shop', {
    repository,
    timing: { minimum: 3600 },
    ...more,
    application: {
      start: [process.execPath, 'shop.mjs'],
      settle: 0.5,
      ...application,
      environment: way === 'in place' ? { ...environment, PORT: String(port) } : environment,
    },
    deployment: { strategy: way === 'in place' ? 'in place' : 'side by side' },
  });
  const huddle = huddleOf(stage);
  await huddle.live('shop', first);
  return { stage, repo, port, huddle };
}

/** Another Huddle for the shop of a stage. */
function huddleOf(stage: Scene): Huddle {
  return stage.startHuddle([], { PATH: path });
}

async function sectionsOf(stage: Scene, way: Way, port: number): Promise<Sections> {
  const watchdog = { host: 'http://127.0.0.1:{port}/' };
  if (way === 'listen') return { application: { listen: `127.0.0.1:${port}` } };
  if (way === 'proxy') return { application: { proxy: `127.0.0.1:${port}` }, watchdog };
  if (way === 'behind nginx') return { scripts: { switch: `sh ${await nginx(stage, port)}/switch.sh` }, watchdog };
  return {};
}

/** The example, at work on that port; its folder. */
async function nginx(stage: Scene, port: number): Promise<string> {
  const folder = join(stage.root, 'nginx');
  await cp(join(import.meta.dirname, '../../examples/switch/nginx'), folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  await writeFile(file, readFileSync(file, 'utf8').replace('8080', String(port)));
  const args = ['-p', '.', '-c', 'nginx.conf', '-g', 'daemon off;'];
  spawn('nginx', args, { cwd: folder, env: stage.environment({ PATH: path }), stdio: 'ignore' });
  return folder;
}

/**
 * Pushes a version and has Huddle deploy it, to its end: that of a `bad` one is that the one before runs on. What clients
 * ask while Huddle is at it is counted in the window `switch`.
 */
export async function deploy({ repo, huddle }: Shop, clients: Visitors, version: string): Promise<void> {
  clients.enter('between');
  const revision = await repo.publish({ version: `${version}\n` });
  clients.enter('switch');
  huddle.check();
  const { result, reason } = await huddle.deployment('shop', (deployment) => deployment.revision === revision);
  assert.equal(result, version.startsWith('bad') ? 'rolled back' : 'deployed', reason);
  await huddle.until('shop', ({ state, program }) => state === 'running' && program?.state === 'up', 'at rest');
  clients.enter('between');
}

/** The shop with another Huddle, which has taken the program over. */
export async function taken(shop: Shop): Promise<Shop> {
  const huddle = huddleOf(shop.stage);
  await huddle.until('shop', ({ state, program }) => state === 'running' && program?.adopted === true, 'taken over');
  return { ...shop, huddle };
}
