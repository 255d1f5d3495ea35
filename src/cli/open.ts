import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { controlClient } from '../control/client.ts';
import type { Whereabouts } from '../control/source.ts';
import { linkTo } from '../control/link.ts';
import { readToken } from '../control/token.ts';
import { statePaths, type StatePaths } from '../ledger/paths.ts';
import type { Options } from './options.ts';

/**
 * `huddle open [--json]`: prints the link to the dashboard of the running Huddle; on a desktop also opens it. Fails
 * with `not-running` where it does not listen on TCP.
 */
export async function open(options: Options): Promise<number> {
  const paths = statePaths(options.folder, options.state);
  const { listen } = (await controlClient(paths).get('/api/huddle')) as Whereabouts;
  if (listen === null) throw closed(paths.folder, 'it listens on no port', 'Start it with --listen 7357.');
  const { address, url } = listen;
  if (url === null) throw closed(paths.folder, `it cannot listen on ${address} yet`, 'Its log says why.');
  const token = readToken(paths.token);
  if (token === null) throw closed(paths.folder, 'its token has been removed', 'It makes a new one: try again.');
  const link = linkTo(url, '/', token);
  process.stdout.write(options.json ? `${JSON.stringify({ url: link })}\n` : `${link}\n`);
  if (!options.json) show(link, paths);
  return 0;
}

function closed(folder: string, reason: string, hint: string): Failure {
  return new Failure('not-running', { doing: 'opening the dashboard of', subject: folder, reason, hint });
}

/**
 * In the browser, where somebody sits at one. What is handed to it is a page that leads there: its command line is for
 * everybody on this machine to read, and would hold the token. What goes wrong is nobody's trouble: the link is printed.
 */
function show(link: string, { root }: StatePaths): void {
  const opener = openerOf(process.platform, process.env, process.stdout.isTTY);
  if (opener === null) return;
  const page = join(root, 'open.html');
  try {
    writeFileSync(page, `<!doctype html><meta http-equiv="refresh" content="0;url=${link}">\n`, { mode: 0o600 });
    const [file, ...args] = opener;
    const started = spawn(file, [...args, page], { stdio: 'ignore', detached: true, windowsHide: true });
    started.on('error', () => undefined).unref();
  } catch {
    // The state folder cannot be written: the link has been printed.
  }
}

/** What opens a page on this desktop; null: on a server, over ssh, or where the output goes to a file or a program. */
export function openerOf(
  platform: NodeJS.Platform,
  environment: NodeJS.ProcessEnv,
  isTerminal: boolean,
): readonly [string, ...string[]] | null {
  const given = (name: string): boolean => (environment[name] ?? '') !== '';
  if (!isTerminal || given('SSH_CONNECTION') || given('SSH_TTY')) return null;
  if (platform === 'win32') return ['explorer.exe'];
  if (platform === 'darwin') return ['open'];
  return given('DISPLAY') || given('WAYLAND_DISPLAY') ? ['xdg-open'] : null;
}
