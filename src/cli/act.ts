import { Failure } from '../../machines/failure.ts';
import { controlClient, type Action, type ActionBody, type ControlClient } from '../control/client.ts';
import { pasteable } from '../control/paste.ts';
import { statePaths } from '../ledger/paths.ts';
import { chosen, mustName } from './chosen.ts';
import type { Options } from './options.ts';
import { showProgress } from './progress.ts';
import { inJson, resultOf, tell, type Result } from './result.ts';

/** What a shell expects of a command that Ctrl-C has ended: 128 and the number of SIGINT. */
const interrupted = 130;

/**
 * `huddle check|restart|stop|start|pause|resume|deploy|rollback`: has the apps do it, all at once, and says of each how
 * it ended. Resolves when all have ended, with 1 when one failed.
 */
export async function act(action: Action, options: Options): Promise<number> {
  mustName(action, options, action !== 'deploy' && action !== 'rollback');
  const paths = statePaths(options.folder, options.state);
  const client = controlClient(paths);
  const names = await namesOf(client, action, options);
  const results = names === null ? await stopWithoutHuddle(options) : await ask(client, action, names, options);
  if (options.json) process.stdout.write(inJson(results, options));
  else if (results.length === 0) process.stdout.write('nothing to do: there are no apps\n');
  return results.every(({ ok }) => ok) ? 0 : 1;
}

/** null where no Huddle is needed, and none is running: it may have left programs behind that are to be stopped. */
async function namesOf(client: ControlClient, action: Action, options: Options): Promise<readonly string[] | null> {
  try {
    return chosen(await client.apps(), options.apps).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not-running' || action !== 'stop') throw error;
    if (options.all) return null;
    const { code, doing, subject, reason, cause } = error;
    const hint = `${error.hint}; or stop what runs on without one: huddle stop --all`;
    throw new Failure(code, { doing, subject, reason, hint, cause });
  }
}

async function stopWithoutHuddle(options: Options): Promise<readonly Result[]> {
  const { stopAll } = await import('./stop-all.ts');
  return await stopAll(options);
}

async function ask(
  client: ControlClient,
  action: Action,
  names: readonly string[],
  options: Options,
): Promise<readonly Result[]> {
  const progress = showProgress(client, names);
  const leave = (): never => {
    progress.end();
    const farewell = pasteable('not waiting any longer; the work goes on in Huddle (huddle status)', options);
    process.stderr.write(`huddle: ${farewell}\n`);
    process.exit(interrupted);
  };
  process.once('SIGINT', leave);
  const one = async (name: string): Promise<Result> => {
    const result = await resultOf(name, client.act(name, action, bodyOf(options)));
    progress.settle(name, () => options.json || tell(result, options));
    return result;
  };
  const results = await Promise.all(names.map(one));
  progress.end();
  process.off('SIGINT', leave);
  return results;
}

function bodyOf({ dryRun, revision }: Options): ActionBody {
  return { ...(dryRun && { dryRun }), ...(revision !== undefined && { revision }) };
}
