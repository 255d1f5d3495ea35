import type { Wrong } from './problem.ts';

const ending = /\.(json|ini)$/i;

/** Whether a file of this name in DIR is an app: ends in `.json` or `.ini`, begins with neither `_` nor `.`. */
export function isConfigFile(name: string): boolean {
  return ending.test(name) && !/^[_.]/.test(name) && !name.includes('/');
}

/** The name of the app: the file's name without its ending. */
export function appName(file: string): string {
  return file.replace(ending, '');
}

/** What two names have in common when they are the same app (a file system may not tell `shop` from `SHOP`). */
export function sameName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** What is wrong with an app's name, which becomes a folder, a part of URLs and of the mark of processes; null: nothing. */
export function judgeName(name: string): Wrong | null {
  const rule = rules.find(([isBroken]) => isBroken(name));
  return rule === undefined
    ? null
    : { message: `the file's name cannot be an app's name: ${rule[1]}`, hint: 'rename the file, such as shop.json' };
}

const rules: readonly (readonly [(name: string) => boolean, string])[] = [
  [(name) => name.startsWith('-'), 'it begins with a dash'],
  [(name) => /[\p{Cc}\uFFFD]/u.test(name), 'it holds a control character, or is not UTF-8'],
  [(name) => /[\\/:*?"<>|]/.test(name), 'it holds one of \\ / : * ? " < > |'],
  [(name) => /^\s|[\s.]$/.test(name), 'it begins or ends with a space, or ends with a dot'],
  [(name) => Buffer.byteLength(name) > 200, 'it is longer than 200 bytes'],
];
