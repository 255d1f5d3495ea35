import { Failure } from '../../machines/failure.ts';

// git's own rules (`git check-ref-format`), and no leading dash, so that no name can be read as an option.
const forbidden = /^-|^\/|\/$|\/\/|\.\.|@\{|[\p{Cc} ~^:?*[\\]|\.$|^@$|(?:^|\/)\.|\.lock(?:\/|$)/u;

/** Whether a branch, tag or remote may be called so. */
export function isName(name: string): boolean {
  return name !== '' && !forbidden.test(name);
}

/** The same name; fails with `config-invalid` on one that git would not take, or would take for an option. */
export function checkedName(name: string, what: 'branch' | 'remote'): string {
  if (isName(name)) return name;
  throw new Failure('config-invalid', {
    doing: 'reading',
    subject: `repository.${what}`,
    reason: `${JSON.stringify(name)} is not a name that git allows`,
    hint: `Write the ${what}'s name as git prints it.`,
  });
}

/** Whether the text is a full commit id, of SHA-1 or SHA-256. */
export function isCommitId(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Text of others (commit subjects, names, git's messages) without what would steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '');
}
