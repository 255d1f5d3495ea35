import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pointProxy, proxyStatus } from '../../src/proxy/client.ts';
import { startArgv } from '../../src/proxy/settings.ts';
import { eventually, type Scene } from '../e2e/harness.ts';
import { ask } from '../e2e/load.ts';
import { freePort } from '../e2e/proc.ts';
import { median, type Line } from './line.ts';
import { isInstalled } from './shop.ts';
import { processorSeconds, residentMegabytes } from './usage.ts';
import { failedOf, type Load, visitors } from './visitors.ts';

// The proxies share one core; the clients and the program have the other one, where there are two.

const never = new AbortController().signal;
const cores = availableParallelism();

interface Contestant {
  readonly name: string;
  readonly port: number;
  /** Whose processor time is that of the proxy; null: there is none. */
  readonly pid: number | null;
}

interface Found {
  readonly full: Load[];
  readonly single: Load[];
  /** Microseconds of processor time for a request. */
  readonly cost: number[];
}

/**
 * The proxy of Huddle beside Debian's nginx and Caddy, in front of a trivial program: in turns, so that what else the
 * machine does hits all alike.
 */
export async function proxy(stage: Scene, rounds: number, seconds: number): Promise<Line[]> {
  const target = await freePort();
  writeFileSync(join(stage.dir, 'version'), 'hello world\n');
  start(stage, 1, [process.execPath, join(import.meta.dirname, 'programs/shop.mjs')], { PORT: String(target) });
  await answering(target);
  const all: Contestant[] = [{ name: 'no proxy', port: target, pid: null }, await huddle(stage, target, 1)];
  const missing: Line[] = [];
  for (const [name, front] of Object.entries({ nginx, caddy })) {
    if (isInstalled(name)) all.push(await front(stage, target));
    else missing.push({ what: `${name} as a proxy`, target: '', measured: `it is missing (apt: ${name})`, met: null });
  }
  // Beside the clients and the program: how it does where each has a core is seen only where there are more of them.
  if (cores > 1) all.push(await huddle(stage, target, Math.min(cores, 4)));
  const found = new Map<string, Found>(all.map(({ name }) => [name, { full: [], single: [], cost: [] }]));
  for (let round = 0; round < rounds; round += 1) {
    for (const one of all) await measure(stage, one, seconds, found.get(one.name));
  }
  return [...all.flatMap((one) => linesOf(one, found)), ...missing];
}

async function measure(stage: Scene, { port, pid }: Contestant, seconds: number, found?: Found): Promise<void> {
  const before = pid === null ? 0 : processorSeconds(pid);
  const full = await load(stage, port, 32, seconds);
  const spent = pid === null ? 0 : processorSeconds(pid) - before;
  found?.full.push(full);
  found?.cost.push((spent / full.requests) * 1e6);
  found?.single.push(await load(stage, port, 1, seconds / 2));
}

/** Over connections that are kept, as fast as it goes. */
async function load(stage: Scene, port: number, clients: number, seconds: number): Promise<Load> {
  const coming = visitors(stage, { port, rate: 0, clients, anew: false }, onCore(1));
  await sleep(500);
  coming.enter('counted');
  await sleep(seconds * 1000);
  coming.enter('over');
  return (await coming.leave()).in('counted');
}

function linesOf({ name, pid }: Contestant, found: ReadonlyMap<string, Found>): Line[] {
  const of = (whose: string): Found => found.get(whose) ?? { full: [], single: [], cost: [] };
  const speed = (whose: string): number => median(of(whose).full.map(({ perSecond }) => perSecond));
  const delay = (whose: string): number => median(of(whose).single.map(({ latency }) => latency.p50));
  const { failed, text } = failedOf(of(name).full);
  const half = name === 'huddle' && found.has('caddy') ? speed('caddy') / 2 : null;
  const requests: Line = {
    what: `${name}: requests a second, 32 connections${name === several ? '' : ', one core'}`,
    target: half === null ? '' : `≥ ½ of caddy (${Math.round(half)})`,
    measured: `${Math.round(speed(name))} (failed: ${text})`,
    met: half === null ? null : speed(name) >= half && failed === 0,
  };
  if (pid === null) return [requests];
  const added = `${((delay(name) - delay('no proxy')) * 1000).toFixed(0)} µs`;
  const spent = `${Math.round(median(of(name).cost))} µs of processor a request, ${Math.round(residentMegabytes(pid))} MB`;
  return [
    requests,
    { what: '  added to a request of one client alone (median)', target: '', measured: added, met: null },
    { what: '  its cost', target: '', measured: spent, met: null },
  ];
}

function onCore(core: 0 | 1): readonly string[] {
  return cores > 1 && isInstalled('taskset') ? ['taskset', '-c', String(core)] : [];
}

/** On a core, or on all; it ends with the stage. */
function start(stage: Scene, core: 0 | 1 | null, argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const [command = '', ...args] = core === null ? argv : [...onCore(core), ...argv];
  return spawn(command, args, { cwd: stage.dir, env: stage.environment(env), stdio: 'ignore' });
}

const several = 'huddle, its workers on all cores';

/** With one worker it is measured on one core, beside the others. */
async function huddle(stage: Scene, target: number, workers: number): Promise<Contestant> {
  const home = mkdtempSync(join(stage.root, 'proxy-'));
  const control = join(home, 'proxy.sock');
  const listen = { host: '127.0.0.1', port: 0 };
  const settings = { listen, control, memory: join(home, 'proxy.json'), drainTimeout: 30, workers };
  const child = start(stage, workers === 1 ? 0 : null, startArgv(settings));
  await pointProxy(control, { port: target, revision: 'one' }, never);
  const { address } = await proxyStatus(control, never);
  return { name: workers === 1 ? 'huddle' : several, port: address.port, pid: child.pid ?? null };
}

async function nginx(stage: Scene, target: number): Promise<Contestant> {
  const [home, port] = [mkdtempSync(join(stage.root, 'nginx-')), await freePort()];
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
  const child = start(stage, 0, ['nginx', '-p', home, '-c', file]);
  await answering(port);
  return { name: 'nginx', port, pid: child.pid ?? null };
}

async function caddy(stage: Scene, target: number): Promise<Contestant> {
  const [home, port] = [mkdtempSync(join(stage.root, 'caddy-')), await freePort()];
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
  const child = start(stage, 0, ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], env);
  await answering(port);
  return { name: 'caddy', port, pid: child.pid ?? null };
}

async function answering(port: number): Promise<void> {
  await eventually(`an answer at port ${port}`, () => ask(port).catch(() => false as const));
}
