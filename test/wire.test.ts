import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { createActor } from 'xstate';
import type { News } from '../machines/news.ts';
import { type Desk, type Office, openDesk } from '../src/effects/desk.ts';
import { turns } from '../src/effects/turns.ts';
import { statePaths } from '../src/ledger/paths.ts';
import { marksOf } from '../src/process/adopt.ts';
import { endMarked } from '../src/process/end.ts';
import { folderMark } from '../src/process/mark.ts';
import { appIn, isAppActor } from '../src/view.ts';
import { wire } from '../src/wire.ts';
import { Repository } from './e2e/repository.ts';
import { eventually } from './e2e/harness.ts';
import { appConfig } from './machines/config.ts';

/** A root with real adapters, on one app that sleeps; `tell` may be made to throw, as a fault of Huddle would. */
async function huddleOf(t: TestContext, tell: (news: News) => void) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'huddle-wire-')));
  const dir = join(root, 'dir');
  mkdirSync(dir);
  const paths = statePaths(dir);
  mkdirSync(paths.empty, { recursive: true });
  const repository = await Repository.create(join(root, 'repo'));
  await repository.publish({ file: 'one\n' });
  const office: Office = { paths, remains: [], warn: () => {}, network: turns(4), local: turns(4) };
  const desks = new Map<string, Desk>();
  const desk = (name: string): Desk => {
    const open = desks.get(name) ?? openDesk(name, office);
    desks.set(name, open);
    return open;
  };
  const config = appConfig({
    repository: { remotePath: repository.remote, localPath: join(root, 'copy'), branch: null },
    timing: { minimum: 3600, maximum: null },
    application: { start: ['sleep', '1000'], settle: 0.1 },
  });
  const machine = wire({
    office,
    desk,
    tell: (_app, news) => tell(news),
    record: () => {},
    watch: (report) => {
      report({ type: 'config.put', file: 'shop.json', name: 'shop', config });
      return () => {};
    },
  });
  const recall = (name: string) => {
    if (desks.has(name)) desk(name).lookForRemains();
    return desk(name).ledger.facts;
  };
  const huddle = createActor(machine, {
    input: { now: Date.now, random: Math.random, recall },
    inspect: (event) => {
      if (event.type !== '@xstate.snapshot' || !isAppActor(event.actorRef)) return;
      void desk('shop').ledger.remember(event.actorRef.getSnapshot().context.facts);
    },
  });
  const prefix = `${folderMark(paths.folder)}:`;
  t.after(async () => {
    huddle.stop();
    await endMarked(prefix);
    rmSync(root, { recursive: true, force: true });
  });
  huddle.start();
  const program = () => appIn(huddle.getSnapshot(), 'shop', () => null)?.program;
  return { huddle, program, copies: () => marksOf(prefix).length };
}

suite('An app whose actor dies', () => {
  test('takes its program over in its next life, and there is never a second copy', async (t) => {
    let armed = false;
    const { huddle, program, copies } = await huddleOf(t, (news) => {
      if (!armed || news.type !== 'unmoved') return;
      armed = false;
      throw new Error('a seeded fault');
    });
    await eventually('up', () => program()?.state === 'up');
    const before = program();
    armed = true;
    huddle.send({ type: 'check all' });
    await eventually('the next life', () => program()?.adopted === true);
    assert.equal(program()?.pid, before?.pid);
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await eventually('up again', () => program()?.state === 'up' && program()?.adopted === false);
    assert.equal(copies(), 1);
    huddle.send({ type: 'shutdown' });
    await eventually('the end', () => huddle.getSnapshot().status === 'done');
    assert.equal(copies(), 0);
  });
});
