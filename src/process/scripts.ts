import { Failure } from '../../machines/failure.ts';
import { type CommandInput, inWords, runCommand } from './command.ts';

/** The scripts of one hook, and where they run. */
export interface ScriptsInput extends Omit<CommandInput, 'doing' | 'command' | 'timeout' | 'sweep'> {
  readonly hook: 'pre-pull' | 'post-pull' | 'switch';
  readonly scripts: readonly string[];
  /** Seconds, for each script. */
  readonly timeout: number;
}

/**
 * Runs the scripts of a hook, one after the other. What a script starts to stay is spared. Throws `script-failed`,
 * naming the first that failed, and `timeout`, after which nothing of that script is left.
 */
export async function runScripts({ hook, scripts, ...surroundings }: ScriptsInput): Promise<void> {
  const doing = `running the ${hook} script`;
  for (const command of scripts) {
    const { exit } = await runCommand({ ...surroundings, doing, command, sweep: false });
    if (exit.code === 0) continue;
    const hint = 'Its output is in deploy.log (huddle logs --deploy).';
    throw new Failure('script-failed', { doing, subject: command, reason: inWords(exit), hint });
  }
}
