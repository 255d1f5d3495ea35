import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { isRoot } from './workshop.ts';

// A process cannot be given a cgroup by halves, so each of these runs its steps in a Node of its own, which is moved into
// a fresh cgroup first, as systemd does for a service with Delegate=yes.

const here = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];

function makeCgroup(t: TestContext): string | null {
  if (!isRoot || mount === undefined || existsSync('/run/systemd/system')) return null;
  const folder = join(mount, here, `huddle-test-${process.pid}-${Date.now()}`);
  try {
    mkdirSync(folder);
  } catch {
    return null; // Mounted read-only, as in most containers.
  }
  t.after(() => {
    for (const name of readdirSync(folder, { withFileTypes: true })) {
      if (name.isDirectory()) rmdirSync(join(folder, name.name));
    }
    rmdirSync(folder);
  });
  return folder;
}

/** Runs a module in a cgroup of its own and gives the JSON that it prints. */
async function runIn(cgroup: string, script: string, t: TestContext): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-cgroup-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const source = (file: string) => import.meta.resolve(`../../src/process/${file}.ts`);
  const module = `
    import { Workshop, until, exitOf, never } from '${import.meta.resolve('./workshop.ts')}';
    import { cgroupMembers } from '${source('cgroup')}';
    import { membersOf } from '${source('tree')}';
    import { endByForce } from '${source('end')}';
    import { endGently } from '${source('stop')}';
    import { existsSync } from 'node:fs';
    import { dirname } from 'node:path';
    const done = [];
    const workshop = new Workshop({ after: (end) => done.push(end) });
    try { ${script} } finally { for (const end of done) await end(); }`;
  const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const argv = ['-c', enter, cgroup, process.execPath, '--input-type=module', '-e', module];
  const child = spawn('/bin/sh', argv, { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  await once(child, 'close');
  return JSON.parse(output);
}

suite('In a delegated cgroup', () => {
  const steps: readonly [title: string, end: string][] = [
    ['stopping gently', `await endGently(alive, { signal: 'SIGTERM', command: null, warn() {} }, never)`],
    ['stopping by force', 'await endByForce(alive, never)'],
    [
      'the sweep after a crash',
      `process.kill(alive.root.pid, 'SIGKILL'); await alive.reaped; await endByForce(alive, never)`,
    ],
  ];
  for (const [title, end] of steps) {
    test(`${title} ends even a daemon that left everything else, and the cgroup goes with it`, async (t) => {
      const cgroup = makeCgroup(t);
      if (cgroup === null) return t.skip('no cgroup (version 2) can be made here');
      const found = await runIn(
        cgroup,
        `const { alive } = await workshop.startFixture('hidden.sh', 1);
        const [daemon] = workshop.pids();
        const before = { delegated: dirname(alive.cgroup), inside: cgroupMembers(alive.cgroup).has(daemon),
          known: membersOf({ ...alive, cgroup: null, known: new Map() }).some(({ pid }) => pid === daemon) };
        ${end};
        console.log(JSON.stringify({ ...before, living: workshop.living(), left: existsSync(alive.cgroup) }));`,
        t,
      );
      assert.deepEqual(found, { delegated: cgroup, inside: true, known: false, living: [], left: false });
    });
  }

  test('a program has its own pid, exit code and environment all the same', async (t) => {
    const cgroup = makeCgroup(t);
    if (cgroup === null) return t.skip('no cgroup (version 2) can be made here');
    const found = await runIn(
      cgroup,
      `const started = workshop.start({ start: ['sh', '-c', 'echo $$ >>"$PIDS"; exit 6'] });
      const exit = await exitOf(started);
      await endByForce(started.alive, never);
      console.log(JSON.stringify({ exit, same: workshop.pids()[0] === started.alive.root.pid }));`,
      t,
    );
    assert.deepEqual(found, { exit: { code: 6, signal: null }, same: true });
  });
});
