import type { Options } from './options.ts';
import { resultOf, tell, type Result } from './result.ts';

/** `huddle stop --all` where no Huddle is running: stops the programs that one has left behind. Fails as `takeLock`. */
export async function stopAll(options: Options): Promise<readonly Result[]> {
  const { stopFolder } = await import('../stop-folder.ts');
  const stopped = await stopFolder(options, (app, text) => process.stderr.write(`huddle: ${app}: ${text}\n`));
  const outcome = 'stopped, and stays so when Huddle starts';
  const ended = stopped.map(({ name, failure }) =>
    resultOf(name, failure === null ? Promise.resolve({ outcome }) : Promise.reject(failure)),
  );
  const results = await Promise.all(ended);
  if (!options.json) for (const result of results) tell(result, options);
  return results;
}
