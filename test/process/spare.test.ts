import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { adoptProgram } from '../../src/process/adopt.ts';
import { identifyChild } from '../../src/process/identity.ts';
import { appPrefix, newMark } from '../../src/process/mark.ts';
import { endSpares } from '../../src/process/spare.ts';
import { markedWith } from '../../src/process/tree.ts';
import { exitOf, type Started, until, Workshop } from './workshop.ts';

const needsLinux = process.platform !== 'linux' && 'only Linux has one';

/** The pid of the shell that waits, once there is one. */
async function spareOf({ hash }: Workshop): Promise<number> {
  const found = () => markedWith(appPrefix(hash, ''))[0]?.pid;
  await until(() => found() !== undefined, 'a spare');
  return found() ?? 0;
}

/** A workshop in which something has been started, so that a spare is ready. */
async function ready(t: TestContext): Promise<{ workshop: Workshop; spare: number }> {
  const workshop = new Workshop(t);
  await exitOf(workshop.start({ start: ['true'] }));
  return { workshop, spare: await spareOf(workshop) };
}

const pidOf = ({ alive }: Started): number => alive.root.pid;

/** What a process sees of how it was started; `_` is a shell's own word. */
const show = `
  const { _, ...env } = process.env;
  const session = require('node:fs').readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ').slice(2, 4).join(' ');
  const umask = process.umask();
  const sorted = Object.fromEntries(Object.entries(env).sort());
  console.log(JSON.stringify({ argv: process.argv.slice(1), cwd: process.cwd(), session, umask, env: sorted }, null, 1));`;

suite('A waiting shell', { skip: needsLinux }, () => {
  test('becomes a program that was started before, which cannot tell', async (t) => {
    for (const [name, value] of [
      ["Huddle's-own", 'kept'],
      ['PPID', '1'],
    ] as const) {
      process.env[name] = value;
      t.after(() => delete process.env[name]);
    }
    const { workshop, spare } = await ready(t);
    const environment = {
      PLAIN: 'one',
      QUOTED: `'"$HOME"\`id\`\\`,
      PATH: process.env['PATH'] ?? '',
      ENV: '/nowhere',
      IFS: 'e',
      lower: 'case',
      // A shell has its own ideas of these, or cannot name them.
      OPTIND: 'abc',
      PPID: '1',
      RANDOM: 'x',
      UID: 'y',
      SHLVL: '7',
      LINES: 'one\ntwo\n',
      'odd-name': 'z',
    };
    const told = async (start: string[], isKnown: boolean) => {
      const from = workshop.output().length;
      const started = workshop.start({ start, environment }, { isKnown });
      assert.deepEqual(await exitOf(started), { code: 0, signal: null });
      const text = workshop.output().slice(from).replaceAll(started.input.mark, 'MARK');
      return { pid: pidOf(started), lines: text.replaceAll(String(pidOf(started)), 'PID').split('\n') };
    };
    const program = ['node', '-e', show, 'a b', "it's", '$HOME', '', 'two\nlines'];
    const cast = await told(program, true);
    const spawned = await told(program, false);
    assert.equal(cast.pid, spare);
    assert.notEqual(spawned.pid, spare);
    assert.deepEqual(cast.lines, spawned.lines);
    const all = cast.lines.join('\n');
    assert.match(all, /"HUDDLE_MARK": "MARK"/);
    assert.match(all, /"OPTIND": "abc"/);
    assert.match(all, /"Huddle's-own": "kept"/);
    assert.match(all, /"session": "PID PID"/);
  });

  test('becomes one that reads nothing, writes to its log alone, and holds nothing else', async (t) => {
    const { workshop, spare } = await ready(t);
    const started = workshop.start({ start: ['sleep', '1000'] }, { isKnown: true });
    assert.equal(pidOf(started), spare);
    const nameOf = () => readFileSync(`/proc/${spare}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    await until(() => nameOf() === 'sleep 1000', 'the program');
    const files = [0, 1, 2].map((file) => readlinkSync(`/proc/${spare}/fd/${file}`));
    assert.deepEqual(files, ['/dev/null', workshop.log, workshop.log]);
    assert.equal(readlinkSync(`/proc/${spare}/cwd`), workshop.copy);
    process.kill(spare, 'SIGTERM');
    assert.deepEqual(await exitOf(started), { code: null, signal: 'SIGTERM' });
  });

  test('becomes nothing that was never started: what cannot be executed is told as ever', async (t) => {
    const { workshop, spare } = await ready(t);
    writeFileSync(join(workshop.copy, 'serve'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const started = workshop.start({ start: ['./serve'] });
    await until(() => started.reports.length > 0, 'a report');
    assert.deepEqual(
      started.reports.map(({ type }) => type),
      ['process.failed'],
    );
    assert.equal(await spareOf(workshop), spare);
  });

  test('is not asked to pass on what env(1) would take for an option', async (t) => {
    const { workshop, spare } = await ready(t);
    const environment = { '-u': 'x' };
    const started = workshop.start({ start: ['sh', '-c', 'exit 5'], environment }, { isKnown: true });
    assert.notEqual(pidOf(started), spare);
    assert.deepEqual(await exitOf(started), { code: 5, signal: null });
  });

  test('is there for a program that was taken over, too', async (t) => {
    const workshop = new Workshop(t);
    const mark = newMark(workshop.hash, 'shop');
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    const root = { ...identifyChild(child.pid ?? 0), mark };
    const { leave } = adoptProgram(root, { log: workshop.log, since: Date.now() }, () => {});
    await spareOf(workshop);
    leave();
  });

  test('that was killed is missed by nobody', async (t) => {
    const { workshop, spare } = await ready(t);
    process.kill(spare, 'SIGKILL');
    await until(() => markedWith(appPrefix(workshop.hash, '')).length === 0, 'its end');
    const started = workshop.start({ start: ['sh', '-c', 'exit 3'] }, { isKnown: true });
    assert.deepEqual(await exitOf(started), { code: 3, signal: null });
    assert.notEqual(await spareOf(workshop), spare);
  });

  test('holds nobody up, and ends with who has forked it', async (t) => {
    const workshop = new Workshop(t);
    const source = new URL('../../src/process/spare.ts', import.meta.url);
    const program = `
      import { keepSpare } from ${JSON.stringify(source.href)};
      keepSpare('${newMark(workshop.hash, 'shop')}');
      setTimeout(() => {}, 1500);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
    const ended = once(child, 'exit');
    const spare = await spareOf(workshop);
    assert.deepEqual(await ended, [0, null]);
    await until(() => markedWith(appPrefix(workshop.hash, '')).length === 0, `the end of ${spare}`);
  });

  test('of a dead Huddle is ended, also in the midst of becoming a program', async (t) => {
    const workshop = new Workshop(t);
    const mark = newMark(workshop.hash, '');
    const env = { ...process.env, HUDDLE_MARK: mark };
    const left = spawn('sh', ['-c', 'export HUDDLE_MARK=other; sleep 1000; :'], { env, detached: true });
    const ended = once(left, 'exit');
    await until(() => markedWith(mark).length > 0, 'it');
    await endSpares(workshop.hash);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  });

  test('gets its line whole or does nothing', (t) => {
    const workshop = new Workshop(t);
    const flag = join(workshop.folder, 'flag');
    const line = `{ exec >>'/dev/null' 2>&1; cd '/' && exec touch '${flag}' </dev/null; }\n`;
    for (let length = 0; length < line.length - 3; length++) {
      spawnSync('/bin/sh', ['-s'], { input: line.slice(0, length), timeout: 10_000 });
      assert.throws(() => readFileSync(flag), { code: 'ENOENT' }, line.slice(0, length));
    }
    spawnSync('/bin/sh', ['-s'], { input: line, timeout: 10_000 });
    assert.equal(readFileSync(flag, 'utf8'), '');
  });
});
