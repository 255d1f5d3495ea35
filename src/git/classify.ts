import { Failure, type FailureCode } from '../../machines/failure.ts';
import { isLimit, refusedBy } from '../ledger/paths.ts';
import { printable } from './names.ts';

/** A repository whose own files are damaged: what can be repaired from the remote. */
export class DamagedRepository extends Failure {}

/** What git, or what should have started it, said before it ended. */
export interface Refusal {
  readonly doing: string;
  readonly subject: string;
  /** Free of secrets. */
  readonly stderr: string;
  /** Negative: it could not be spawned; null: it was killed. */
  readonly exitCode: number | null;
  readonly executable: string;
}

interface Rule {
  readonly words: RegExp;
  readonly code: FailureCode;
  readonly hint: string;
}

const tryAgain = 'Check repository.remote path and the network; Huddle tries again.';

// First match wins: what is specific stands before what git says in many cases. All in git's and ssh's own English.
const rules: readonly Rule[] = [
  {
    words:
      /Resource temporarily unavailable|Cannot allocate memory|Out of memory|Too many open files|died of signal 9|(?:cannot|unable to) fork/i,
    code: 'limit-reached',
    hint: 'Raise the limits of Huddle (LimitNOFILE= and TasksMax= of its unit), or free memory; Huddle tries again.',
  },
  {
    words: /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT|out of disk ?space/i,
    code: 'disk-full',
    hint: 'Make room on the disk; Huddle tries again.',
  },
  {
    words: /^setpriv: failed to execute .*: (?:No such file|Permission denied)|spawn \S+ (?:ENOENT|EACCES)/m,
    code: 'git-missing',
    hint: 'Install git, or set repository.executable.',
  },
  {
    words: /^setpriv: /m,
    code: 'user-unknown',
    hint: 'application.user must exist on this machine, and Huddle must run as root to become that user.',
  },
  {
    words: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No .* host key is known for/i,
    code: 'host-key-unknown',
    hint: 'Check the host key and add it to repository.known hosts (ssh-keyscan prints it).',
  },
  {
    words:
      /Authentication failed|could not read (?:Username|Password)|Permission denied \((?:publickey|password|keyboard)|terminal prompts disabled|returned error: 40[13]|invalid credentials|Load key .*: |access denied/i,
    code: 'authentication-failed',
    hint: 'Check repository.username and password file, or repository.ssh key, and what they may read.',
  },
  {
    words: /couldn't find remote ref|Remote branch .* not found|couldn't find remote/i,
    code: 'branch-missing',
    hint: 'Set repository.branch to a branch that the remote has.',
  },
  {
    words: /unable to access '\/.*Permission denied/i,
    code: 'path-occupied',
    hint: 'The working copy belongs to another user than application.user: give it away (chown -R USER PATH).',
  },
  {
    words: /detected dubious ownership|unsafe repository/i,
    code: 'authentication-failed',
    hint: 'The remote belongs to another user: git config --global --add safe.directory PATH, as the user who runs git.',
  },
  {
    words:
      /Could not resolve|Connection (?:refused|timed out|reset|closed)|Failed to connect|No route to host|Network is unreachable|unable to access|unable to connect|does not appear to be a git repository|repository .* (?:not found|does not exist)|Could not read from remote repository|hung up unexpectedly|early EOF|RPC failed|unable to look up|returned error: (?:404|5\d\d)|expected flush after|transport '.*' not allowed/i,
    code: 'remote-unreachable',
    hint: tryAgain,
  },
];

// Words about objects, refs and the index. A bare 'broken' is none: a broken pipe is what a lost connection leaves.
const damage =
  /object file .* is empty|is corrupt|bad object|missing (?:blob|tree|commit)|unable to read (?:tree|sha1|blob|object|the index)|could not (?:read|parse|get) .*(?:object|commit|tree)|Could not read [0-9a-f]{40}|index file (?:corrupt|smaller)|bad (?:signature|index)|invalid sha1 pointer|does not point to a valid object|not a valid object|failed to (?:traverse|read object)|did not send all necessary objects|not a git repository|inflate:|unresolved deltas|broken (?:index|link|name|ref|symref|\.idx)|appears to be broken|bad tree object|unable to (?:open|map) .*\.pack|unable to find [0-9a-f]{40}|packfile .* (?:cannot|does not|is far)|bad config line|reference (?:broken|.*: reference)|loose object|shallow file has changed/i;

/** The failure that git's words mean. */
export function classify(refusal: Refusal): Failure {
  const { doing, subject, stderr, exitCode, executable } = refusal;
  if (exitCode === null) return killed(refusal);
  const spawnError = /\bspawn \S+ (E[A-Z]+)/.exec(stderr)?.[1] ?? '';
  if (exitCode < 0 && isLimit(spawnError)) return refusedBy(spawnError, doing, subject);
  const parts = { doing, subject, reason: reasonIn(stderr) || `${executable} ended with ${exitCode}` };
  if (exitCode < 0 || exitCode === 127)
    return new Failure('git-missing', {
      ...parts,
      reason: `${executable} cannot be started`,
      hint: 'Install git, or set repository.executable.',
    });
  const rule = rules.find(({ words }) => words.test(stderr));
  // A remote by path that is gone says 'not a git repository' too: the remote's rule comes first.
  if (rule !== undefined) return new Failure(rule.code, { ...parts, hint: rule.hint });
  if (damage.test(stderr))
    return new DamagedRepository('internal', {
      ...parts,
      hint: 'The repository on this machine is damaged; Huddle repairs it from the remote at the next check.',
    });
  // After the damage: where git names a damaged object, the pipe broke because of that.
  if (/Broken pipe/.test(stderr)) return new Failure('remote-unreachable', { ...parts, hint: tryAgain });
  if (/File exists.*\.lock|\.lock': File exists|Unable to create '.*\.lock'|cannot lock ref/.test(stderr))
    return new Failure('path-occupied', {
      ...parts,
      hint: 'Another git is at work in this working copy; Huddle tries again when it has ended.',
    });
  if (exitCode === 129 || /unknown option|is not a git command/.test(stderr))
    return new Failure('not-supported', { ...parts, hint: 'Huddle needs git 2.30 or newer.' });
  return new Failure('internal', parts);
}

/** By somebody else: what Huddle ends itself is told as what it was ended for. */
function killed({ doing, subject, executable }: Refusal): Failure {
  return new Failure('limit-reached', {
    doing,
    subject,
    reason: `${executable} was killed`,
    hint: 'Most often that is the kernel’s doing when there is no memory left: see dmesg. Huddle tries again.',
  });
}

/** The line that tells most: the first `fatal:` or `error:`, without that word. */
function reasonIn(stderr: string): string {
  const lines = printable(stderr)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling =
    lines.find((line) => /^(?:ssh|kex|Host key|Permission denied|Load key|setpriv)/.test(line)) ??
    lines.find((line) => line.startsWith('fatal:') && !line.includes('Could not read from remote')) ??
    lines.find((line) => /^(?:fatal|error):/.test(line)) ??
    lines.at(-1);
  return (telling ?? '').replace(/^(?:fatal|error): /, '');
}
