import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HistoryEntry } from '../../machines/facts.ts';
import type { Order } from '../../machines/protocol.ts';
import { here } from '../../src/platform/here.ts';
import type { Change, Metrics, Source, Whereabouts, PageFile, Repository, Usage } from '../../src/control/source.ts';
import type { AppStatus } from '../../src/control/status.ts';

export const revision = '9c8d7e6'.padEnd(40, '0');

/** An app that is up and healthy, but for what the test says. */
export function appStatus(name: string, but: Partial<AppStatus> = {}): AppStatus {
  return {
    name,
    state: 'running',
    paused: false,
    pinned: false,
    branch: 'main',
    revision,
    previous: null,
    rejected: [],
    program: { state: 'up', pid: 4711, since: '2026-01-31T12:00:00.000Z', restarts: 0, adopted: false },
    health: 'healthy',
    nextCheck: '2026-01-31T12:01:00.000Z',
    error: null,
    ...but,
  };
}

export function historyEntry(but: Partial<HistoryEntry> = {}): HistoryEntry {
  const at = '2026-01-31T12:00:00.000Z';
  return { at, revision, from: null, result: 'deployed', reason: 'moved', seconds: 1, downtime: 0.1, ...but };
}

/** Apps that a test changes by hand. */
export class FakeSource implements Source {
  readonly #apps = new Map<string, AppStatus>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly past: HistoryEntry[] = [];

  constructor(...apps: readonly AppStatus[]) {
    for (const app of apps) this.#apps.set(app.name, app);
  }

  apps(): readonly AppStatus[] {
    return [...this.#apps.values()];
  }

  app(name: string): AppStatus | undefined {
    return this.#apps.get(name);
  }

  history(_name: string, limit: number): Promise<readonly HistoryEntry[]> {
    return Promise.resolve(this.past.slice(0, limit));
  }

  /** What was ordered: `deploy shop abc`. */
  readonly orders: string[] = [];
  /** What comes of an order. */
  outcome: () => Promise<string> = () => Promise.resolve('done');

  order(name: string, order: Order): Promise<string> {
    this.orders.push([order.type, name, ...('revision' in order ? [String(order.revision)] : [])].join(' '));
    return this.outcome();
  }

  preview(name: string): Promise<string> {
    this.orders.push(`preview ${name}`);
    return this.outcome();
  }

  detach(): readonly string[] {
    this.orders.push('detach');
    return this.apps().map(({ name }) => name);
  }

  /** Where the logs of all apps are. */
  logFolder = '/nowhere';

  logs(name: string): { appLog: string; deployLog: string } {
    return { appLog: join(this.logFolder, `${name}.log`), deployLog: join(this.logFolder, `${name}-deploy.log`) };
  }

  listen: Whereabouts['listen'] = null;

  about(): Whereabouts {
    return { version: '1.2.3', pid: process.pid, folder: '/srv/apps', listen: this.listen };
  }

  metrics(): Promise<Metrics> {
    return Promise.resolve({ type: 'text/plain; version=0.0.4; charset=utf-8', text: 'huddle_apps 1\n' });
  }

  used: Usage | null = null;

  usage(): Usage | null {
    return this.used;
  }

  repository(): Repository {
    return { remote: 'https://example.org/shop.git', commit: null };
  }

  /** The files of the dashboard. */
  readonly pages = new Map<string, PageFile>();

  page(path: string): Promise<PageFile | null> {
    return Promise.resolve(this.pages.get(path) ?? null);
  }

  /** Set where a test wants somebody to show the actor system. */
  attach?: NonNullable<Source['attach']>;

  /** The secret of every app. */
  shared: string | null = null;

  secret(name: string): string | null {
    return this.#apps.has(name) ? this.shared : null;
  }

  wake(name: string): void {
    this.orders.push(`wake ${name}`);
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  put(app: AppStatus): void {
    this.#apps.set(app.name, app);
    this.touch(app.name);
  }

  remove(name: string): void {
    this.#apps.delete(name);
    this.touch(name);
  }

  touch(name: string): void {
    this.#tell({ type: 'app', name });
  }

  deployed(name: string, entry: HistoryEntry): void {
    this.#tell({ type: 'deployment', name, entry });
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** A folder that goes with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'huddle-control-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Where a control server may listen for the sake of a test: a socket in its folder, on Windows a pipe named after that. */
export function addressIn(folder: string): string {
  return here.controlPipe(folder) ?? join(folder, 'huddle.sock');
}
