import { homedir } from 'node:os';
import path from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { configFiles, readFromDisk } from '../config/file.ts';
import { appName } from '../config/name.ts';
import { controlClient } from '../control/client.ts';
import { makeSecret, readSecret } from '../control/secret.ts';
import type { Whereabouts } from '../control/source.ts';
import { statePaths, type StatePaths } from '../ledger/paths.ts';
import { chosen, mustName } from './chosen.ts';
import { Misuse } from './misuse.ts';
import type { Options } from './options.ts';

/**
 * `huddle webhook APP [--json]`: what the forge has to be told so that a push wakes the app: an address and a secret,
 * which is made where there is none. Works without a running Huddle.
 */
export async function webhook(options: Options): Promise<number> {
  mustName('webhook', options, false);
  if (options.apps.length > 1) throw new Misuse('huddle webhook takes one app', 'Call it once for each.');
  const paths = statePaths(options.folder, options.state);
  const files = (await configFiles(options.folder)).map((file) => ({ file, name: appName(file) }));
  const [app = { file: '', name: '' }] = chosen(files, options.apps);
  const secretFile = await secretFileOf(path.join(options.folder, app.file), app, options.folder);
  const secret = readSecret(secretFile) ?? makeSecret(secretFile);
  const url = await baseUrl(paths);
  const target = `/hooks/${encodeURIComponent(app.name)}`;
  if (options.json) process.stdout.write(`${JSON.stringify({ url: url && url + target, path: target, secret })}\n`);
  else process.stdout.write(pageOf(url, target, secret, secretFile));
  return 0;
}

async function secretFileOf(shown: string, { file, name }: { file: string; name: string }, folder: string) {
  const reading = await readFromDisk(shown, file, { folder, home: homedir() });
  const secretFile = reading?.config?.webhook.secretFile ?? null;
  if (secretFile !== null) return secretFile;
  const isBroken = reading?.config === undefined || reading.config === null;
  const reason = isBroken ? 'the file has mistakes' : 'it has no webhook.secret file';
  const suggestion = `Write into it: "webhook": { "secret file": "./${name}.secret" }`;
  const hint = isBroken ? 'See: huddle validate' : suggestion;
  throw new Failure('config-invalid', { doing: 'making a webhook for', subject: shown, reason, hint });
}

/** null where no Huddle listens. */
async function baseUrl(paths: StatePaths): Promise<string | null> {
  try {
    const { listen } = (await controlClient(paths).get('/api/huddle')) as Whereabouts;
    return listen?.url ?? null;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'not-running') return null;
    throw thrown;
  }
}

function pageOf(url: string | null, target: string, secret: string, secretFile: string): string {
  const address = url === null ? `http(s)://THIS-HOST:PORT${target}` : url + target;
  const lines = [
    `address       ${address}`,
    `secret        ${secret}`,
    `kept in       ${secretFile}`,
    'content type  application/json; only pushes',
  ];
  if (url === null) lines.push('', 'No Huddle listens on a port here yet: start it with --listen [HOST:]PORT.');
  else if (/\/\/(localhost|127\.|\[::1\])/.test(url))
    lines.push('', 'The forge has to reach it: put a reverse proxy in front, or listen on an address of this host.');
  return `${lines.join('\n')}\n`;
}
