import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findExecutable } from '../../src/process/executable.ts';
import { freePort } from '../e2e/proc.ts';
import type { Count } from '../e2e/load.ts';
import { handOvers, path, Server, servers } from './hand-over.ts';

// Each server of examples/servers is asked without a pause while it is replaced: nothing may be lost.

/** Once shows what its lines are there for; HUDDLE_SERVERS=all asks what happens one time in a thousand. */
const times = process.env['HUDDLE_SERVERS'] === 'all' ? 10 : 1;

interface Example {
  readonly name: string;
  /** What must be installed. */
  readonly program: string;
  readonly python?: string;
  readonly build?: readonly [string, ...string[]];
}

const examples: readonly Example[] = [
  { name: 'node', program: 'node' },
  { name: 'python', program: 'python3' },
  { name: 'gunicorn', program: 'gunicorn' },
  { name: 'uvicorn', program: 'python3', python: 'uvicorn' },
  { name: 'go', program: 'go', build: ['go', 'build', '-o', 'server', 'main.go'] },
  { name: 'puma', program: 'puma' },
  { name: 'nginx', program: 'nginx' },
];

suite('Nothing is lost while a socket is handed over, under load,', { concurrency: 4 }, () => {
  for (const example of examples) {
    test(`by ${example.name}`, { skip: missing(example) }, async (t) => {
      const server = await Server.open(t, example.name, await freePort());
      const [program, ...args] = example.build ?? ['true'];
      execFileSync(program, args, {
        cwd: server.workshop.copy,
        env: { ...process.env, PATH: path, GOCACHE: join(server.workshop.folder, 'go') },
      });
      for (const count of await handOvers(t, server, times)) assertNothingLost(count);
    });
  }

  test('is shown for every example', () => {
    const configs = readdirSync(servers).filter((file) => file.endsWith('.json'));
    assert.deepEqual(configs.toSorted(), examples.map(({ name }) => `${name}.json`).toSorted());
  });
});

function assertNothingLost({ requests, failed }: Count): void {
  assert.deepEqual(failed, [], `of ${requests}`);
}

function missing({ program, python }: Example): string | false {
  const file = findExecutable(program, '/', path);
  if (file === null) return `${program} is not installed`;
  try {
    if (python !== undefined) execFileSync(file, ['-c', `import ${python}`], { stdio: 'ignore' });
    return false;
  } catch {
    return `${python} is not installed`;
  }
}
