import assert from 'node:assert/strict';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { askRemote } from '../../src/git/ask.ts';
import { classify, DamagedRepository } from '../../src/git/classify.ts';
import { openWorkingCopy } from '../../src/git/working-copy.ts';
import { git, patience, scene, type Scene } from './support.ts';

function meaningOf(stderr: string): { code: string; damaged: boolean } {
  const failure = classify({ doing: 'asking', subject: 'remote', stderr, exitCode: 128, executable: 'git' });
  return { code: failure.code, damaged: failure instanceof DamagedRepository };
}

/** A git that fails its first fetch in these words, and does all else; answers which fetches there were. */
async function failingOnce(
  at: Scene,
  words: string,
): Promise<{ executable: string; fetches: () => Promise<string[]> }> {
  const executable = join(at.folder, 'git-failing-once');
  const seen = join(at.folder, 'fetches');
  const script = `#!/bin/sh
case " $* " in *" fetch "*) ;; *) exec git "$@" ;; esac
echo "$*" >> ${seen}
if [ "$(wc -l < ${seen})" -gt 1 ]; then exec git "$@"; fi
cat >&2 <<'WORDS'
${words}
WORDS
exit 128
`;
  await writeFile(executable, script);
  await chmod(executable, 0o755);
  return { executable, fetches: async () => (await readFile(seen, 'utf8')).trimEnd().split('\n') };
}

const brokenPipes = [
  'fatal: write error: Broken pipe',
  'client_loop: send disconnect: Broken pipe',
  'packet_write_wait: Connection to 192.0.2.1 port 22: Broken pipe',
  'error: RPC failed; curl 55 Send failure: Broken pipe',
];

// As git 2.39 words them.
const damages = [
  'fatal: loose object 5f3c (stored in .git/objects/5f/3c) is corrupt',
  "error: unable to resolve reference 'refs/heads/main': reference broken",
  'warning: ignoring broken ref refs/remotes/origin/main\nfatal: no',
  'warning: ignoring ref with broken name refs/heads/..\nfatal: no',
  "error: refusing update to broken symref 'refs/remotes/origin/HEAD'",
  'fatal: your current branch appears to be broken',
  'broken link from    tree 5f3c\n              to    blob 6a7b',
  'error: offset before end of packfile (broken .idx?)',
  'fatal: broken index, expect 1 in a, got 2',
];

suite('a broken pipe', () => {
  test('is a lost connection, not damage', () => {
    for (const words of brokenPipes)
      assert.deepEqual(meaningOf(words), { code: 'remote-unreachable', damaged: false }, words);
  });

  test('goes with damage where git names what is damaged', () => {
    for (const words of damages) {
      assert.equal(meaningOf(words).damaged, true, words);
      assert.equal(meaningOf(`fatal: write error: Broken pipe\n${words}`).damaged, true, words);
    }
  });

  test('alone repairs nothing: the check fails, and the next one goes on', async () => {
    const at = await scene();
    const tip = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const { executable, fetches } = await failingOnce(at, 'fatal: write error: Broken pipe');
    const place = at.place({ executable });
    await assert.rejects(askRemote(place, 'main', patience), { code: 'remote-unreachable' });
    assert.equal((await fetches()).length, 1);
    assert.equal((await askRemote(place, 'main', patience)).tip, tip);
    assert.ok((await fetches()).every((argv) => !argv.includes('--refetch')));
    assert.deepEqual(await readdir(join(at.local, '.git/huddle/broken')), []);
    assert.doesNotMatch(at.logged.join(''), /is damaged/);
  });

  test('that came of a damaged object has the repository repaired', async () => {
    const at = await scene();
    const tip = await at.push();
    await openWorkingCopy(at.place(), 'tip', patience);
    const words = `error: inflate: data stream error (incorrect header check)
fatal: loose object ${git(at.local, 'rev-parse', 'origin/main')} is corrupt
fatal: write error: Broken pipe`;
    const { executable, fetches } = await failingOnce(at, words);
    assert.equal((await askRemote(at.place({ executable }), 'main', patience)).tip, tip);
    assert.match((await fetches())[1] ?? '', /--refetch/);
    assert.match(at.logged.join(''), /is damaged/);
  });
});
