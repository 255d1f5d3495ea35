import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGitHttp, type GitHttp } from '../fixtures/git-http.ts';
import type { Huddle } from '../e2e/command.ts';
import { plain, type Scene } from '../e2e/harness.ts';
import type { Repository } from '../e2e/repository.ts';
import type { Line } from './line.ts';
import { processorSeconds } from './usage.ts';

const refs = 5000;

/** Checks of an unmoved remote with thousands of refs, over http: processes, bytes, processor time of one. */
export async function checks(stage: Scene, rounds: number): Promise<Line[]> {
  const repo = await stage.repo();
  const first = await repo.publish(plain('v1'));
  addRefs(repo, first);
  const server = await startGitHttp({ root: join(stage.root, 'repos') });
  try {
    const counted = await run(stage, server, first, rounds, spy(stage));
    const plainly = await run(stage, server, first, rounds, 'git');
    const processes = counted.processes / rounds;
    return [
      {
        what: `one check of an unmoved remote, ${refs} refs: git processes`,
        target: '≤ 1',
        measured: String(processes),
        met: processes <= 1,
      },
      {
        what: '  bytes both ways, headers included',
        target: '≤ 2,000',
        measured: String(plainly.bytes),
        met: plainly.bytes <= 2000,
      },
      { what: '  processor time', target: '', measured: `${plainly.processor.toFixed(1)} ms`, met: null },
    ];
  } finally {
    await server.close();
  }
}

interface Cost {
  readonly processes: number;
  readonly bytes: number;
  /** Milliseconds. */
  readonly processor: number;
}

async function run(stage: Scene, server: GitHttp, first: string, rounds: number, executable: string): Promise<Cost> {
  await stage.app('shop', `${server.url}/shop/remote.git`, {
    repository: { executable, 'local path': stage.copy(executable === 'git' ? 'plain' : 'spied') },
    timing: { minimum: 3600 },
  });
  const huddle = stage.startHuddle();
  await huddle.live('shop', first);
  await check(huddle);
  const bytes = () => server.bytesReceived() + server.bytesSent();
  const before = { bytes: bytes(), processor: processorSeconds(huddle.pid), processes: executed(stage) };
  for (let round = 0; round < rounds; round += 1) await check(huddle);
  const cost = {
    processes: executed(stage) - before.processes,
    bytes: Math.round((bytes() - before.bytes) / rounds),
    processor: ((processorSeconds(huddle.pid) - before.processor) * 1000) / rounds,
  };
  await huddle.stop();
  return cost;
}

/** One check from its beginning to its end. */
async function check(huddle: Huddle): Promise<void> {
  const checking = huddle.until('shop', ({ state }) => state === 'checking', 'checking');
  huddle.check();
  await checking;
  await huddle.until('shop', ({ state }) => state === 'running', 'checked');
}

/** A git that writes down each of its starts. */
function spy(stage: Scene): string {
  const file = join(stage.root, 'git-spy');
  writeFileSync(file, `#!/bin/sh\necho "$*" >> ${log(stage)}\nexec git "$@"\n`, { mode: 0o755 });
  writeFileSync(log(stage), '');
  return file;
}

function log(stage: Scene): string {
  return join(stage.root, 'git-spy.log');
}

function executed(stage: Scene): number {
  return readFileSync(log(stage), 'utf8').split('\n').length - 1;
}

function addRefs(repo: Repository, revision: string): void {
  const input = Array.from({ length: refs }, (_, index) => `create refs/heads/topic-${index} ${revision}\n`).join('');
  execFileSync('git', ['-C', repo.remote, 'update-ref', '--stdin'], { input });
  execFileSync('git', ['-C', repo.remote, 'pack-refs', '--all']);
}
