import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openAppLedger } from '../../src/ledger/app-ledger.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { scratch, until } from './scratch.ts';

const program = join(import.meta.dirname, 'programs/remember-forever.ts');
const kills = 30;

suite('A Huddle that is killed while it writes', () => {
  test('leaves a state.json that can be read and is never older than what it was told is on disk', async (t) => {
    const folder = scratch(t);
    const paths = statePaths(folder).app('shop');
    mkdirSync(paths.root);
    const said = join(folder, 'said');
    for (let kill = 0; kill < kills; kill += 1) {
      const output = openSync(said, 'w');
      const writer = spawn(process.execPath, [program, folder], { stdio: ['ignore', output, 'inherit'] });
      const ended = new Promise((done) => writer.once('close', done));
      t.after(() => writer.kill('SIGKILL'));
      closeSync(output);
      await until('the writer writes', () => statSync(said).size > 0 || writer.exitCode !== null);
      // Not to wait for anything, but to kill at another instant each time.
      await pause(Math.random() * 15);
      writer.kill('SIGKILL');
      await ended;

      const text = readFileSync(said, 'utf8');
      assert.doesNotMatch(text, /warning|failure/);
      assert.doesNotThrow(() => JSON.parse(readFileSync(paths.state, 'utf8')), 'state.json itself is whole');
      const ledger = openAppLedger(paths, { warn: (warning) => assert.fail(warning), bootId: 'this boot', marks: '' });
      assert.ok((ledger.facts.provingUntil ?? 0) >= last('remembered', text), 'older than what was on disk');
      const [newest] = await ledger.history(1);
      assert.ok(Number(newest?.reason ?? 0) >= last('appended', text), 'an entry is lost');
    }
  });
});

/** The last number that was printed after a word; 0 where there is none. */
function last(word: string, text: string): number {
  const [, number = '0'] = [...text.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].at(-1) ?? [];
  return Number(number);
}
