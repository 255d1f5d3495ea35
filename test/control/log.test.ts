import assert from 'node:assert/strict';
import { spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { openLog, type Format, type Log } from '../../src/control/log.ts';
import { temporaryFolder } from './fake-source.ts';

suite('The log', () => {
  test('writes plain lines: time, app, what happened; what is worse than that is named', () => {
    const { log, lines } = collected('plain');
    log.write('info', 'main moved', 'shop');
    log.write('warn', 'crashed', 'shop');
    log.write('error', 'no lock');
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;
    for (const line of lines) assert.match(line, time);
    const said = lines.map((line) => line.replace(time, ''));
    assert.deepEqual(said, ['shop: main moved\n', 'shop: warning: crashed\n', 'huddle: error: no lock\n']);
  });

  test('leaves the time to the journal, and gives it the priority', () => {
    const { log, lines } = collected('journal');
    log.write('info', 'main moved', 'shop');
    log.write('error', 'given up', 'shop');
    assert.deepEqual(lines, ['<6>shop: main moved\n', '<3>shop: given up\n']);
  });

  test('is coloured on a terminal, and says the same', () => {
    const { log, lines } = collected('pretty');
    log.write('warn', 'crashed', 'shop');
    assert.notEqual(stripVTControlCharacters(lines[0] ?? ''), lines[0]);
    assert.match(stripVTControlCharacters(lines[0] ?? ''), /^\d\d:\d\d:\d\d ▲ shop: crashed\n$/);
  });

  test('tells details with --debug only', () => {
    const quiet = collected('journal');
    quiet.log.write('debug', 'unmoved', 'shop');
    assert.deepEqual(quiet.lines, []);
    const loud = collected('journal', true);
    loud.log.write('debug', 'unmoved', 'shop');
    assert.deepEqual(loud.lines, ['<7>shop: unmoved\n']);
  });

  test('names commands that lead to the Huddle that wrote it', () => {
    const lines: string[] = [];
    const sink = { format: 'journal', write: (line: string) => void lines.push(line) } as const;
    const log = openLog({ debug: false, sink, place: { folder: '/etc/huddle', state: undefined } });
    log.write('info', 'paused until `huddle resume`', 'shop');
    assert.deepEqual(lines, ['<6>shop: paused until `huddle -c /etc/huddle resume`\n']);
  });

  test('tells the same thing as often as it happens', () => {
    const { log, lines } = collected('journal');
    for (let round = 0; round < 20; round += 1) log.write('info', 'same', 'shop');
    assert.equal(lines.length, 20);
  });

  test('lets no foreign text forge a line, a colour or a direction', () => {
    const { log, lines } = collected('journal');
    log.write('info', 'by Eve\n<3>bank: given up\r\u001b[31mred\u0007 \u202eesrever\u0085', 'sh\nop');
    assert.deepEqual(lines, ['<6>sh op: by Eve <3>bank: given up \\x1b[31mred\\x07 \\u{202e}esrever\\x85\n']);
  });

  test('strikes the credentials of a URL that slipped through', () => {
    const { log, lines } = collected('journal');
    log.write(
      'info',
      'asking https://ann:p@ss@example.org/a, http://token@host, ssh://git:pw@host, ssh://git@host/x@y',
    );
    assert.deepEqual(lines, [
      '<6>huddle: asking https://***@example.org/a, http://***@host, ssh://***@host, ssh://git@host/x@y\n',
    ]);
  });

  test('survives a sink that fails', () => {
    const write = (): never => {
      throw new Error('ENOSPC');
    };
    const log = openLog({ debug: false, sink: { format: 'plain', write } });
    assert.doesNotThrow(() => log.write('info', 'still here'));
  });
});

suite('The log on stderr', () => {
  const source = join(import.meta.dirname, '../../src/control/log.ts');
  const prelude = `import { openLog } from ${JSON.stringify(source)}; const log = openLog({ debug: false });`;

  /** A process that logs; resolves with how it ended and what it said on stdout and stderr. */
  function logging(body: string, stderr: 'pipe' | number, env: NodeJS.ProcessEnv = {}) {
    const stdio: StdioOptions = ['ignore', 'pipe', stderr];
    const args = ['--input-type=module-typescript', '-e', `${prelude}\n${body}`];
    const child = spawn(process.execPath, args, { stdio, env: { ...process.env, ...env } });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (out += String(chunk)));
    const read = () => child.stderr?.on('data', (chunk: Buffer) => (err += String(chunk)));
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      child.on('close', (code) => resolve({ code, out, err }));
    });
    return { child, ended, read };
  }

  test('is not silenced by the environment of a test', async () => {
    const env = { NODE_ENV: 'test', TEST: '1', CONSOLA_LEVEL: '0', DEBUG: '1' };
    const { ended, read } = logging("log.write('info', 'here', 'shop'); log.write('debug', 'there');", 'pipe', env);
    read();
    assert.match((await ended).err, /^\S+Z shop: here\n$/);
  });

  test('goes on when its reader is gone', async () => {
    const body = `setTimeout(() => { for (let i = 0; i < 9; i += 1) log.write('info', 'x'); }, 50);
      setTimeout(() => console.log('alive'), 150);`;
    const { child, ended } = logging(body, 'pipe');
    child.stderr?.destroy();
    const { code, out } = await ended;
    assert.deepEqual([code, out], [0, 'alive\n']);
  });

  test('goes on when the disk is full', async () => {
    const body = `for (let i = 0; i < 9; i += 1) log.write('info', 'x');
      setTimeout(() => { log.write('info', 'y'); console.log('alive'); }, 50);`;
    const { ended } = logging(body, openSync('/dev/full', 'w'));
    const { code, out } = await ended;
    assert.deepEqual([code, out], [0, 'alive\n']);
  });

  test('writes again when a full disk has room again', async (t) => {
    const folder = temporaryFolder(t);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
    if (!mounted) return t.skip('only root can mount a small disk');
    try {
      const [file, filler] = [join(folder, 'log'), join(folder, 'filler')];
      const fd = openSync(file, 'a');
      assert.throws(() => appendFileSync(filler, Buffer.alloc(128 * 1024)), { code: 'ENOSPC' });
      const body = `log.write('info', 'lost');
        process.getBuiltinModule('node:fs').rmSync(${JSON.stringify(filler)});
        setTimeout(() => log.write('info', 'kept'), 20);`;
      const { code } = await logging(body, fd).ended;
      closeSync(fd);
      assert.equal(code, 0);
      assert.match(readFileSync(file, 'utf8'), /^\S+ huddle: kept\n$/);
    } finally {
      spawnSync('umount', [folder]);
    }
  });

  test('neither waits nor grows for a reader that reads nothing, and says what is lost', async () => {
    const body = `const line = 'x'.repeat(1000);
      for (let i = 0; i < 5000; i += 1) log.write('info', line);
      console.log(process.stderr.writableLength < 2_000_000);
      const timer = setInterval(() => {
        if (process.stderr.writableLength > 0) return;
        clearInterval(timer);
        log.write('info', 'at last');
      }, 5);`;
    const { child, ended, read } = logging(body, 'pipe');
    child.stdout?.once('data', read);
    const { code, out, err } = await ended;
    assert.deepEqual([code, out], [0, 'true\n']);
    const [loss, last] = err.trimEnd().split('\n').slice(-2);
    const lost = Number(/^(\d+) lines are missing here/.exec(loss ?? '')?.[1]);
    assert.match(last ?? '', /huddle: at last$/);
    assert.equal(err.split('\n').filter((line) => line.includes('xxx')).length + lost, 5000);
  });

  test('is written to a file as plain lines, and as the journal wants it on the journal’s own file', async (t) => {
    const file = join(temporaryFolder(t), 'log');
    const fd = openSync(file, 'a');
    const { dev, ino } = statSync(file);
    await logging("log.write('info', 'plain');", fd, { JOURNAL_STREAM: '1:1' }).ended;
    await logging("log.write('info', 'journal');", fd, { JOURNAL_STREAM: `${dev}:${ino}` }).ended;
    assert.match(readFileSync(file, 'utf8'), /^\S+Z huddle: plain\n<6>huddle: journal\n$/);
  });
});

function collected(format: Format, debug = false): { readonly log: Log; readonly lines: readonly string[] } {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { log: openLog({ debug, sink: { format, write } }), lines };
}
