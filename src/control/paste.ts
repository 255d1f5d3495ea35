import { shellWord } from '../platform/shell-word.ts';
import type { AppStatus } from './status.ts';

/** What a user has said of where the config files and the state are, in the words of the command line. */
export interface Place {
  /** `.`: nothing was said, the folder that one is in. */
  readonly folder: string;
  readonly state: string | undefined;
}

/** `huddle` and a verb, or a verb's options; not where it says itself which Huddle is meant. */
const command = /(?<![\w/.-])huddle (?=[a-z])(?!\S+ -c)/g;

/** A text whose commands (`huddle status`) can be pasted: they lead to the Huddle that was spoken to. */
export function pasteable(text: string, { folder, state }: Place): string {
  const options = [
    folder === '.' ? '' : `-c ${shellWord(folder)} `,
    state === undefined ? '' : `--state ${shellWord(state)} `,
  ];
  return text.replace(command, () => `huddle ${options.join('')}`);
}

/** An app with such commands in what is wrong with it. */
export function pasteableApp(app: AppStatus, place: Place): AppStatus {
  if (app.error === null) return app;
  const { code, message, hint } = app.error;
  return { ...app, error: { code, message: pasteable(message, place), hint: pasteable(hint, place) } };
}
