import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { createActor } from 'xstate';
import type { News } from '../machines/news.ts';
import { marksOf } from '../src/process/adopt.ts';
import { endMarked } from '../src/process/end.ts';
import { folderMark } from '../src/process/mark.ts';
import { appIn, isAppActor } from '../src/view.ts';
import { wire } from '../src/wire.ts';
import { eventually } from './e2e/harness.ts';
import { ownOffice } from './effects/office.ts';
import { appConfig } from './machines/config.ts';

/** A root with real adapters, on one app that sleeps; `tell` may be made to throw, as a fault of Huddle would. */
async function huddleOf(t: TestContext, tell: (news: News) => void) {
  const { root, paths, repository, office, desks, desk } = await ownOffice();
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
