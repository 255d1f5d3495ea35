import { stripVTControlCharacters, styleText } from 'node:util';
import { renderUsage, type CommandDef } from 'citty';
import { root, verbs, type Command } from './commands.ts';

/** The help page of a command, as citty lays it out; in colour where stdout shows it. */
export async function usage(command: Command): Promise<string> {
  const { meta, args } = command;
  const subCommands: Record<string, CommandDef> = Object.fromEntries(
    verbs.map((verb) => [verb.meta.name, { meta: verb.meta }]),
  );
  const parent = { meta: root.meta };
  const page = await (command === root
    ? renderUsage({ meta, args, subCommands })
    : renderUsage({ meta, args }, parent));
  return (coloured() ? page : stripVTControlCharacters(page)).replace(/ +$/gm, '');
}

/** citty looks at neither the terminal nor most values of NO_COLOR. */
function coloured(): boolean {
  return styleText('red', 'x', { stream: process.stdout }) !== 'x';
}
