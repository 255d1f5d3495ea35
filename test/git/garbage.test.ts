import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fetchRevision } from '../../src/git/ask.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, marked, output, patience, plainChild, scene, type Scene } from './support.ts';

/**
 * A git whose `gc` stops in the middle: its `repack` writes down the session that it is in, and waits while the file
 * `hold` is there. Answers what to set for plain git, and Huddle's `executable`.
 */
async function observed(at: Scene): Promise<{ env: { GIT_EXEC_PATH: string }; executable: string; file: string }> {
  const [file, hold, inner] = [join(at.folder, 'session'), join(at.folder, 'hold'), join(at.folder, 'inner')];
  const own = git(at.folder, '--exec-path');
  await mkdir(inner);
  // git starts its own commands as `git NAME`, found in here first, those of these commands too.
  const observing = `#!/bin/sh
PATH="$PATH:${own}"
if [ "$1" = repack ]; then
  cut -d' ' -f6 /proc/$$/stat > ${file}.new; mv ${file}.new ${file}
  while [ -e ${hold} ]; do sleep 0.02; done
fi
exec ${own}/git "$@"
`;
  const executable = join(at.folder, 'git-observed');
  await writeFile(join(inner, 'git'), observing);
  await writeFile(executable, `#!/bin/sh\nexport GIT_EXEC_PATH=${inner}\nexec ${own}/git "$@"\n`);
  for (const script of [join(inner, 'git'), executable]) await chmod(script, 0o755);
  return { env: { GIT_EXEC_PATH: inner }, executable, file };
}

/** As many loose objects as git counts on to find that it is time: more than 27 in the folder that it looks into. */
async function litter(folder: string): Promise<void> {
  const names: string[] = [];
  for (let count = 0; names.length < 40; count += 1) {
    const text = `${count}`;
    const id = createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex');
    if (id.startsWith('17')) names.push(text);
  }
  for (const text of names) await writeFile(join(folder, text), text);
  git(folder, 'hash-object', '-w', ...names);
  for (const text of names) await rm(join(folder, text));
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, String(condition));
    await pause(20);
  }
}

async function ownSession(): Promise<string> {
  return (await readFile('/proc/self/stat', 'utf8')).replace(/^.*\) /, '').split(' ')[3] ?? '';
}

suite('collecting garbage', () => {
  test('leaves no process behind that goes on in the repository', async () => {
    const at = await scene();
    const revision = await at.push();
    const { env, executable, file } = await observed(at);

    const copy = join(at.folder, 'copy');
    git(at.folder, 'clone', '--quiet', at.remote, copy);
    git(copy, 'config', 'gc.auto', '1');
    await litter(copy);
    await writeFile(join(at.folder, 'hold'), '');
    const mark = `plain:${at.folder}`;
    await output(plainChild(copy, ['git', 'fetch'], { ...env, HUDDLE_MARK: mark }));
    // The fetch is done, and its gc is not.
    await eventually(() => existsSync(file));
    assert.ok((await marked(mark)).length > 0);
    assert.notEqual((await readFile(file, 'utf8')).trim(), await ownSession());
    await rm(join(at.folder, 'hold'));
    await eventually(async () => (await marked(mark)).length === 0);
    await rm(file);

    const place = at.place({ executable });
    await openWorkingCopy(place, 'tip', patience);
    await litter(at.local);
    await fetchRevision(place, { branch: 'main', revision, from: null }, patience);
    assert.deepEqual(await marked(place.mark), []);
    assert.equal((await readFile(file, 'utf8')).trim(), await ownSession());
    assert.ok(!(await readdir(join(at.local, '.git'))).includes('gc.pid'));
  });
});
