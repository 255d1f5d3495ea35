import { controlClient } from '../control/client.ts';
import { pasteableApp } from '../control/paste.ts';
import { statePaths } from '../ledger/paths.ts';
import { chosen } from './chosen.ts';
import type { Options } from './options.ts';
import { statusLines } from './table.ts';
import { outputWidth, paintOutput } from './terminal.ts';

/** `huddle status [APP…] [--json] [--watch]`: what the running Huddle says of its apps. */
export async function status(options: Options): Promise<number> {
  const paths = statePaths(options.folder, options.state);
  const client = controlClient(paths);
  if (options.watch) {
    const { watch } = await import('./watch.ts');
    return await watch(client, options);
  }
  const apps = chosen(await client.apps(), options.apps);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ apps: apps.map((app) => pasteableApp(app, options)) })}\n`);
    return 0;
  }
  const layout = { width: outputWidth(), now: Date.now(), paint: paintOutput, place: options };
  process.stdout.write(`${statusLines(apps, layout).join('\n')}\n`);
  return 0;
}
