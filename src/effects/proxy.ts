import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppConfig } from '../../machines/config.ts';
import { asFailure, Failure } from '../../machines/failure.ts';
import { crashDelay, isSame } from '../../machines/policy.ts';
import type { ProcessReport } from '../../machines/slots.ts';
import { errorCode } from '../ledger/paths.ts';
import { faultPoint } from '../fault.ts';
import { tail } from '../logs/follow.ts';
import { appendTo, tellOpened } from '../logs/open.ts';
import { adoptProgram } from '../process/adopt.ts';
import { endByForce } from '../process/end.ts';
import { bootId, type Identity, isAlive } from '../process/identity.ts';
import { type RunningProgram, startProgram } from '../process/program.ts';
import { endGently } from '../process/stop.ts';
import { treeOf } from '../process/tree.ts';
import { proxyStatus } from '../proxy/client.ts';
import { type ProxySettings, startArgv } from '../proxy/settings.ts';
import type { Desk } from './desk.ts';
import type { KeptProxy } from './doors.ts';

// The proxy of an app is kept up like a program, and like one it outlives Huddle.

/** How long one is waited for; milliseconds. */
const patience = 10_000;

/** Between two looks; milliseconds. */
const pause = 25;

/** What the next Huddle finds. */
interface ProxyRecord extends Identity {
  readonly mark: string;
  readonly since: number;
  readonly settings: ProxySettings;
}

/** Has the proxy that the config wants kept up, and no other; answers where it is told what to do. null: none is wanted. */
export async function settleProxy(config: AppConfig, desk: Desk): Promise<string | null> {
  const { proxy, drainTimeout } = config.application;
  if (proxy === null) {
    await endProxy(desk);
    return null;
  }
  const settings: ProxySettings = {
    listen: proxy,
    control: desk.paths.proxySocket(),
    memory: join(desk.paths.directory, 'proxy-memory.json'),
    drainTimeout,
  };
  const before = desk.doors.proxy;
  if (before !== null && isSameDoor(before.settings, settings)) {
    before.renew(settings);
    return settings.control;
  }
  const left = before === null ? readRecord(desk) : null;
  const next = keep(settings, config, desk, left);
  desk.doors.proxy = next;
  if (before === null && (left === null || isSameDoor(left.settings, settings))) return settings.control;
  // Both listen at one address until then; the old one answers what it has begun with.
  await serving(next);
  await before?.end();
  if (left !== null) await endTree(left, left.settings.drainTimeout, desk);
  return settings.control;
}

/** Whether a proxy of the one can go on as that of the other: it is told of a drain timeout when it is pointed. */
function isSameDoor(one: ProxySettings, other: ProxySettings): boolean {
  return isSame({ ...one, drainTimeout: other.drainTimeout }, other);
}

/** Resolves also when none comes: the one before is not what the config wants. */
async function serving(next: KeptProxy & { isServing(): Promise<boolean> }): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await next.isServing()) && performance.now() < deadline) await sleep(pause);
}

/** Ends the proxy of an app that is to have none, also one that an earlier Huddle has left. */
export async function endProxy(desk: Desk): Promise<void> {
  const left = desk.doors.proxy === null ? readRecord(desk) : null;
  await desk.doors.proxy?.end();
  desk.doors.proxy = null;
  if (left !== null) await endTree(left, left.settings.drainTimeout, desk);
  rmSync(recordIn(desk), { force: true });
}

/** The mark of the proxy that an earlier Huddle has left; null where it has left none. */
export function markOfProxy(desk: Desk): string | null {
  return readRecord(desk)?.mark ?? null;
}

function keep(
  wanted: ProxySettings,
  config: AppConfig,
  desk: Desk,
  found: ProxyRecord | null,
): KeptProxy & { isServing(): Promise<boolean> } {
  let settings = wanted;
  let running: Pick<RunningProgram, 'leave'> | null = null;
  let root: Identity & { readonly mark: string } = { pid: 0, startTime: 0, bootId, mark: '' };
  let exits = 0;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let complaint: Failure | null = null;

  const heard = (report: ProcessReport): void => {
    if (report.type === 'process.spawned' || isOver) return;
    exits += 1;
    timer = setTimeout(begin, crashDelay(exits));
    void complaintOf(report, settings, desk).then((found) => desk.warnOf((complaint = found)));
  };
  const begin = (): void => {
    const mark = desk.mark();
    const started = startProgram(programOf({ settings, config, desk, mark }), heard);
    running = started;
    if (started.tree === null) return;
    root = { ...started.tree.root, mark };
    writeRecord({ ...root, since: Date.now(), settings }, desk);
  };
  if (found !== null && isAlive(found) && isSameDoor(found.settings, settings)) {
    root = found;
    tellOpened(desk.paths.proxyLog);
    running = adoptProgram(found, { log: desk.paths.proxyLog, since: found.since }, heard);
  } else begin();

  const leave = (): void => {
    isOver = true;
    clearTimeout(timer);
    running?.leave();
  };
  return {
    get settings() {
      return settings;
    },
    renew(renewed) {
      settings = renewed;
    },
    get complaint() {
      return complaint;
    },
    leave,
    async isServing() {
      const status = await proxyStatus(settings.control, AbortSignal.timeout(patience)).catch(() => null);
      return status?.pid === root.pid;
    },
    async end() {
      leave();
      faultPoint('proxy.end.before');
      if (root.pid !== 0) await endTree(root, settings.drainTimeout, desk);
      faultPoint('proxy.end.after');
    },
  };
}

/** A proxy is started as a program is: of Huddle's own user, who may open its control socket. */
function programOf({
  settings,
  config,
  desk,
  mark,
}: {
  settings: ProxySettings;
  config: AppConfig;
  desk: Desk;
  mark: string;
}) {
  const none = { directory: '.', environment: {}, environmentFile: null, user: null, listen: [] };
  const application = { ...config.application, ...none, start: startArgv(settings) };
  const repository = { ...config.repository, localPath: desk.paths.directory };
  const placed = { ...config, application, repository };
  return { name: desk.name, revision: '', config: placed, mark, log: desk.paths.proxyLog, openLog: appendTo };
}

async function endTree(root: Identity & { readonly mark: string }, drainTimeout: number, desk: Desk): Promise<void> {
  const tree = treeOf(root, desk.paths.proxyLog);
  const patience = AbortSignal.timeout((drainTimeout + 5) * 1000);
  try {
    await endGently(tree, { signal: 'SIGTERM', command: null, warn: desk.warnOf }, patience);
  } catch {
    await endByForce(tree, new AbortController().signal);
  }
}

function readRecord(desk: Desk): ProxyRecord | null {
  try {
    return JSON.parse(readFileSync(recordIn(desk), 'utf8')) as ProxyRecord;
  } catch (thrown) {
    if (errorCode(thrown) !== 'ENOENT') desk.warnOf(asFailure(thrown));
    return null;
  }
}

function writeRecord(record: ProxyRecord, desk: Desk): void {
  faultPoint('proxy.record.before');
  const fresh = `${recordIn(desk)}.new`;
  writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
  faultPoint('proxy.record.fresh');
  renameSync(fresh, recordIn(desk));
  faultPoint('proxy.record.after');
}

function recordIn({ paths }: Desk): string {
  return join(paths.directory, 'proxy.json');
}

/** Why a proxy is no more: one that could not begin has said so as its last word. */
async function complaintOf(
  report: Exclude<ProcessReport, { type: 'process.spawned' }>,
  { listen }: ProxySettings,
  desk: Desk,
): Promise<Failure> {
  const parts = { doing: 'keeping up', subject: `the proxy on port ${listen.port}` };
  const usual = 'Its own output is in logs/proxy.log; it is started again.';
  if (report.type === 'process.failed')
    return new Failure('not-running', { ...parts, reason: report.failure.message, hint: usual });
  const [, reason = 'it has ended by itself', hint = usual] =
    report.exit.code === 1 ? (/^\S+Z (.+?)(?:\. (.+))?$/.exec(await lastLine(desk.paths.proxyLog)) ?? []) : [];
  return new Failure('not-running', { ...parts, reason, hint });
}

/** Empty where it cannot be read. */
async function lastLine(path: string): Promise<string> {
  let text = '';
  try {
    const signal = AbortSignal.timeout(patience);
    for await (const bytes of tail(path, { lines: 1, follow: false, signal })) text += bytes.toString();
  } catch {
    return '';
  }
  return text.trim();
}
