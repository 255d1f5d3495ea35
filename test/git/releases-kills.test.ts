import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, lstat, mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { suite, test } from 'node:test';
import { checkOut } from '../../src/git/check-out.ts';
import type { GitPlace } from '../../src/git/place.ts';
import { findDirectory } from '../../src/git/releases.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { release, traces } from './release-scene.ts';
import { ways } from './release-stories.ts';
import { endMarked, git, patience, scene, tree, type Scene } from './support.ts';

// Every command that Huddle starts, or that a script of its starts, is counted, and before one of them all is killed:
// Huddle, its scripts, its gits. So there is a kill between any two lines that do something.

/** All that is called by its name: by Huddle, or in its scripts. */
const commands = ['sh', 'git', 'mv', 'rm', 'ln', 'mkdir', 'rmdir', 'touch', 'cat', 'sed', 'sync', 'ls', 'dirname'];

/** Lays out commands that count themselves and die, with their whole process group, before number `AT`. */
async function countingCommands(folder: string): Promise<void> {
  await mkdir(folder);
  const usual = ['/usr/local/bin', '/usr/bin', '/bin'];
  for (const name of commands) {
    const real = usual.map((bin) => join(bin, name)).find(existsSync) ?? name;
    // A number belongs to who makes its file: `-C` lets nobody else do so. No process is started for it.
    const script = `#!/bin/sh
set -C; n=1
until { echo ${name} > ${folder}/count-$n; } 2>/dev/null; do n=$((n + 1)); done
if [ "$n" -eq "$AT" ]; then kill -9 0; fi
exec ${real} "$@"
`;
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  }
}

/** Lives through a way in a process of its own, killed before command number `at`; answers whether it was. */
async function live(at: Scene, way: keyof typeof ways, revisions: readonly string[], number: number): Promise<boolean> {
  const counting = join(at.folder, 'counting');
  if (!existsSync(counting)) await countingCommands(counting);
  const place = JSON.stringify(at.place());
  const env = { ...process.env, AT: String(number), PATH: `${counting}${delimiter}${process.env['PATH']}` };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'release-stories.ts'), way, place, ...revisions], {
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  await endMarked(at.place().mark);
  assert.ok(code === 0 || signal === 'SIGKILL', `it ended with ${code ?? signal}`);
  return signal === 'SIGKILL';
}

interface Story {
  readonly way: keyof typeof ways;
  /** What is there before. Answers the revisions to deploy. */
  readonly before: (at: Scene, place: GitPlace) => Promise<string[]>;
  /** Text that was somebody's own, and where it must be found at every moment, in one of these. */
  readonly precious: (at: Scene) => Readonly<Record<string, readonly string[]>>;
  /** When the next Huddle has lived through it to the end. */
  readonly after: (at: Scene, revisions: readonly string[]) => Promise<void>;
}

const files = { 'a.txt': 'a', 'local.json': '{}', '.gitignore': '*.own\n', 'dir/b.txt': 'b' };

async function deployedInPlace(at: Scene, place: GitPlace): Promise<void> {
  const revision = await at.push(files);
  await openWorkingCopy(place, 'tip', patience);
  await checkOut(place, { revision, branch: 'main' }, patience);
  await mkdir(join(at.local, 'data'));
  await writeFile(join(at.local, 'data/rows'), 'rows');
  await writeFile(join(at.local, 'local.json'), 'edited');
  await writeFile(join(at.local, 'dir/b.txt'), 'mine');
  await writeFile(join(at.local, 'dir/x.own'), 'ignored');
}

const stories: Record<string, Story> = {
  'two releases': {
    way: 'side by side',
    before: async (at) => [await at.push(files), await at.push({ 'a.txt': 'a2', 'dir/b.txt': null })],
    precious: () => ({}),
    after: async (at, revisions) => {
      await endsSideBySide(at, revisions);
      assert.deepEqual(await tree(join(at.local, 'shared')), { 'local.json': '{}' });
    },
  },
  'from in place': {
    way: 'side by side',
    before: async (at, place) => {
      await deployedInPlace(at, place);
      return [await at.push({ 'a.txt': 'a2', 'dir/b.txt': null })];
    },
    precious: ({ local }) => ({
      rows: [join(local, 'data/rows')],
      edited: [join(local, 'local.json')],
      ignored: [join(local, 'dir/x.own')],
      mine: [join(local, 'dir/b.txt'), 'dir/b.txt'],
    }),
    after: async (at, revisions) => {
      await endsSideBySide(at, revisions);
      assert.deepEqual(Object.keys(await tree(join(at.local, 'dir'))), ['x.own']);
      assert.ok(!existsSync(join(at.local, 'a.txt')));
      assert.equal(await readFile(join(at.local, 'current/data/rows'), 'utf8'), 'rows');
      assert.equal(await readFile(join(at.local, 'current/local.json'), 'utf8'), 'edited');
    },
  },
  'back to in place': {
    way: 'in place',
    before: async (at, place) => {
      const revision = await at.push({ 'a.txt': 'a', '.gitignore': '*.own\n', 'dir/b.txt': 'b' });
      const { directory } = await release(place, revision, ['data', 'local.json', 'logs']);
      await writeFile(join(directory, 'data/rows'), 'rows');
      await writeFile(join(directory, 'local.json'), 'edited');
      await mkdir(join(at.local, 'data'));
      await writeFile(join(at.local, 'data/stray'), 'stray');
      return [revision];
    },
    precious: ({ local }) => ({
      rows: [join(local, 'data/rows'), join(local, 'shared/data/rows')],
      edited: [join(local, 'local.json'), join(local, 'shared/local.json')],
    }),
    after: async (at) => {
      assert.deepEqual(await traces(at.local), { releases: [], entries: [], refs: [] });
      const left = ['.git', '.gitignore', 'a.txt', 'data', 'dir', 'local.json', 'logs'];
      assert.deepEqual(readdirSync(at.local).toSorted(), left);
      assert.equal(git(at.local, 'status', '--porcelain'), '?? data/\n?? local.json');
      const aside = join(at.local, '.git/huddle/set-aside');
      assert.equal(await readFile(join(aside, readdirSync(aside)[0] ?? '', 'stray'), 'utf8'), 'stray');
    },
  },
};

async function endsSideBySide(at: Scene, revisions: readonly string[]): Promise<void> {
  const last = (revisions.at(-1) ?? '').slice(0, 7);
  assert.deepEqual(await traces(at.local), { releases: [last], entries: [last], refs: [last] });
  assert.equal(await readlink(join(at.local, 'current')), `releases/${last}`);
  assert.equal(git(join(at.local, 'current'), 'status', '--porcelain'), '');
  assert.equal(await readFile(join(at.local, 'current/a.txt'), 'utf8'), 'a2');
  assert.equal(git(at.local, 'rev-parse', 'HEAD'), revisions.at(-1));
  assert.equal(git(at.local, 'fsck', '--no-dangling'), '');
}

/** What holds at every moment, whatever was killed. */
async function holdsAlways(at: Scene, story: Story, revisions: readonly string[]): Promise<void> {
  const saved = existsSync(join(at.local, '.git'))
    ? git(at.local, 'for-each-ref', '--format=%(refname)', 'refs/huddle/saved').split('\n').filter(Boolean)
    : [];
  for (const [text, places] of Object.entries(story.precious(at))) {
    const found = await Promise.all(
      places.map(async (place) =>
        place.startsWith('/')
          ? await readFile(place, 'utf8').catch(() => '')
          : saved.map((ref) => git(at.local, 'show', `${ref}:${place}`)).join(''),
      ),
    );
    assert.ok(found.includes(text), `${text} is nowhere`);
  }
  const target = await readlink(join(at.local, 'current')).catch(() => null);
  if (target !== null) assert.ok((await lstat(join(at.local, target))).isDirectory());
  for (const revision of revisions) {
    const directory = await findDirectory(at.place(), revision);
    if (directory?.includes('/releases/') === true) assert.equal(git(directory, 'status', '--porcelain'), '');
  }
}

// All of them take minutes: set HUDDLE_EVERY_KILL to have them.
const stride = process.env['HUDDLE_EVERY_KILL'] === undefined ? 43 : 1;

suite('a Huddle that is killed between any two commands', { concurrency: 2 }, () => {
  for (const [name, story] of Object.entries(stories))
    for (let offset = 0; offset < (stride === 1 ? 4 : 1); offset += 1)
      test(`loses nothing, and the next one finds its way: ${name}${stride === 1 ? ` (${offset + 1} of 4)` : ''}`, async () => {
        let kills = 0;
        for (let number = 1 + offset; ; number += stride === 1 ? 4 : stride) {
          const at = await scene();
          const revisions = await story.before(at, at.place());
          const isKilled = await live(at, story.way, revisions, number);
          try {
            await holdsAlways(at, story, revisions);
            await ways[story.way](at.place(), revisions);
            await story.after(at, revisions);
          } catch (error) {
            const last = [5, 4, 3, 2, 1, 0].map((back) => join(at.folder, `counting/count-${number - back}`));
            const names = last.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8').trim());
            throw new Error(`killed before command ${number}: ${names.join(' ')}`, { cause: error });
          }
          if (!isKilled) break;
          kills += 1;
        }
        assert.ok(kills > 1, `it was killed ${kills} times`);
      });
});
