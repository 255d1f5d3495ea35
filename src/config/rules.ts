import { isHttp } from './judges.ts';
import type { KeyName } from './keys.ts';
import type { Mistake, Wrong } from './problem.ts';
import { remoteForm } from './remote.ts';
import type { Checked } from './schema.ts';

// What several keys say together.

/** Combinations that contradict each other, or leave out what one of them needs. */
export function contradictions(checked: Checked): readonly Mistake[] {
  const { values, isGiven } = checked;
  const { timing, application } = values;
  const areSound = (...names: readonly KeyName[]) => !names.some((name) => checked.isWrong(name));
  const mistakes: Mistake[] = [];
  const tell = (key: KeyName, message: string, hint: string) =>
    mistakes.push({ at: checked.at(key), key, message, hint });

  if (timing.maximum !== null && timing.maximum < timing.minimum && areSound('timing.minimum', 'timing.maximum')) {
    tell(
      'timing.maximum',
      `is below timing.minimum (${timing.minimum})`,
      `write at least ${timing.minimum}, or lower the minimum`,
    );
  }
  if (
    application['ready timeout'] < application.settle &&
    areSound('application.ready timeout', 'application.settle')
  ) {
    const key = isGiven('application.ready timeout') ? 'application.ready timeout' : 'application.settle';
    const { settle, 'ready timeout': ready } = application;
    tell(
      key,
      `no revision can settle for ${settle} seconds within a ready timeout of ${ready}`,
      'make the ready timeout the longer one',
    );
  }
  if (isGiven('test.command') && isGiven('test.remote')) {
    tell('test.remote', 'stands beside test.command', 'a test is one or the other: take one of them away');
  }
  if (isGiven('test.remote') && !isGiven('test.pass response')) {
    tell(
      'test.remote',
      'needs a pass response',
      'write the text that the answer holds when the test has passed as "pass response"',
    );
  }
  for (const key of ['test.pass response', 'test.fail response', 'test.headers'] as const) {
    if (isGiven(key) && !isGiven('test.remote'))
      tell(key, 'belongs to test.remote, which is not given', 'write the remote, or take this away');
  }
  mistakes.push(...ofSwitching(checked));
  for (const key of ['watchdog.host', 'watchdog.port', 'watchdog.request', 'watchdog.response'] as const) {
    if (isGiven(key) && isGiven('watchdog.command'))
      tell(key, 'stands beside watchdog.command', 'a probe is one or the other: take one of them away');
  }
  return mistakes;
}

/** How requests come to one release, and then to the next. */
function ofSwitching({ values, at, isGiven, isWrong }: Checked): readonly Mistake[] {
  const { start } = values.application;
  const mistakes: Mistake[] = [];
  const tell = (key: KeyName, message: string, hint: string) => {
    if (isGiven(key) && !isWrong(key)) mistakes.push({ at: at(key), key, message, hint });
  };
  if (isGiven('application.listen')) {
    tell('application.proxy', 'stands beside application.listen', 'it is one or the other: take one of them away');
  }
  if (typeof start === 'string' && !/^\s*exec\s/.test(start) && !isWrong('application.start')) {
    const hint =
      'write start as a list, or put exec before the command: a shell in between keeps the sockets to itself';
    tell('application.listen', 'needs a start that is a list, or begins with exec', hint);
  }
  if (start === null && !isGiven('application.start')) {
    const hint = 'write what to start, or take this away';
    tell('application.listen', 'needs application.start, which is not given', hint);
    tell('application.proxy', 'needs application.start, which is not given', hint);
  }
  if (values.deployment.strategy === 'in place' && !isWrong('deployment.strategy')) {
    const hint = 'write "strategy": "side by side" in deployment, or use post-pull';
    tell('scripts.switch', 'belongs to the strategy side by side', hint);
  }
  return mistakes;
}

/** What is allowed, but hardly what its writer has in mind: `huddle validate` says so, and nothing else does. */
export function doubts(checked: Checked): readonly Mistake[] {
  const found: Mistake[] = [];
  for (const [names, doubt] of doubtful(checked)) {
    if (doubt === null) continue;
    for (const key of names) if (checked.isGiven(key)) found.push({ at: checked.at(key), key, ...doubt });
  }
  return found;
}

type Doubt = readonly [keys: readonly KeyName[], doubt: Wrong | null];

function doubtful(checked: Checked): readonly Doubt[] {
  const { values, isGiven, hasSection } = checked;
  const when = (isSo: boolean, message: string, hint: string) => (isSo ? { message, hint } : null);
  const hasProgram = isGiven('application.start');
  const isBeside = values.deployment.strategy === 'side by side';
  return [
    [
      ['deployment.strategy'],
      when(
        isBeside && hasProgram && !switching.some((key) => isGiven(key)),
        'has two releases run at once, and the second finds the port of the first taken',
        'write application.listen, application.proxy or scripts.switch; a program without a port needs none of them',
      ),
    ],
    [
      ['watchdog.host', 'watchdog.port'],
      when(
        isBeside && !JSON.stringify(values.watchdog).includes('{port}'),
        'asks whichever release answers there, the one before as well as the one on trial',
        'write {port} as the port: each release finds its own in HUDDLE_PORT',
      ),
    ],
    [
      ['deployment.keep', 'deployment.shared'],
      when(
        !isBeside && !checked.isWrong('deployment.strategy'),
        'has no effect in place',
        'it is for the strategy side by side: take it away',
      ),
    ],
    [
      ['application.drain timeout'],
      when(!isGiven('application.proxy'), 'has no effect without application.proxy', 'take it away'),
    ],
    [
      ['scripts.pre-pull', 'scripts.post-pull'],
      when(
        hasProgram && !isBeside,
        'runs while the program is stopped',
        'keep it short: with the strategy "in place" its time is downtime',
      ),
    ],
    [ofProgram, when(!hasProgram, 'has no effect without application.start', 'write what to start')],
    [
      hasSection('watchdog') ? ofWatchdog : [],
      when(
        !hasProgram,
        'has no effect without application.start',
        'the watchdog restarts the program: write what to start',
      ),
    ],
    [
      ['watchdog.request'],
      when(!isGiven('watchdog.response'), 'is sent only where a response is wanted', 'write the response'),
    ],
    [
      ['watchdog.request'],
      when(isHttp(values.watchdog.host), 'has no effect over http', 'it is for TCP alone: take it away'),
    ],
    [
      ['test.timeout'],
      when(
        !isGiven('test.command') && !isGiven('test.remote'),
        'has no effect without a test',
        'write the command of the test',
      ),
    ],
    [
      ['scripts.timeout'],
      when(
        !isGiven('scripts.pre-pull') && !isGiven('scripts.post-pull') && !isGiven('scripts.switch'),
        'has no effect without scripts',
        'write a script',
      ),
    ],
    [['deployment.proving'], when(!values.deployment.rollback, 'has no effect without rollback', 'take it away')],
    ...doubtsOfRemote(checked),
    [['repository.local path'], windowsDoubt(values.repository['local path'])],
  ];
}

const switching = ['application.listen', 'application.proxy', 'scripts.switch'] as const;

const ofProgram = [
  'application.directory',
  'application.environment file',
  'application.stop signal',
  'application.stop timeout',
  'application.stop command',
  'application.restart',
  'application.crash limit',
  'application.crash window',
  'application.retry',
  'application.settle',
  'application.ready timeout',
] as const;

const ofWatchdog = ['watchdog.host', 'watchdog.port', 'watchdog.command', 'watchdog.response'] as const;

function doubtsOfRemote({ values, isGiven, isWrong }: Checked): readonly Doubt[] {
  if (!isGiven('repository.remote path') || isWrong('repository.remote path')) return [];
  const form = remoteForm(values.repository['remote path']);
  const isWeb = form === 'https' || form === 'http';
  return [
    [
      ['repository.username', 'repository.password file'],
      isWeb ? null : { message: 'has no effect: it is for https', hint: 'take it away' },
    ],
    [
      ['repository.password file'],
      form === 'http' ? { message: 'is sent readable to all over http', hint: 'write an https remote path' } : null,
    ],
    [
      ['repository.ssh key', 'repository.known hosts'],
      form === 'ssh' ? null : { message: 'has no effect: it is for ssh', hint: 'take it away' },
    ],
  ];
}

/** Elsewhere than on Windows, `C:/app` is a folder `C:` inside DIR: allowed, since it always was, but hardly meant. */
function windowsDoubt(path: string): Wrong | null {
  if (process.platform === 'win32' || !/^[a-z]:[\\/]/i.test(path)) return null;
  return {
    message: 'is a Windows path: on this system it is a folder inside the one of this file',
    hint: 'write a path such as /srv/app',
  };
}
