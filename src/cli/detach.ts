import { oneLine } from '../../machines/failure.ts';
import { controlClient } from '../control/client.ts';
import { statePaths } from '../ledger/paths.ts';
import type { Options } from './options.ts';

/**
 * `huddle detach`: Huddle leaves, and the programs run on. Resolves when it has left: when it ends the stream of its
 * events, rather than when nobody answers any more, as a service manager may have the next one up at once.
 */
export async function detach({ folder, state, json }: Options): Promise<number> {
  const paths = statePaths(folder, state);
  const client = controlClient(paths);
  const following = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const left = client.events(({ type }) => type === 'ready' && following.resolve(), signal);
  await Promise.race([following.promise, left]);
  const apps = await client.detach();
  await left;
  process.stdout.write(json ? `${JSON.stringify({ apps })}\n` : `${farewell(apps)}\n`);
  return 0;
}

function farewell(apps: readonly string[]): string {
  const names = apps.map(oneLine).join(', ');
  return names === '' ? 'Huddle has left' : `Huddle has left; what runs on until the next one takes it over: ${names}`;
}
