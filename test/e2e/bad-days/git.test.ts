import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { AppStatus, Huddle } from '../command.ts';
import { plain, scene, type Scene } from '../harness.ts';
import { Repository } from '../repository.ts';

const realGit = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();

const works = `exec ${realGit} "$@"`;

/** A git of the scene's own, which is the real one until it is made another. */
async function ownGit(stage: Scene): Promise<{ readonly path: string; is(script: string): Promise<void> }> {
  const path = join(stage.root, 'git');
  const is = async (script: string) => {
    await writeFile(`${path}.new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await rename(`${path}.new`, path);
  };
  await is(works);
  return { path, is };
}

/** What a git may be like on a bad day, and what a user is told of it. */
const bad = [
  { what: 'is missing', script: '', code: 'git-missing', message: /cannot be started/, atStart: true },
  { what: 'is too old', script: oldGit('1.8.0'), code: 'not-supported', message: /git 1\.8\.0/ },
  { what: 'prints garbage', script: 'echo rubbish; exit 0', code: 'git-missing', message: /rubbish/ },
  {
    what: 'is killed',
    script: 'case "$*" in *--version) echo git version 2.39.0;; *) kill -9 $$;; esac',
    code: 'limit-reached',
    message: /was killed/,
  },
  { what: 'hangs', script: 'exec sleep 1000', code: 'timeout', message: /no end after 2 s/, atStart: true },
];

async function startAnew(stage: Scene, before: Huddle): Promise<Huddle> {
  await before.stop();
  return stage.startHuddle();
}

function oldGit(version: string): string {
  return `case "$*" in *--version) echo git version ${version};; *) echo "error: unknown option" >&2; exit 129;; esac`;
}

suite('A git that', { concurrency: 3 }, () => {
  for (const { what, script, code, message, atStart = false } of bad) {
    test(`${what} is told; the program runs on, ${atStart ? 'starts all the same, ' : ''}and is deployed when git works`, async (t) => {
      const stage = await scene(t);
      const repo = await stage.repo();
      const first = await repo.publish(plain('v1'));
      const git = await ownGit(stage);
      await stage.app('shop', repo.remote, { repository: { executable: git.path, timeout: 2 } });
      const before = stage.startHuddle();
      const running = await before.live('shop', first);

      if (script === '') await rm(git.path);
      else await git.is(script);
      const isTold = ({ error }: AppStatus) => error?.code === code && message.test(error.message);
      const told = await before.until('shop', isTold, 'told');
      assert.notEqual(told.error?.hint, '');
      assert.equal((await before.app('shop')).program?.pid, running.program?.pid);
      const huddle = atStart ? await startAnew(stage, before) : before;
      await huddle.until('shop', (app) => isTold(app) && app.program?.state === 'up', 'told again');
      await git.is(works);
      const second = await repo.publish(plain('v2'));
      assert.equal((await huddle.live('shop', second)).error, null);
      const starts = stage.story().filter((line) => line.startsWith('start'));
      assert.deepEqual(starts, atStart ? ['start v1', 'start v1', 'start v2'] : ['start v1', 'start v2']);
      await huddle.stop();
    });
  }
});

test('A remote folder that goes is told, and one that takes its place is followed', async (t) => {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  await stage.app('shop', repo.remote);
  const huddle = stage.startHuddle();
  const before = await huddle.live('shop', first);
  await rm(repo.remote, { recursive: true });
  const told = await huddle.until('shop', ({ error }) => error !== null, 'told');
  assert.equal(told.error?.code, 'remote-unreachable');
  assert.equal(told.program?.pid, before.program?.pid);
  const other = await Repository.create(join(stage.root, 'repos/other'));
  const second = await other.publish(plain('v2'));
  await rename(other.remote, repo.remote);
  assert.equal((await huddle.live('shop', second)).error, null);
  assert.deepEqual(stage.story(), ['start v1', 'stop v1', 'start v2']);
  await huddle.stop();
});
