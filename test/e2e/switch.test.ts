import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, rename } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { findExecutable } from '../../src/process/executable.ts';
import { Huddle } from './command.ts';
import { eventually, scene, type Scene } from './harness.ts';
import { ask, load } from './load.ts';
import { freePort } from './proc.ts';
import { git } from './repository.ts';

// The examples of `scripts.switch`, each with the real server in front, as their README tells to try them out.

interface Front {
  readonly name: string;
  /** What must be installed. */
  readonly programs: readonly string[];
  /** What starts it, in its folder. */
  readonly argv: readonly [string, ...string[]];
  /** A reload opens another socket: what waits for the one of before is reset, unless Linux moves it on. */
  readonly bindsAnew?: true;
  /** Has it refuse the next switch; what it returns has it accept again. */
  refuse(folder: string): Promise<() => Promise<void>>;
}

/** A mistake in its configuration, such as somebody may have left there. */
async function mistake(file: string): Promise<() => Promise<void>> {
  const right = readFileSync(file);
  appendFileSync(file, '\n}\n');
  return async () => writeFileSync(file, right);
}

async function away(file: string): Promise<() => Promise<void>> {
  await rename(file, `${file}.away`);
  return () => rename(`${file}.away`, file);
}

const fronts: readonly Front[] = [
  {
    name: 'nginx',
    programs: ['nginx'],
    argv: ['nginx', '-p', '.', '-c', 'nginx.conf', '-g', 'daemon off;'],
    refuse: (folder) => mistake(join(folder, 'nginx.conf')),
  },
  {
    name: 'caddy',
    programs: ['caddy'],
    argv: ['caddy', 'run'],
    bindsAnew: true,
    refuse: (folder) => mistake(join(folder, 'Caddyfile')),
  },
  {
    name: 'haproxy',
    programs: ['haproxy', 'socat'],
    argv: ['haproxy', '-f', 'haproxy.cfg'],
    refuse: (folder) => away(join(folder, 'haproxy.sock')),
  },
];

const path = [dirname(process.execPath), process.env['PATH'], '/usr/sbin'].join(delimiter);

function missing({ programs }: Front): string | false {
  const absent = programs.filter((program) => findExecutable(program, '/', path) === null);
  return absent.length > 0 && `${absent.join(' and ')} is not installed`;
}

/** Whether Linux hands what waits for a closed socket to the next one of its port; it is for the whole machine, so no test turns it on. */
function movesOn(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').trim() === '1';
  } catch {
    return false; // Before Linux 5.14.
  }
}

/** A copy of an example, with ports that are free, and its front at work. */
async function prepared(t: TestContext, { name, argv }: Front) {
  const stage = await scene(t);
  const [port, admin] = [await freePort(), await freePort()];
  const examples = join(stage.root, 'examples');
  await cp(join(import.meta.dirname, '../../examples/switch'), examples, { recursive: true });
  const folder = join(examples, name);
  for (const file of ['nginx/nginx.conf', 'caddy/Caddyfile', 'haproxy/haproxy.cfg']) {
    edit(join(examples, file), (text) => text.replace('8080', String(port)).replace('2019', String(admin)));
  }
  edit(join(folder, 'shop.json'), (text) => text.replace('"application": {', '"application": { "settle": 0.2,'));
  await git(examples, 'init', '--quiet', '-b', 'main', 'app');
  const front = () => startFront(stage, folder, argv);
  return { stage, folder, port, app: join(examples, 'app'), front };
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

/** Ends with its test, as all that carries the folder of the scene in its environment. */
function startFront(stage: Scene, cwd: string, [program, ...args]: Front['argv']) {
  return spawn(program, args, { cwd, env: stage.environment({ PATH: path }), stdio: 'ignore' });
}

async function commit(app: string): Promise<string> {
  await git(app, 'add', '--all');
  await git(app, 'commit', '--quiet', '-m', 'Change');
  return await git(app, 'rev-parse', 'HEAD');
}

/** Greets with another word; that of `broken` ends at its start. */
async function greet(app: string, word: string): Promise<string> {
  const source = word === 'broken' ? 'process.exit(1);\n' : `export const greeting = '${word}';\n`;
  writeFileSync(join(app, 'greeting.mjs'), source);
  return await commit(app);
}

suite('The switch script of the examples', { concurrency: 2 }, () => {
  for (const front of fronts) {
    test(
      `for ${front.name} loses no request, and turns nothing when it is refused`,
      { skip: missing(front) },
      async (t) => {
        const { stage, folder, port, app, front: start } = await prepared(t, front);
        const running = start();
        const first = await commit(app);
        const huddle = new Huddle(folder, [], stage.environment({ PATH: path }));
        const deploy = async (word: string) => {
          const revision = await greet(app, word);
          huddle.check();
          return revision;
        };
        await huddle.live('shop', first);
        assert.match(await ask(port), /^Hello/);

        const loads = [load(t, port, 2), load(t, port, 2, true)];
        await huddle.live('shop', await deploy('Hi'));
        const broken = await deploy('broken');
        await huddle.deployment('shop', ({ revision }) => revision === broken);
        const accept = await front.refuse(folder);
        const refused = await deploy('Refused');
        const { result, reason } = await huddle.deployment('shop', ({ revision }) => revision === refused);
        assert.equal(result, 'rolled back');
        assert.match(reason, /^running the switch script .*: exit code 1$/);
        await accept();
        const last = await deploy('Welcome');
        await huddle.live('shop', last);
        for (const ended of await Promise.all(loads.map((each) => each.end()))) {
          const words = [...ended.seen].map((answer) => answer.split(' ')[0]);
          const failed =
            front.bindsAnew && !movesOn() ? ended.failed.filter((why) => why !== 'ECONNRESET') : ended.failed;
          assert.deepEqual([failed, words], [[], ['Hello', 'Hi', 'Welcome']], `of ${ended.requests}`);
        }
        // The next one starts where this one was.
        running.kill();
        await once(running, 'exit');
        start();
        assert.match(await eventually('it answers again', () => ask(port).catch(() => false as const)), /^Welcome/);
        await huddle.stop();
      },
    );
  }
});
