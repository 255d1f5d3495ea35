import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { logStream } from '../../src/control/log-stream.ts';
import { rotate } from '../../src/logs/rotation.ts';
import { scratch, until } from '../ledger/scratch.ts';
import { collapses } from '../logs/floods.ts';

suite('The log as a stream', () => {
  test('has the last lines, ten or as many as are asked for, of either log', async (t) => {
    const paths = logs(t);
    const lines = Array.from({ length: 30 }, (_, index) => `${index}\n`);
    writeFileSync(paths.appLog, lines.join(''));
    writeFileSync(paths.deployLog, 'testing\n');
    assert.equal(await textOf(paths, ''), lines.slice(-10).join(''));
    assert.equal(await textOf(paths, 'lines=25&follow=0'), lines.slice(-25).join(''));
    assert.equal(await textOf(paths, 'lines=0'), '');
    assert.equal(await textOf(paths, 'deploy=1'), 'testing\n');
  });

  test('is refused where a number is none', (t) => {
    const paths = logs(t);
    for (const query of ['lines=-1', 'lines=', 'lines=1e3', 'lines=9999999999', 'follow=yes', 'deploy=2']) {
      const refused = logStream(paths, new URLSearchParams(query));
      assert.ok(!(refused instanceof Readable), query);
      assert.match(`${refused.message} ${refused.hint}`, /^(lines|follow|deploy) is .* Ask /);
    }
  });

  test('follows until it is destroyed', async (t) => {
    const paths = logs(t);
    writeFileSync(paths.appLog, '');
    const stream = logStream(paths, new URLSearchParams('follow=1'));
    assert.ok(stream instanceof Readable);
    t.after(() => stream.destroy());
    let text = '';
    stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    appendFileSync(paths.appLog, 'one\n');
    await until('one', () => text === 'one\n');
    const over = once(stream, 'close');
    stream.destroy();
    await over;
  });

  test('of a reader who does not read holds next to nothing, and tells what it left out', async (t) => {
    const paths = logs(t);
    if (!(await collapses(t, join(paths.appLog, '..')))) return;
    writeFileSync(paths.appLog, 'first\n');
    const stream = logStream(paths, new URLSearchParams('follow=1'));
    assert.ok(stream instanceof Readable);
    t.after(() => stream.destroy());
    stream.read(0);
    await until('something is read', () => stream.readableLength > 0);
    for (let round = 0; round < 4; round += 1) {
      appendFileSync(paths.appLog, 'x\n'.repeat(1_000_000));
      await rotate({ path: paths.appLog, size: 0.1, keep: 2 });
    }
    assert.ok(stream.readableLength < 300_000, `${stream.readableLength} bytes in memory`);
    let text = '';
    stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    await until('the note', () => /^--- \d+ bytes are left out/m.test(text));
  });
});

function logs(t: TestContext) {
  const folder = scratch(t);
  return { appLog: join(folder, 'app.log'), deployLog: join(folder, 'deploy.log') };
}

async function textOf(paths: ReturnType<typeof logs>, query: string): Promise<string> {
  const stream = logStream(paths, new URLSearchParams(query));
  assert.ok(stream instanceof Readable);
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}
