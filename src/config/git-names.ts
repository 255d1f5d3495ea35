import type { Wrong } from './problem.ts';

/** What is wrong with the name of a branch; null: nothing. */
export function judgeBranch(name: string): Wrong | null {
  if (name === 'HEAD' || name.startsWith('refs/')) {
    return { message: 'must be the bare name of a branch', hint: 'write it without refs/heads/, such as main' };
  }
  return judgeRefName(name, 'branch', 'main');
}

/** What is wrong with the name that a working copy gives its remote; null: nothing. */
export function judgeRemoteName(name: string): Wrong | null {
  return judgeRefName(name, 'remote', 'origin');
}

/** The rules of git-check-ref-format(1), for a name below `refs/heads/` or `refs/remotes/`. */
function judgeRefName(name: string, what: string, sample: string): Wrong | null {
  const rule = rules.find(([isBroken]) => isBroken(name));
  return rule === undefined
    ? null
    : { message: `is no name that git allows for a ${what}: ${rule[1]}`, hint: `write it like ${sample}` };
}

const rules: readonly (readonly [(name: string) => boolean, string])[] = [
  [(name) => name.startsWith('-'), 'it begins with a dash'],
  [(name) => /[\p{Cc} ~^:?*[\\]/u.test(name), 'it holds a space, a control character or one of ~ ^ : ? * [ \\'],
  [(name) => name.includes('..') || name.includes('@{'), 'it holds .. or @{'],
  [(name) => name === '@', 'it is @'],
  [(name) => name.split('/').includes(''), 'it begins or ends with a slash, or holds two in a row'],
  [(name) => name.split('/').some((part) => part.startsWith('.')), 'a part of it begins with a dot'],
  [(name) => name.split('/').some((part) => part.endsWith('.lock')), 'a part of it ends with .lock'],
  [(name) => name.endsWith('.'), 'it ends with a dot'],
];
