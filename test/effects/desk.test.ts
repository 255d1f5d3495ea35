import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Desk, makeCandidatesFolder, openDesk } from '../../src/effects/desk.ts';
import { turns } from '../../src/effects/turns.ts';
import { openAppLedger } from '../../src/ledger/app-ledger.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { bootId } from '../../src/process/identity.ts';
import { runAs } from '../../src/process/user.ts';
import { appConfig } from '../machines/config.ts';

/** The desk of an app in a folder of its own. */
function deskIn(t: TestContext): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-desk-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths = statePaths(folder);
  mkdirSync(paths.root, { mode: 0o700 });
  return openDesk('shop', { paths, remains: [], warn: assert.fail, network: turns(1), local: turns(1) });
}

const wanted = new AbortController().signal;
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

suite('At the desk of an app', () => {
  test('an effect begins when the one before has ended, though nobody wants that any more, and it fails', async (t) => {
    const desk = deskIn(t);
    const deeds: string[] = [];
    const dropped = new AbortController();
    const git = Promise.withResolvers<void>();
    const first = desk.alone(dropped.signal, async () => {
      await git.promise;
      deeds.push('the first has ended');
      throw new Error('it was ended');
    });
    await setImmediate();
    dropped.abort();
    const second = desk.alone(wanted, async () => void deeds.push('the second begins'));
    await setImmediate();
    assert.deepEqual(deeds, []);
    git.resolve();
    await assert.rejects(first);
    await second;
    assert.deepEqual(deeds, ['the first has ended', 'the second begins']);
  });

  test('an effect that nobody wants any more when its turn comes does not begin', async (t) => {
    const desk = deskIn(t);
    const git = Promise.withResolvers<void>();
    const dropped = new AbortController();
    const first = desk.alone(wanted, () => git.promise);
    const second = desk.alone(dropped.signal, () => assert.fail('it began'));
    const third = desk.alone(wanted, () => Promise.resolve('done'));
    dropped.abort(new Error('dropped'));
    git.resolve();
    await assert.rejects(second, /dropped/);
    assert.deepEqual([await first, await third], [undefined, 'done']);
  });

  test('a look makes way for an effect and for the end of its app, and begins behind what is at work', async (t) => {
    const desk = deskIn(t);
    const refused = { name: 'Failure', code: 'not-accepted' };
    const look = assert.rejects(desk.aside(untilAborted), refused);
    await setImmediate();
    assert.equal(await desk.alone(wanted, () => Promise.resolve('done')), 'done');
    await look;
    const last = assert.rejects(desk.aside(untilAborted), refused);
    await setImmediate();
    await desk.idle();
    await last;
    const git = Promise.withResolvers<string>();
    const effect = desk.alone(wanted, () => git.promise);
    let isBegun = false;
    const behind = desk.aside(async () => void (isBegun = true));
    await setImmediate();
    assert.ok(!isBegun);
    git.resolve('its result');
    assert.equal(await effect, 'its result');
    await behind;
    assert.ok(isBegun);
  });
});

suite('The folder for the candidates of another user', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  test('is that user’s alone, and never what somebody has put in its place', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'huddle-candidates-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const nobody = runAs('nobody');
    const own = join(folder, 'own');
    for (const time of ['made', 'found']) {
      makeCandidatesFolder(own, nobody);
      const { uid, gid, mode } = lstatSync(own);
      assert.deepEqual([uid, gid, mode & 0o777], [nobody.uid, nobody.gid, 0o700], time);
    }
    const precious = join(folder, 'precious');
    mkdirSync(precious);
    symlinkSync(precious, join(folder, 'link'));
    symlinkSync(own, join(folder, 'link to its own'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    for (const name of ['precious', 'link', 'link to its own', 'dangling']) {
      const refused = { name: 'Failure', code: 'path-occupied' };
      assert.throws(() => makeCandidatesFolder(join(folder, name), nobody), refused, name);
    }
    assert.equal(lstatSync(precious).uid, 0);
    assert.ok(!existsSync(join(folder, 'nowhere')));
  });
});

suite('A desk that is idle', () => {
  test('writes nothing over what the next Huddle knows, when a sync of before is done', async (t) => {
    const desk = deskIn(t);
    await desk.ledger.remember({ pulling: 'a'.repeat(40) });
    const sync = Promise.withResolvers<never>();
    desk.withGit = () => sync.promise;
    desk.syncSoon(appConfig());
    await desk.idle();

    const open = () => openAppLedger(desk.paths, { warn: assert.fail, bootId, marks: '' });
    await open().remember({ pulling: null, good: 'b'.repeat(40) });
    sync.resolve(undefined as never);
    await setImmediate();
    await desk.ledger.flush();
    assert.equal(open().facts.good, 'b'.repeat(40));
    assert.ok(desk.ledger.isUnsynced, 'who comes next syncs it');
  });
});
