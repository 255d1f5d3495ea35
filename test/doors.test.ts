import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { openDoors } from '../src/doors.ts';
import { statePaths } from '../src/ledger/paths.ts';
import { here } from '../src/platform/here.ts';
import { FakeSource, temporaryFolder } from './control/fake-source.ts';
import { until } from './ledger/scratch.ts';

suite('The network is let in by the token in the file alone', () => {
  test('and by none while that is damaged', async (t) => {
    const { paths, opened, log, look } = await house(t);
    const [first] = opened;
    assert.ok(first);
    assert.equal(await first.ask(), 200);
    const text = 'something else';
    writeFileSync(paths.token, text);
    look();
    await until('it is told', () => log.some((line) => /^error .*holds no token of Huddle/.test(line)));
    await assert.rejects(first.ask(), 'the old token lets nobody in any more');
    writeFileSync(paths.token, first.token);
    look();
    await until('it is open again', () => opened.length === 2);
    assert.equal(await opened[1]?.ask(), 200);
    assert.match(log.at(-1) ?? '', /^info the network reaches Huddle again/);
  });

  test('and by none while others may read it', { skip: !here.hasModes && 'files have no modes here' }, async (t) => {
    const { paths, opened, log, look } = await house(t);
    chmodSync(paths.token, 0o644);
    look();
    await until('it is told', () => log.some((line) => /^error .*other users may read or change it/.test(line)));
    await assert.rejects(opened[0]?.ask() ?? Promise.resolve());
  });
});

/** Doors that are open to the network, and look after themselves when they are told to. */
async function house(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const paths = statePaths(temporaryFolder(t));
  mkdirSync(paths.root, { mode: 0o700 });
  const log: string[] = [];
  const opened: { token: string; ask: () => Promise<number> }[] = [];
  const doors = openDoors({
    source: new FakeSource(),
    paths,
    log: { write: (level, text) => void log.push(`${level} ${text}`) },
    listening: { address: { host: '127.0.0.1', port: 0 }, tls: null, allowHosts: [] },
    opened(url, token) {
      const headers = { authorization: `Bearer ${token}` };
      opened.push({ token, ask: async () => (await fetch(`${url}/api/apps`, { headers })).status });
    },
  });
  t.after(() => doors.close());
  await until('it is open', () => opened.length === 1);
  return { paths, opened, log, look: () => t.mock.timers.tick(5000) };
}
