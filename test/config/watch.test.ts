import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../machines/failure.ts';
import type { FolderReport } from '../../machines/protocol.ts';
import { KnownFiles } from '../../src/config/known-files.ts';
import { watchFolder } from '../../src/config/watch.ts';

function app(branch: string): string {
  return JSON.stringify({ repository: { 'remote path': '/srv/a.git', 'local path': `./${branch}`, branch } });
}

/** A report in short: `put a.json main`, `broken a.json`, `removed a.json`, `read`. */
function short(report: FolderReport): string {
  if (report.type === 'config.read') return 'read';
  const what = `${report.type.slice('config.'.length)} ${report.file}`;
  return report.type === 'config.put' ? `${what} ${report.config.repository.branch}` : what;
}

/** A base folder of its own, and DIR in it. */
async function place(t: TestContext): Promise<{ base: string; dir: string; file: (name: string) => string }> {
  const base = await mkdtemp(path.join(os.tmpdir(), 'huddle-watch-'));
  t.after(() => rm(base, { recursive: true, force: true }));
  const dir = path.join(base, 'conf');
  await mkdir(dir);
  return { base, dir, file: (name) => path.join(dir, name) };
}

/** Watches, and hands out what has been reported since it was last asked. */
async function watched(t: TestContext, dir: string) {
  const reports: FolderReport[] = [];
  const warnings: Failure[] = [];
  let taken = 0;
  const watching = await watchFolder(dir, (report) => reports.push(report), {
    home: '/no',
    warn: (failure) => warnings.push(failure),
  });
  t.after(() => watching.close());
  const fresh = () => reports.slice(taken).map(short);
  return {
    reports,
    warnings,
    watching,
    fresh,
    /** Waits until exactly these have been reported, in any order of files. */
    expect: async (...expected: readonly string[]): Promise<void> => {
      for (const deadline = Date.now() + 15_000; fresh().length < expected.length && Date.now() < deadline;)
        await sleep(10);
      assert.deepEqual(fresh().sort(), [...expected].sort());
      taken = reports.length;
    },
  };
}

suite('A watched folder', { concurrency: 8 }, () => {
  test('is told file by file in the order of names, and then that it has been read', async (t) => {
    const { dir, file } = await place(t);
    for (const name of ['b.json', 'a.json', 'C.json', '_d.json', '.e.json', 'f.txt'])
      await writeFile(file(name), app(name[0] ?? ''));
    await writeFile(file('aa.ini'), 'x');
    const { reports } = await watched(t, dir);
    assert.deepEqual(reports.map(short), ['put C.json C', 'put a.json a', 'broken aa.ini', 'put b.json b', 'read']);
    const [first, , broken] = reports;
    assert.equal(first?.type === 'config.put' && first.name, 'C');
    assert.equal(first?.type === 'config.put' && first.config.repository.localPath, path.join(dir, 'C'));
    assert.ok(broken?.type === 'config.broken' && broken.failure.code === 'config-invalid');
    assert.equal(broken.name, 'aa');
    assert.match(broken.failure.message, /^reading aa\.ini:1:1: /);
  });

  test('that is not there, or is a file, is refused at the start', async (t) => {
    const { dir, file } = await place(t);
    await writeFile(file('a.json'), app('a'));
    for (const wrong of [path.join(dir, 'no'), file('a.json')]) {
      await assert.rejects(
        watchFolder(wrong, () => {}),
        (thrown) => thrown instanceof Failure && thrown.code === 'directory-missing',
      );
    }
  });

  test('tells a file that is dropped, edited, moved in from elsewhere, replaced', async (t) => {
    const { base, dir, file } = await place(t);
    const { expect } = await watched(t, dir);
    await expect('read');
    await writeFile(file('a.json'), app('one'));
    await expect('put a.json one');
    await writeFile(file('a.json'), app('two'));
    await expect('put a.json two');
    await writeFile(path.join(base, 'elsewhere'), app('three'));
    await rename(path.join(base, 'elsewhere'), file('a.json'));
    await expect('put a.json three');
    await writeFile(file('.a.json.swp'), app('four'));
    await rename(file('.a.json.swp'), file('a.json'));
    await expect('put a.json four');
    await writeFile(file('a.json'), app('five'));
    await expect('put a.json five');
  });

  test('says nothing of a rewrite with the same meaning, nor of other files', async (t) => {
    const { dir, file } = await place(t);
    await writeFile(file('a.json'), app('one'));
    await writeFile(file('bad.json'), '{');
    const { expect } = await watched(t, dir);
    await expect('put a.json one', 'broken bad.json', 'read');
    await writeFile(file('a.json'), `// the same\n${app('one')}\n`);
    await writeFile(file('bad.json'), '{');
    for (const name of ['_x.json', '.x.json', 'x.txt', 'x.json~']) await writeFile(file(name), app('x'));
    await mkdir(file('x.json'));
    await writeFile(path.join(file('x.json'), 'y.json'), app('y'));
    await sleep(300);
    await writeFile(file('z.json'), app('z'));
    await expect('put z.json z');
  });

  test('tells a broken edit, and again what it meant before once it is whole', async (t) => {
    const { dir, file } = await place(t);
    await writeFile(file('a.json'), app('one'));
    const { expect, reports } = await watched(t, dir);
    await expect('put a.json one', 'read');
    await writeFile(file('a.json'), app('one').slice(0, 40));
    await expect('broken a.json');
    await writeFile(file('a.json'), '{\n "repositroy": {} }');
    await expect('broken a.json');
    const last = reports.at(-1);
    assert.match(last?.type === 'config.broken' ? `${last.failure.message}; ${last.failure.hint}` : '', /a\.json:/);
    await writeFile(file('a.json'), app('one'));
    await expect('put a.json one');
  });

  test('reads a file written in two halves when it is whole', async (t) => {
    const { dir, file } = await place(t);
    await writeFile(file('a.json'), app('one'));
    const { expect } = await watched(t, dir);
    await expect('put a.json one', 'read');
    const next = app('two');
    await writeFile(file('a.json'), next.slice(0, 50));
    await sleep(20);
    await writeFile(file('a.json'), next.slice(50), { flag: 'a' });
    await expect('put a.json two');
  });

  test('takes thirty files at once, each once, and their going as well', async (t) => {
    const { dir, file } = await place(t);
    const { expect } = await watched(t, dir);
    await expect('read');
    const names = Array.from({ length: 30 }, (_, index) => `app${index}`);
    await Promise.all(names.map((name) => writeFile(file(`${name}.json`), app(name))));
    await expect(...names.map((name) => `put ${name}.json ${name}`));
    await Promise.all(names.map((name) => rm(file(`${name}.json`))));
    await expect(...names.map((name) => `removed ${name}.json`));
  });

  test('says that a file is gone once it has been away for two seconds: removed, or renamed with _', async (t) => {
    const { dir, file } = await place(t);
    await writeFile(file('a.json'), app('a'));
    await writeFile(file('b.json'), '{');
    await writeFile(file('c.json'), app('c'));
    const { expect, fresh } = await watched(t, dir);
    await expect('put a.json a', 'broken b.json', 'put c.json c', 'read');
    const since = performance.now();
    await rm(file('a.json'));
    await rename(file('b.json'), file('_b.json'));
    while (fresh().length === 0) await sleep(10);
    assert.ok(performance.now() - since >= 2000);
    await expect('removed a.json', 'removed b.json');
    await writeFile(file('a.json'), app('a'));
    await expect('put a.json a');
  });

  test('says nothing of a file that is back within two seconds, and what it means if that is new', async (t) => {
    const { dir, file } = await place(t);
    for (const name of ['a', 'b']) await writeFile(file(`${name}.json`), app(name));
    const { expect } = await watched(t, dir);
    await expect('put a.json a', 'put b.json b', 'read');
    await rename(file('a.json'), file('a.json~'));
    await rm(file('b.json'));
    await sleep(600);
    await rename(file('a.json~'), file('a.json'));
    await writeFile(file('b.json'), app('other'));
    await expect('put b.json other');
    await sleep(2500);
    await expect();
  });

  test('that vanishes takes no app along, and is watched again when it is back', async (t) => {
    const { base, dir, file } = await place(t);
    for (const name of ['a', 'b']) await writeFile(file(`${name}.json`), app(name));
    const { expect } = await watched(t, dir);
    await expect('put a.json a', 'put b.json b', 'read');
    await rename(dir, path.join(base, 'away'));
    await sleep(2700);
    await expect();
    await rename(path.join(base, 'away'), dir);
    await writeFile(file('a.json'), app('one'));
    await expect('put a.json one');
    await writeFile(file('a.json'), app('two'));
    await expect('put a.json two');
    await rm(file('b.json'));
    await expect('removed b.json');
  });

  test('that is away for less than a moment is watched all the same', async (t) => {
    const { base, dir, file } = await place(t);
    await writeFile(file('a.json'), app('a'));
    const { expect } = await watched(t, dir);
    await expect('put a.json a', 'read');
    // Long enough for chokidar to let go of the folder, and too short for a look to miss it.
    for (const gap of [0, 2, 4]) {
      await rename(dir, path.join(base, 'away'));
      await sleep(gap);
      await rename(path.join(base, 'away'), dir);
      await sleep(300);
      await writeFile(file('a.json'), app(`after${gap}`));
      await expect(`put a.json after${gap}`);
    }
    await writeFile(file('b.json'), app('b'));
    await expect('put b.json b');
  });

  test('that is deleted with all its files, and made anew, takes no app along', async (t) => {
    const { dir, file } = await place(t);
    for (const name of ['a', 'b']) await writeFile(file(`${name}.json`), app(name));
    const { expect } = await watched(t, dir);
    await expect('put a.json a', 'put b.json b', 'read');
    await rm(dir, { recursive: true });
    await sleep(300);
    await mkdir(dir);
    // An empty folder is what an unmounted disk leaves behind.
    await sleep(2700);
    await expect();
    await writeFile(file('b.json'), app('b'));
    await writeFile(file('c.json'), app('c'));
    // Now the folder speaks again, and of `a` it says that it is gone.
    await expect('put c.json c', 'removed a.json');
  });

  test('that another one takes the place of is the one that counts', async (t) => {
    const { base, dir } = await place(t);
    const [one, two] = [path.join(base, 'one'), path.join(base, 'two')];
    for (const folder of [one, two]) await mkdir(folder);
    for (const name of ['a', 'b']) await writeFile(path.join(one, `${name}.json`), app(name));
    await writeFile(path.join(two, 'a.json'), app('other'));
    const link = path.join(dir, 'link');
    await symlink(one, link);
    const { expect } = await watched(t, link);
    await expect('put a.json a', 'put b.json b', 'read');
    await symlink(two, path.join(dir, 'next'));
    await rename(path.join(dir, 'next'), link);
    await expect('put a.json other', 'removed b.json');
    await writeFile(path.join(two, 'c.json'), app('c'));
    await expect('put c.json c');
  });

  test('may hold symlinks, as Kubernetes mounts its config maps', async (t) => {
    const { base, dir, file } = await place(t);
    await mkdir(file('..1'));
    await writeFile(path.join(file('..1'), 'a.json'), app('one'));
    await symlink('..1', file('..data'));
    await symlink('..data/a.json', file('a.json'));
    await writeFile(path.join(base, 'outside'), app('b'));
    await symlink('../outside', file('b.json'));
    const { expect } = await watched(t, dir);
    await expect('put a.json one', 'put b.json b', 'read');
    await mkdir(file('..2'));
    await writeFile(path.join(file('..2'), 'a.json'), app('two'));
    await symlink('..2', file('..tmp'));
    await rename(file('..tmp'), file('..data'));
    await rm(file('..1'), { recursive: true });
    await expect('put a.json two');
    await writeFile(path.join(base, 'outside'), app('bb'));
    await expect('put b.json bb');
    // Still listed: whoever broke the link has not taken the app away.
    await rm(path.join(base, 'outside'));
    await expect('broken b.json');
    await rm(file('b.json'));
    await expect('removed b.json');
  });

  test('outlives a listener that throws, and says so', async (t) => {
    const { dir, file } = await place(t);
    const warnings: Failure[] = [];
    const heard: string[] = [];
    const watching = await watchFolder(
      dir,
      (report) => {
        heard.push(short(report));
        throw new Error('no');
      },
      {
        warn: (failure) => {
          warnings.push(failure);
          throw failure;
        },
      },
    );
    t.after(() => watching.close());
    await writeFile(file('a.json'), app('a'));
    while (heard.length < 2) await sleep(10);
    assert.deepEqual(heard, ['read', 'put a.json a']);
    assert.deepEqual(
      warnings.map(({ reason }) => reason),
      ['no', 'no'],
    );
  });

  test('is silent once it is closed, in the middle of whatever it was', async (t) => {
    const { dir, file } = await place(t);
    const { expect, watching } = await watched(t, dir);
    await expect('read');
    await writeFile(file('a.json'), app('a'));
    await sleep(15);
    await Promise.all([watching.close(), watching.close()]);
    await rm(dir, { recursive: true });
    await sleep(300);
    await expect();
  });
});

suite('What is known of a folder, look by look', () => {
  /** Looks at moments of the test's choosing. */
  async function looking(t: TestContext) {
    const where = await place(t);
    const known = new KnownFiles({ folder: where.dir, home: '/no' });
    const look = async (now: number, first = false) => {
      const { reports, again } = await known.look(now, { first });
      return { told: reports.map(short), again };
    };
    return { ...where, look };
  }

  test('a file is read when it has stayed the same for a moment, however often one looks', async (t) => {
    const { file, look } = await looking(t);
    await look(0, true);
    await writeFile(file('a.json'), app('one'));
    assert.deepEqual(await look(100), { told: [], again: 80 });
    await writeFile(file('a.json'), app('other'));
    assert.deepEqual(await look(180), { told: [], again: 80 });
    assert.deepEqual(await look(200), { told: [], again: 60 });
    assert.deepEqual(await look(260), { told: ['put a.json other'], again: null });
    assert.deepEqual(await look(340), { told: [], again: null });
  });

  test('a file is gone after two seconds, unless the folder was away in between', async (t) => {
    const { base, dir, file, look } = await looking(t);
    for (const name of ['a', 'b']) await writeFile(file(`${name}.json`), app(name));
    await look(0, true);
    await rm(file('a.json'));
    assert.deepEqual(await look(1000), { told: [], again: 2000 });
    assert.deepEqual(await look(2500), { told: [], again: 500 });
    await rename(dir, path.join(base, 'away'));
    assert.deepEqual(await look(2900), { told: [], again: null });
    await rename(path.join(base, 'away'), dir);
    assert.deepEqual(await look(9000), { told: [], again: 2000 });
    assert.deepEqual(await look(10_999), { told: [], again: 1 });
    assert.deepEqual(await look(11_000), { told: ['removed a.json'], again: null });
  });

  test('the last file of a folder is gone like any other', async (t) => {
    const { file, look } = await looking(t);
    await writeFile(file('a.json'), app('a'));
    await look(0, true);
    await rm(file('a.json'));
    await look(1000);
    assert.deepEqual((await look(3000)).told, ['removed a.json']);
  });

  test('while files come back one by one, none of the others is gone', async (t) => {
    const { dir, file, look } = await looking(t);
    for (const name of ['a', 'b', 'c']) await writeFile(file(`${name}.json`), app(name));
    await look(0, true);
    await rm(dir, { recursive: true });
    await look(1000);
    await mkdir(dir);
    assert.deepEqual(await look(2000), { told: [], again: null });
    await writeFile(file('a.json'), app('a'));
    await look(60_000);
    await look(60_080);
    await writeFile(file('b.json'), app('b'));
    assert.deepEqual((await look(61_500)).told, []);
    assert.deepEqual((await look(63_400)).told, []);
    assert.deepEqual((await look(63_500)).told, ['removed c.json']);
  });
});
