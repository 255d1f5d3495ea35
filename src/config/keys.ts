import { judgeBranch, judgeRemoteName } from './git-names.ts';
import * as judge from './judges.ts';
import {
  address,
  addresses,
  choice,
  commands,
  duration,
  each,
  flag,
  integer,
  interval,
  judged,
  megabytes,
  pairs,
} from './kinds.ts';
import { ownPort, program, shellLine, text, type Kind } from './kinds.ts';
import { judgeListen, judgeProxy, meantBy } from './listen.ts';
import { judgeRemote } from './remote.ts';

/** One key of a config file: all that the checker, the JSON Schema and the README's reference have to know about it. */
export interface Key<T> {
  readonly kind: Kind<unknown>;
  readonly meaning: string;
  /** What it is where it is not given. */
  readonly default: T;
  /** What the README says of that, where the bare value would not do. */
  readonly without: string;
  readonly required: boolean;
  /** An empty text would loosen something, and is a mistake: elsewhere it means "not given". */
  readonly guards: boolean;
  /** In INI, commas separate items. */
  readonly commas: boolean;
}

type Flags = Partial<Pick<Key<unknown>, 'without' | 'guards' | 'commas'>>;

const plainly = { without: '', required: false, guards: false, commas: false };
const path = judged(judge.judgePath);
const count = integer(1, 1_000_000, '5');

function required<T>(kind: Kind<T>, meaning: string): Key<T> {
  // Never read: what is required and missing is a mistake, and a file with a mistake yields no config.
  return { ...plainly, kind, meaning, default: '' as T, without: 'required', required: true };
}

function key<T>(kind: Kind<T>, fallback: T, meaning: string, flags: Flags = {}): Key<T> {
  return { ...plainly, kind, meaning, default: fallback, ...flags };
}

/** A key that may be left away altogether. */
function maybe<T>(kind: Kind<T>, without: string, meaning: string, flags: Flags = {}): Key<T | null> {
  return { ...plainly, kind, meaning, default: null, without, ...flags };
}

const environment = pairs({
  separator: '=',
  judgeName: judge.judgeVariable,
  judgeValue: judge.judgeVariableValue,
  sample: 'NAME=value',
});
const headers = pairs({
  separator: ':',
  judgeName: judge.judgeHeader,
  judgeValue: judge.judgeHeaderValue,
  sample: 'Name: value',
});

/** Every key of a config file, by section: the one place where a key is defined. */
export const keys = {
  repository: {
    'remote path': required(
      judged(judgeRemote),
      'URL or path of the remote (https, http, ssh, scp-like, git, file, absolute path; `./` and `../` start at the folder of this file)',
    ),
    'local path': required(
      path,
      'where the working copy lives; `side by side` its releases, in `releases/`, and the link `current` to the one in charge',
    ),
    branch: maybe(judged(judgeBranch), "the remote's default branch", 'branch to follow'),
    remote: key(judged(judgeRemoteName), 'origin', 'name of the remote in the working copy'),
    type: key(choice(['git']), 'git', 'only `git`'),
    executable: key(path, 'git', 'the git program'),
    depth: maybe(count, 'whole history', 'clone and fetch only this many commits'),
    submodules: key(flag, false, '`true` also updates submodules, recursively'),
    timeout: key(interval, 120, 'longest time for one git operation over the network'),
    'ssh key': maybe(path, "the user's ssh settings", 'file with the private key for ssh', { guards: true }),
    'known hosts': maybe(
      path,
      "the user's ssh settings",
      'file with the known host keys for ssh; they are always checked strictly',
      { guards: true },
    ),
    username: maybe(judged(judge.judgeUsername), "git's credential helpers", 'user name for https'),
    'password file': maybe(
      path,
      "git's credential helpers",
      'file with the password for https; read at each use, so it can rotate; its trailing newline does not count',
      { guards: true },
    ),
  },
  timing: {
    minimum: key(interval, 60, 'shortest wait between two checks; alone, it is the interval (± 10 %)'),
    maximum: maybe(interval, 'none', 'longest wait between two checks: a random time between the two is taken'),
  },
  test: {
    command: maybe(
      commands,
      'no test',
      'command, or list of commands, run in a clean checkout of the candidate; all must exit 0',
      { guards: true },
    ),
    timeout: key(interval, 900, 'longest time for each command, or for one answer of the remote test'),
    remote: maybe(
      judged(judge.judgeTestUrl),
      'none',
      'instead of a command: a URL to GET; `{revision}` and `{branch}` are filled in',
    ),
    'pass response': maybe(text, 'required with `remote`', 'the test has passed when the body contains this text'),
    'fail response': maybe(
      text,
      'none',
      'the test has failed when the body contains this text; without either it is pending, and asked again at the next check',
    ),
    headers: key(headers, {}, 'headers for that URL: map, or list of `Name: value`', { without: 'none', commas: true }),
  },
  scripts: {
    switch: maybe(
      commands,
      'none',
      'command or list; run in the folder of a new release when it is ready side by side, with `HUDDLE_PORT`: to point nginx, Caddy or HAProxy to it; when it fails the old one stays',
      { commas: true },
    ),
    'pre-pull': key(
      commands,
      [],
      'command or list; run in the working copy before the new revision is put there (`side by side`: in the release in charge)',
      {
        without: 'none',
        commas: true,
      },
    ),
    'post-pull': key(
      commands,
      [],
      'command or list; run in the working copy after the new revision was put there, also after the first clone (`side by side`: in the new release)',
      { without: 'none', commas: true },
    ),
    timeout: key(interval, 600, 'longest time for each script'),
  },
  application: {
    start: maybe(
      program,
      'none: only the files are kept in sync',
      'the program: a text is a line for the shell, a list is the argv itself',
    ),
    directory: key(
      judged(judge.judgeDirectory, { type: 'string' }, judge.tidyDirectory),
      '.',
      'where it starts, inside the working copy',
    ),
    environment: key(environment, {}, 'map, or list of `NAME=value`; here `""` is a value; wins over the file', {
      without: 'none',
      commas: true,
    }),
    'environment file': maybe(path, 'none', '`.env` file, read at each start; a missing one is an error'),
    user: maybe(
      judged(judge.judgeUser),
      "Huddle's own",
      'git, test, scripts, probes and the program all run as this user, with its groups and its `HOME` (needs root)',
      { guards: true },
    ),
    'stop signal': key(
      judged(judge.judgeSignal, { type: 'string' }, judge.signalName),
      'SIGTERM',
      "first signal to the program's processes",
    ),
    'stop timeout': key(duration, 10, 'how long until they are killed'),
    'stop command': maybe(shellLine, 'none', 'run instead of the signal'),
    restart: key(
      choice(['always', 'on failure', 'never']),
      'always',
      'when it exits by itself: `always`, `on failure`, `never`',
    ),
    'crash limit': key(count, 5, 'this many exits within the crash window and the program is given up'),
    'crash window': key(interval, 60, 'the time in which exits are counted together'),
    retry: key(duration, 300, 'a program given up is tried again this often (0: never)'),
    settle: key(
      duration,
      2,
      'a new revision must stay up this long (and pass the watchdog, where there is one) to be accepted',
    ),
    'ready timeout': key(interval, 60, 'longest wait for that'),
    listen: maybe(
      addresses(judgeListen, meantBy),
      'none',
      '`[host:]port` or a path, or a list: sockets that Huddle opens and hands to the program, from descriptor 3 on; `start` is then a list, or begins with `exec`',
      { commas: true },
    ),
    proxy: maybe(
      address(judgeProxy),
      'none',
      "`[host:]port`: Huddle's HTTP proxy listens there and forwards to the program in charge, which finds a port of its own on 127.0.0.1 in `PORT`",
    ),
    'drain timeout': key(duration, 30, 'longest time that open requests keep an old release alive behind the proxy'),
  },
  deployment: {
    strategy: key(
      choice(['in place', 'side by side']),
      'in place',
      '`in place`: stop, pull, start. `side by side`: start the new one beside the old, switch when it is ready, then stop the old',
    ),
    keep: key(count, 3, 'releases kept on disk, the one in charge among them (`side by side`)'),
    shared: key(
      each(judge.judgeShared),
      [],
      'path, or list of paths, that live outside the releases, in `shared/`, and are linked into each; the first release seeds them (`side by side`)',
      { without: 'none', commas: true },
    ),
    rollback: key(
      flag,
      true,
      'go back to the last good revision when the new one is not accepted; `false`: stay, and back off to the crash limit (side by side the old one serves on all the same)',
    ),
    proving: key(
      duration,
      600,
      'a revision that reaches its crash limit within this time of going live is rolled back as well',
    ),
  },
  watchdog: {
    period: key(interval, 60, 'time between two probes'),
    host: key(
      judged(judge.judgeProbeHost),
      '127.0.0.1',
      'an `http://` or `https://` URL: GET, healthy on a 2xx status. Otherwise a host: TCP',
    ),
    port: maybe(ownPort, "80, or the URL's own", "the port; wins over the URL's; `{port}` is the release's own"),
    request: key(text, 'watchdog', 'text sent over TCP, when a `response` is wanted'),
    response: maybe(text, 'none: 2xx, or a connection, is enough', 'text that the answer must contain'),
    command: maybe(shellLine, 'none', 'instead: a command that exits 0 when healthy'),
    timeout: key(interval, 5, 'longest time for one probe'),
    failures: key(count, 3, 'how many failed probes in a row until the program is restarted'),
  },
  logs: {
    size: key(megabytes, 10, "a program's log is rotated at this many megabytes"),
    keep: key(integer(0, 10_000, '5'), 5, 'rotated files kept'),
  },
  webhook: {
    'secret file': maybe(path, 'no webhook', 'lets `POST /hooks/NAME` wake the check of this app', { guards: true }),
  },
  notify: {
    command: key(
      commands,
      [],
      'command or list; run on each deployment and rejection, and when a program is given up or has recovered, with `HUDDLE_TEXT`, `HUDDLE_EVENT` and `HUDDLE_NOTICE` (JSON)',
      { without: 'none' },
    ),
    url: maybe(
      judged(judge.judgeHttp),
      'none',
      'URL that gets the same by POST, as JSON with a `text`, as Slack wants it',
    ),
  },
};

type Keys = typeof keys;

/** The value of every key, defaults filled in. */
export type Values = {
  readonly [S in keyof Keys]: { readonly [K in keyof Keys[S]]: Keys[S][K] extends Key<infer T> ? T : never };
};

/** `section.key` */
export type KeyName = { [S in keyof Keys]: `${S & string}.${keyof Keys[S] & string}` }[keyof Keys];

/** The same table for who walks over it. */
export const sections: ReadonlyMap<string, ReadonlyMap<string, Key<unknown>>> = new Map(
  Object.entries(keys).map(([section, keys]) => [section, new Map<string, Key<unknown>>(Object.entries(keys))]),
);
