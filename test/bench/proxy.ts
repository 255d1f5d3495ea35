import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, cpus, release as kernel, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { drained, pointProxy, proxyStatus } from '../../src/proxy/client.ts';
import type { startArgv as fromSource } from '../../src/proxy/settings.ts';
import { type Line, median, tableOf } from './line.ts';
import type { Asking, Load } from './proxy-load.ts';
import { processorSeconds, residentMegabytes } from './usage.ts';

// The proxy of Huddle beside nginx and Caddy, in the same run and on one core each, in front of a trivial program; and
// what its clients see of switches. `node test/bench/proxy.ts`, with `--quick` in shorter rounds. Debian has nginx and
// caddy as packages; what is not installed is left out. The built proxy is measured where there is one, as it has less
// to load than the sources.

const { values } = parseArgs({ options: { quick: { type: 'boolean' } } });
const [rounds, seconds] = values.quick === true ? [2, 2] : [5, 4];
const never = new AbortController().signal;
const hasCores = availableParallelism() > 1;

const folder = mkdtempSync(join(tmpdir(), 'huddle-bench-proxy-'));
const children: ChildProcess[] = [];
try {
  const lines = [...(await beside()), ...(await switches())];
  process.stdout.write(`Node ${process.version}, Linux ${kernel()}, ${cpus().length} × ${cpus()[0]?.model.trim()}\n\n`);
  process.stdout.write(`${tableOf(lines)}\n`);
  process.exitCode = lines.some(({ met }) => met === false) ? 1 : 0;
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

interface Contestant {
  readonly name: string;
  readonly port: number;
  /** Whose processor time is that of the proxy; null for none. */
  readonly pids: () => readonly number[];
}

/** Throughput, latency, processor time: in turns, so that what else the machine does hits all alike. */
async function beside(): Promise<Line[]> {
  const target = await program('one');
  const direct = { name: 'no proxy', port: target.port, pids: () => [] };
  const proxies = [await huddle(target.port), await nginx(target.port), await caddy(target.port)];
  const all: Contestant[] = [direct, ...proxies.filter((each) => each !== null)];
  const found = new Map(
    all.map(({ name }) => [name, { full: [] as Load[], single: [] as Load[], cost: [] as number[] }]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { name, port, pids } of all) {
      const results = found.get(name);
      const before = pids().reduce((sum, pid) => sum + processorSeconds(pid), 0);
      const full = await load({ port, seconds, clients: 32, anew: false, rate: 0 });
      const after = pids().reduce((sum, pid) => sum + processorSeconds(pid), 0);
      results?.full.push(full);
      results?.cost.push(((after - before) / full.requests) * 1e6);
      results?.single.push(await load({ port, seconds: seconds / 2, clients: 1, anew: false, rate: 0 }));
    }
  }
  const speed = (name: string): number => median(found.get(name)?.full.map(({ perSecond }) => perSecond) ?? [NaN]);
  const delay = (name: string): number => median(found.get(name)?.single.map(({ latency }) => latency.p50) ?? [NaN]);
  const half = speed('caddy') / 2;
  return all.flatMap(({ name, pids }) => {
    const { full = [], cost = [] } = found.get(name) ?? {};
    const failed = full.reduce((sum, each) => sum + each.failed, 0);
    const isOurs = name === 'huddle' && found.has('caddy');
    const requests: Line = {
      what: `${name}: requests a second, 32 connections, one core`,
      target: isOurs ? `≥ ½ of caddy (${Math.round(half)})` : '',
      measured: `${Math.round(speed(name))} (${failed} failed)`,
      met: isOurs ? speed(name) >= half && failed === 0 : null,
    };
    if (name === 'no proxy') return [requests];
    const spent = `${Math.round(median(cost))} µs of processor a request, ${Math.round(memoryOf(pids()))} MB`;
    const added = `${((delay(name) - delay('no proxy')) * 1000).toFixed(0)} µs`;
    return [
      requests,
      { what: '  added to a request of one client alone (median)', target: '', measured: added, met: null },
      { what: '  its cost', target: '', measured: spent, met: null },
    ];
  });
}

/** What clients see of twenty switches, at 200 new connections a second and as fast as it goes. */
async function switches(): Promise<Line[]> {
  const lines: Line[] = [];
  for (const [title, rate, clients] of [
    ['200 new connections a second', 200, 20],
    ['new connections, as fast as it goes', 0, 16],
  ] as const) {
    let current = await program('r0');
    const proxy = await huddle(current.port, 30, undefined);
    if (proxy === null) throw new Error('it is ours');
    const asking = { port: proxy.port, seconds: values.quick === true ? 6 : 20, clients, anew: true, rate };
    const calm = await load(asking);
    const under = load(asking);
    const pause = (asking.seconds * 1000) / 21;
    for (let turn = 1; turn <= 20; turn++) {
      const from = performance.now();
      const next = await program(`r${turn}`);
      await pointProxy(proxy.control, { port: next.port, revision: next.name }, never);
      await drained(proxy.control, current.port, never);
      // As Huddle ends the old program: at once, nothing of it is wanted any more.
      current.child.kill('SIGKILL');
      current = next;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, pause - (performance.now() - from))));
    }
    const busy = await under;
    const { cut } = await proxyStatus(proxy.control, never);
    lines.push(
      {
        what: `20 switches, ${title}: failed of ${busy.requests} requests`,
        target: '0',
        measured: `${busy.failed} (${cut} cut)`,
        met: busy.failed === 0 && cut === 0,
      },
      {
        what: '  99.9th percentile of latency, against that without a switch',
        target: '≤ 3 ×',
        measured: `${busy.latency.p999.toFixed(1)} ms, ${calm.latency.p999.toFixed(1)} ms`,
        met: busy.latency.p999 <= 3 * calm.latency.p999,
      },
    );
  }
  return lines;
}

/** On a core of its own where there are two; the proxies share the other one. */
function start(core: 0 | 1, argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const [command = '', ...args] = hasCores ? ['taskset', '-c', String(core), ...argv] : argv;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', argv.includes('load') ? 'inherit' : 'ignore'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  return child;
}

async function program(name: string): Promise<{ name: string; port: number; child: ChildProcess }> {
  const child = start(1, [process.execPath, join(import.meta.dirname, 'proxy-load.ts'), 'program', name]);
  if (child.stdout === null) throw new Error('its output is a pipe');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { name, port: Number(said.toString().split(' ', 1)[0]), child };
}

async function load(asking: Asking): Promise<Load> {
  const child = start(1, [
    process.execPath,
    join(import.meta.dirname, 'proxy-load.ts'),
    'load',
    JSON.stringify(asking),
  ]);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return JSON.parse(text) as Load;
}

/** With one thread it is measured on one core, beside the others. */
async function huddle(target: number, drainTimeout = 30, workers: number | undefined = 1) {
  const built = join(import.meta.dirname, '../../dist/src/proxy/settings.js');
  const source = join(import.meta.dirname, '../../src/proxy/settings.ts');
  const { startArgv } = (await import(pathToFileURL(existsSync(built) ? built : source).href)) as {
    startArgv: typeof fromSource;
  };
  const home = mkdtempSync(join(folder, 'huddle-'));
  const control = join(home, 'proxy.sock');
  const listen = { host: '127.0.0.1', port: 0 };
  const settings = {
    listen,
    control,
    memory: join(home, 'proxy.json'),
    drainTimeout,
    ...(workers !== undefined && { workers }),
  };
  const child = start(0, startArgv(settings));
  await pointProxy(control, { port: target, revision: 'one' }, never);
  const { address } = await proxyStatus(control, never);
  return { name: 'huddle', port: address.port, pids: () => [child.pid ?? 0], control };
}

async function nginx(target: number): Promise<Contestant | null> {
  if (!isInstalled('nginx')) return null;
  const [home, port] = [join(folder, 'nginx'), await freePort()];
  mkdirSync(home);
  const file = join(home, 'nginx.conf');
  writeFileSync(
    file,
    `master_process off; daemon off; pid ${home}/pid; error_log ${home}/error.log;
     events { worker_connections 1024; }
     http {
       access_log off;
       client_body_temp_path ${home}/a; proxy_temp_path ${home}/b; fastcgi_temp_path ${home}/c;
       uwsgi_temp_path ${home}/d; scgi_temp_path ${home}/e;
       upstream program { server 127.0.0.1:${target}; keepalive 64; }
       server {
         listen 127.0.0.1:${port}; keepalive_requests 1000000;
         location / {
           proxy_pass http://program; proxy_http_version 1.1;
           proxy_set_header Connection ""; proxy_set_header Host $host;
           proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
         }
       }
     }`,
  );
  const child = start(0, ['nginx', '-p', home, '-c', file]);
  await answering(port);
  return { name: 'nginx', port, pids: () => [child.pid ?? 0] };
}

async function caddy(target: number): Promise<Contestant | null> {
  if (!isInstalled('caddy')) return null;
  const [home, port] = [join(folder, 'caddy'), await freePort()];
  mkdirSync(home);
  const file = join(home, 'Caddyfile');
  writeFileSync(
    file,
    `{
      admin off
      auto_https off
    }
    http://127.0.0.1:${port}, http://shop.example:${port} {
      bind 127.0.0.1
      reverse_proxy 127.0.0.1:${target}
    }`,
  );
  const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, GOMAXPROCS: '1' };
  const child = start(0, ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], env);
  await answering(port);
  return { name: 'caddy', port, pids: () => [child.pid ?? 0] };
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write(`${command} is not installed, and left out\n`);
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function answering(port: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  const asking = { port, seconds: 0.01, clients: 1, anew: true, rate: 0 };
  while ((await load(asking)).failed > 0) {
    if (performance.now() > deadline) throw new Error(`nobody answers at port ${port}`);
  }
}

function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentMegabytes(pid), 0);
}
