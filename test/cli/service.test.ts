import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { systemdUnit, type Unit } from '../../src/cli/systemd-unit.ts';
import { windowsTask } from '../../src/cli/windows-task.ts';
import { temporaryFolder } from '../control/fake-source.ts';
import { Child, huddle, start } from './command.ts';

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
const skip = !hasSystemd && 'there is no systemd-analyze here';
/** A user whom nobody has written down. */
const stranger = ['--reuid', '54321', '--clear-groups'];
const strangerMayRead = [process.execPath, huddle].every(
  (file) => spawnSync('setpriv', [...stranger, 'test', '-r', file]).status === 0,
);

suite('huddle service', () => {
  test('prints a unit that systemd finds nothing wrong with', { skip }, async (t) => {
    for (const kind of ['system', 'user'] as const) {
      const { code, stdout, stderr } = await start('service', '-c', temporaryFolder(t), ...asked(kind)).ended;
      assert.deepEqual([code, stderr], [0, '']);
      assert.equal(verified(t, stdout, kind), '');
    }
  });

  test('is checked by a check that finds what is wrong', { skip }, async (t) => {
    const { stdout } = await start('service', '-c', temporaryFolder(t)).ended;
    assert.match(verified(t, stdout.replace('\nKillMode=', '\nKillMod=')), /Unknown key/);
    assert.match(verified(t, stdout.replace(process.execPath, '/nowhere/node')), /not executable/);
  });

  test('writes odd paths so that systemd reads them as they are', { skip }, (t) => {
    // Of the program itself systemd takes no quotes.
    const odd = join(temporaryFolder(t), 'a %h $b');
    mkdirSync(odd);
    symlinkSync(process.execPath, join(odd, 'node'));
    const args = ['-c', String.raw`/$A "b" 'c' %h \d ;`];
    const unit = systemdUnit(unitOf({ node: join(odd, 'node'), command: join(odd, 'huddle'), args }));
    assert.equal(verified(t, unit), '');
    const folder = odd.replace('%', '%%');
    const line = `ExecStart="${folder}/node" "${folder.replace('$', '$$$$')}/huddle" -c`;
    assert.ok(unit.includes(String.raw`${line} "/$$A \"b\" 'c' %%h \\d ;"`), unit);
    const broken = systemdUnit(unitOf({ args: ['-c', '/srv\n[Service]\nUser=evil'] }));
    assert.doesNotMatch(broken, /^User=evil/m);
  });

  test('holds what keeps programs alive, and stops later than the slowest app', async (t) => {
    const folder = temporaryFolder(t);
    for (const [name, application] of [
      ['blog', { 'stop timeout': 5 }],
      ['news', { start: 'exec news', 'stop timeout': 9.5, proxy: 80, 'drain timeout': 90 }],
      ['shop', { 'stop timeout': 90 }],
    ] as const) {
      const repository = { 'remote path': '/srv/git', 'local path': `copies/${name}` };
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ repository, application }));
    }
    writeFileSync(join(folder, 'broken.json'), '{');
    const { stdout } = await start('service', '-c', folder, '--state', '/var/lib/x').ended;
    for (const line of [
      'KillMode=process',
      'Restart=always',
      'OOMPolicy=continue',
      'Delegate=yes',
      'ExecReload=/bin/kill -HUP $MAINPID',
      'Wants=network-online.target',
      'After=network-online.target',
      'WantedBy=multi-user.target',
      `User=${userInfo().username}`,
      `ExecStart=${process.execPath} ${huddle} -c ${folder} --state /var/lib/x`,
      `#   huddle -c ${folder} --state /var/lib/x detach`,
      'TimeoutStopSec=160',
    ]) {
      assert.ok(stdout.split('\n').includes(line), `${line}\n${stdout}`);
    }
  });

  test('names DIR and the command by their whole paths, wherever it is called', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'apps'));
    const line = 'cd "$1" && exec "$2" "$3" service -c apps';
    const { stdout } = await new Child('sh', ['-c', line, 'sh', folder, process.execPath, huddle]).ended;
    assert.ok(stdout.includes(`ExecStart=${process.execPath} ${huddle} -c ${join(folder, 'apps')}\n`), stdout);
  });

  test('finds the programs that stand beside a Node.js in a place of its own', () => {
    const own = systemdUnit(unitOf({ node: '/home/me/.nvm/bin/node' }));
    assert.match(own, /^Environment=PATH=\/home\/me\/\.nvm\/bin:\/usr\/local\/sbin:/m);
    assert.doesNotMatch(systemdUnit(unitOf({ node: '/usr/bin/node' })), /^Environment/m);
  });

  test('a unit of the user needs neither root nor the system’s targets', () => {
    const unit = systemdUnit({ ...unitOf({}), kind: 'user' });
    assert.doesNotMatch(unit, /^User=|network-online|sudo/m);
    assert.match(unit, /^WantedBy=default\.target$/m);
    assert.match(unit, /systemctl --user enable --now huddle\n.*loginctl enable-linger/);
  });

  test('prints for Windows what starts it at boot, on any machine', async () => {
    const { code, stdout } = await start('service', '--for', 'windows', '-c', "C:\\it's\\my apps\\").ended;
    assert.equal(code, 0);
    const line = String.raw`"C:\Program Files\nodejs\node_modules\huddle\src\huddle.cjs" -c "C:\it''s\my apps\\"`;
    assert.ok(stdout.includes(`-Argument '${line}'\n`), stdout);
    assert.match(stdout, /-ExecutionTimeLimit \(\[TimeSpan\]::Zero\).*\n.*-AtStartup/);
    const quoted = windowsTask({ node: 'n', command: 'c', args: ['a "b\\" c'], listening: [] });
    assert.ok(quoted.includes(String.raw`-Argument 'c "a \"b\\\" c"'`), quoted);
  });

  test('passes on how Huddle is to listen, but not to the commands that it names', async (t) => {
    const folder = temporaryFolder(t);
    const options = ['--listen', '0.0.0.0:7357', '--tls-cert', 'cert.pem', '--tls-key', '/k', '--allow-host', 'a.org'];
    const { code, stdout } = await start('service', '-c', folder, ...options).ended;
    assert.equal(code, 0);
    const cert = join(process.cwd(), 'cert.pem');
    const listening = `--listen 0.0.0.0:7357 --allow-host a.org --tls-cert ${cert} --tls-key /k`;
    assert.match(stdout, new RegExp(`^ExecStart=.* -c ${folder} ${listening}$`, 'm'));
    assert.match(stdout, new RegExp(`^# {3}huddle service -c ${folder} ${listening} [>|]`, 'm'));
    assert.match(stdout, new RegExp(`^# {3}huddle -c ${folder} detach$`, 'm'));
    const windows = await start('service', '--for', 'windows', '-c', folder, '--inspect').ended;
    assert.match(windows.stdout, /-Argument '[^']* --inspect'/);
    const open = await start('service', '-c', folder, '--listen', '0.0.0.0:7357').ended;
    assert.deepEqual([open.code, open.stdout], [2, '']);
  });

  test(
    'names a user who has only a number by that',
    { skip: !strangerMayRead && 'needs root, and a checkout that anybody may read' },
    async (t) => {
      const folder = temporaryFolder(t);
      chmodSync(folder, 0o755);
      const setpriv = [...stranger, process.execPath, huddle, 'service', '-c', folder];
      const { code, stdout, stderr } = await new Child('setpriv', setpriv, { HOME: folder }).ended;
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^User=54321$/m);
    },
  );

  test('fails where there is no such folder', async (t) => {
    const { code, stdout, stderr } = await start('service', '-c', join(temporaryFolder(t), 'none')).ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /none: no such file or directory\n/);
  });
});

function asked(kind: Unit['kind']): string[] {
  return kind === 'user' ? ['--user'] : [];
}

function unitOf(place: Partial<Unit['place']>): Unit {
  const usual = { node: process.execPath, command: '/usr/bin/huddle', args: ['-c', '/srv'], listening: [] };
  return { place: { ...usual, ...place }, longestStop: 10, kind: 'system', username: 'root' };
}

/** What systemd has to say of a unit; it exits 0 all the same. Of the machine's own units it may have to say more. */
function verified(t: TestContext, unit: string, kind: Unit['kind'] = 'system'): string {
  const folder = temporaryFolder(t);
  const file = join(folder, 'huddle-test.service');
  writeFileSync(file, unit);
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const { stdout, stderr, error } = spawnSync('systemd-analyze', [`--${kind}`, 'verify', file], {
    encoding: 'utf8',
    env,
  });
  if (error) throw error;
  const lines = `${stdout}${stderr}`.split('\n');
  return lines.filter((line) => /huddle-test|Failed/.test(line)).join('\n');
}
