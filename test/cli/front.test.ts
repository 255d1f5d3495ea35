import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { suite, test } from 'node:test';
import { readCommandLine } from '../../src/cli/front.ts';
import { Misuse } from '../../src/cli/misuse.ts';
import { noOptions, type Options } from '../../src/cli/options.ts';

suite('The command line', () => {
  const right: readonly (readonly [line: string, verb: string, options: Partial<Options>])[] = [
    ['', 'huddle', {}],
    ['-c /srv', 'huddle', { folder: '/srv' }],
    ['-c/srv', 'huddle', { folder: '/srv' }],
    ['--config /srv -d', 'huddle', { folder: '/srv', debug: true }],
    ['--config=/srv --once', 'huddle', { folder: '/srv', once: true }],
    ['--config=-d', 'huddle', { folder: '-d' }],
    ['-dc /srv', 'huddle', { folder: '/srv', debug: true }],
    ['-c /srv status', 'status', { folder: '/srv' }],
    ['status -c /srv', 'status', { folder: '/srv' }],
    ['--json status --state /var/x', 'status', { json: true, state: '/var/x' }],
    ['status shop blog --watch', 'status', { apps: ['shop', 'blog'], watch: true }],
    ['status shop --json blog', 'status', { apps: ['shop', 'blog'], json: true }],
    ['status -- -odd', 'status', { apps: ['-odd'] }],
    ['-d validate --json', 'validate', { debug: true, json: true }],
    ['-c /srv schema', 'schema', { folder: '/srv' }],
    ['-c /srv init', 'init', { folder: '/srv' }],
    ['demo', 'demo', {}],
    ['check shop blog --dry-run', 'check', { apps: ['shop', 'blog'], dryRun: true }],
    ['--all stop', 'stop', { all: true }],
    ['stop', 'stop', {}],
    ['deploy shop v2 --json', 'deploy', { apps: ['shop'], revision: 'v2', json: true }],
    ['deploy shop', 'deploy', { apps: ['shop'] }],
    ['rollback shop', 'rollback', { apps: ['shop'] }],
    ['history shop -n 5', 'history', { apps: ['shop'], lines: 5 }],
    ['history shop -n5', 'history', { apps: ['shop'], lines: 5 }],
    ['--lines=0 history shop', 'history', { apps: ['shop'], lines: 0 }],
    ['logs -fn5 shop --deploy', 'logs', { follow: true, lines: 5, deploy: true, apps: ['shop'] }],
    ['detach --json', 'detach', { json: true }],
    ['service --for windows --user', 'service', { for: 'windows', user: true }],
    ['service --listen 7357', 'service', { listen: '7357' }],
    ['completion zsh', 'completion', { shell: 'zsh' }],
    ['--listen 7357 --insecure', 'huddle', { listen: '7357', insecure: true }],
    ['--inspect --allow-host a.org --allow-host ::1', 'huddle', { inspect: true, allowHosts: ['a.org', '::1'] }],
    ['--listen [::1]:0 --tls-cert=c --tls-key k', 'huddle', { listen: '[::1]:0', tlsCert: 'c', tlsKey: 'k' }],
    ['open --json', 'open', { json: true }],
  ];
  for (const [line, verb, options] of right) {
    test(`takes 'huddle ${line}'`, () => {
      const invocation = readCommandLine(words(line));
      assert.ok(invocation.kind === 'run');
      assert.equal(invocation.command.meta.name, verb);
      assert.deepEqual(invocation.options, { ...noOptions, ...options });
    });
  }

  const asked: readonly (readonly [line: string, kind: string, verb?: string])[] = [
    ['--help', 'help', 'huddle'],
    ['-h', 'help', 'huddle'],
    ['status --help', 'help', 'status'],
    ['--help status', 'help', 'status'],
    ['-dh', 'help', 'huddle'],
    ['--version', 'version'],
    ['status --version', 'version'],
    ['__complete --jsn -c', 'complete'],
    ['validate surplus --help', 'help', 'validate'],
    ['help', 'help', 'huddle'],
    ['help status', 'help', 'status'],
    ['-c /srv help status', 'help', 'status'],
    ['version', 'version'],
  ];
  for (const [line, kind, verb] of asked) {
    test(`answers 'huddle ${line}' with ${kind}`, () => {
      const invocation = readCommandLine(words(line));
      assert.equal(invocation.kind, kind);
      if (invocation.kind === 'help') assert.equal(invocation.command.meta.name, verb);
    });
  }

  test('says of an empty word what is wrong with it', () => {
    for (const line of [['deploy', 'shop', ''], ['stop', ''], ['']])
      assert.throws(
        () => readCommandLine(line),
        new Misuse('an argument is empty', 'Is a variable of the shell not set?'),
      );
  });

  const wrong: readonly (readonly [line: string, message: string, hint: string])[] = [
    ['statsu', 'unknown command statsu', 'Did you mean status?'],
    ['valid', 'unknown command valid', 'See huddle --help.'],
    ['help statsu', 'unknown command statsu', 'Did you mean status?'],
    ['validat', 'unknown command validat', 'Did you mean validate?'],
    ['run', 'unknown command run', 'Leave it out: `huddle -c DIR` runs in the foreground.'],
    [tmpdir(), `unknown command ${tmpdir()}`, `Did you mean huddle -c ${tmpdir()}?`],
    ['constructor', 'unknown command constructor', 'See huddle --help.'],
    ['--jsn', 'unknown option --jsn', 'See huddle --help.'],
    ['status --jsn', 'unknown option --jsn of huddle status', 'Did you mean --json?'],
    ['status -json', 'unknown option -j of huddle status', 'Did you mean --json?'],
    ['status --no-json', 'unknown option --no-json of huddle status', 'Did you mean --json?'],
    ['status -x', 'unknown option -x of huddle status', 'See huddle status --help.'],
    ['--watch', 'unknown option --watch', 'It belongs to huddle status.'],
    ['status --once', 'unknown option --once of huddle status', 'Give it without a command.'],
    ['--confg /srv', 'unknown option --confg', 'Did you mean --config?'],
    ['-c', '-c needs a folder', 'Write -c DIR.'],
    ['--state= status', '--state needs a folder', 'Write --state DIR.'],
    ['-c -d', '-c needs a folder, but -d follows', 'Write --config=-d if that is its name.'],
    ['-c /a --config /b', '--config is given twice', 'Give it once.'],
    ['--json=yes status', '--json takes no value', 'Write --json alone.'],
    ['validate shop', 'unexpected argument shop of huddle validate', 'See huddle validate --help.'],
    ['deploy shop v2 v3', 'unexpected argument v3 of huddle deploy', 'See huddle deploy --help.'],
    ['rollback shop blog', 'unexpected argument blog of huddle rollback', 'See huddle rollback --help.'],
    ['deploy shop --dry-run', 'unknown option --dry-run of huddle deploy', 'It belongs to huddle check.'],
    ['stop --al', 'unknown option --al of huddle stop', 'Did you mean --all?'],
    ['history shop -n x', '-n needs a number, not x', 'Write -n N.'],
    ['history shop -n 1.5', '-n needs a number, not 1.5', 'Write -n N.'],
    ['history shop -n -5', '-n needs a number, but -5 follows', 'Write -n N.'],
    ['history shop -n', '-n needs a number', 'Write -n N.'],
    ['service --for linux', '--for needs systemd or windows, not linux', 'Write --for systemd.'],
    ['service --for', '--for needs systemd or windows', 'Write --for systemd.'],
    ['completion zsh fish', 'unexpected argument fish of huddle completion', 'See huddle completion --help.'],
    ['restrat shop', 'unknown command restrat', 'Did you mean restart?'],
    ['logs -n five shop', '-n needs a number, not five', 'Write -n N.'],
    ['--listen', '--listen needs an address', 'Write --listen [HOST:]PORT.'],
    ['--listen 70000', '--listen needs an address, not 70000', 'Write --listen [HOST:]PORT.'],
    ['--listen 1.2.3:80', '--listen needs an address, not 1.2.3:80', 'Write --listen [HOST:]PORT.'],
    ['--listen ::1:80', '--listen needs an address, not ::1:80', 'Write --listen [HOST:]PORT.'],
    ['--listen 80 --listen 81', '--listen is given twice', 'Give it once.'],
    ['--allow-host a.org:80', '--allow-host needs a host name, not a.org:80', 'Write --allow-host NAME.'],
    ['--allow-host *', '--allow-host needs a host name, not *', 'Write --allow-host NAME.'],
    ['--tls-cert', '--tls-cert needs a file', 'Write --tls-cert FILE.'],
    ['status --listen 80', 'unknown option --listen of huddle status', 'Give it without a command.'],
  ];
  for (const [line, message, hint] of wrong) {
    test(`refuses 'huddle ${line}'`, () => {
      assert.throws(() => readCommandLine(words(line)), new Misuse(message, hint));
    });
  }
});

function words(line: string): string[] {
  return line === '' ? [] : line.split(' ');
}
