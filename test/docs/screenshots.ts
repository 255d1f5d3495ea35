import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContextOptions, type Page } from 'playwright-core';
import { serveTcp } from '../../src/control/tcp.ts';
import type { AppStatus } from '../../src/control/status.ts';
import { dashboardFile } from '../../src/observe/dashboard/dashboard.ts';
import { appStatus, FakeSource, historyEntry } from '../control/fake-source.ts';
import { token } from '../control/visitor.ts';

// Makes the pictures that the README shows: the real page in a real browser, on apps that are played so that the pictures
// are the same each time. `node test/docs/screenshots.ts`

const folder = join(import.meta.dirname, '../../examples');
const revisions = ['4be1c07', 'a93f5d2', '07c6e81', 'f1d9b34', '2e80c5a'].map((start) => start.padEnd(40, '5'));
const [next = '', running = '', before = '', bad = '', first = ''] = revisions;
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const program = (up: number, but: Partial<AppStatus['program']> = {}): AppStatus['program'] => {
  return { state: 'up', pid: 4711, since: ago(up), restarts: 0, adopted: false, ...but };
};

function app(name: string, up: number, but: Partial<AppStatus> = {}): AppStatus {
  const revision = createHash('sha1').update(name).digest('hex');
  return appStatus(name, {
    revision,
    nextCheck: ago(-5 - (Number.parseInt(revision.slice(0, 6), 16) % 50)),
    program: program(up),
    ...but,
  });
}

const shop = app('shop', 190_000, { revision: running, previous: before, rejected: [bad] });

const apps = [
  ...['accounts', 'billing', 'catalog', 'docs', 'gateway', 'images', 'invoices'].map((name, index) =>
    app(name, 7_000 * index + 4_000),
  ),
  app('mailer', 90_000, { state: 'checking' }),
  app('metrics', 600_000, { paused: true, nextCheck: null }),
  app('reports', 400, {
    program: program(0, { state: 'given up', pid: null, since: null, restarts: 4 }),
    health: 'unknown',
    error: {
      code: 'crash-limit',
      message: 'keeping up node report.js: given up after 5 exits; the last: it ended with exit code 1',
      hint: '',
    },
  }),
  app('search', 260_000, {
    error: { code: 'test-failed', message: 'testing f1d9b34: npm test ended with exit code 1', hint: '' },
  }),
  shop,
  app('staging', 0, {
    state: 'stopped',
    program: program(0, { state: 'down', pid: null, since: null }),
    health: 'unknown',
    nextCheck: null,
  }),
];

const source = new FakeSource(...apps);
source.page = dashboardFile;
source.repository = () => ({
  remote: 'https://github.com/example/shop.git',
  commit: 'https://github.com/example/shop/commit/{revision}',
});
source.past.push(
  historyEntry({ at: ago(190_000), revision: running, from: before, reason: '', seconds: 41, downtime: 1.4 }),
  historyEntry({
    at: ago(260_000),
    revision: bad,
    from: before,
    result: 'rolled back',
    reason: 'accepting npm start: it ended with exit code 1',
    seconds: 38,
    downtime: 3.1,
  }),
  historyEntry({
    at: ago(430_000),
    revision: before,
    from: first,
    reason: '',
    seconds: 36,
    downtime: 1.2,
  }),
);
const began = Date.now();
source.usage = () => {
  const seconds = (Date.now() - began) / 1000;
  const wave = Math.sin(seconds / 5) + Math.sin(seconds / 1.7) / 3;
  return { processes: 3, memory: 148e6 + 9e6 * wave, cpu: seconds * 0.09 + wave * 0.12 };
};
source.logFolder = mkdtempSync(join(tmpdir(), 'huddle-pictures-'));
writeFileSync(join(source.logFolder, 'shop.log'), logLines());

const control = await serveTcp(
  source,
  { address: { host: '127.0.0.1', port: 7357 }, tls: null, allowHosts: [] },
  token,
);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const wide = { width: 1280, height: 545 };
  await picture('overview', { viewport: wide });
  await picture('deploying', { viewport: { ...wide, height: 780 } }, deploying);
  await picture('dark', { viewport: { ...wide, height: 600 }, colorScheme: 'dark' }, lookAtShop);
  await picture('phone', { viewport: { width: 360, height: 640 }, deviceScaleFactor: 1.25 }, lookAtShop);
} finally {
  await browser.close();
  await control.close();
  rmSync(source.logFolder, { recursive: true });
}

async function picture(
  name: string,
  options: BrowserContextOptions,
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<void> {
  source.put(shop);
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${control.url}/#token=${token}`);
  await page.locator('.apps').waitFor();
  await prepare(page);
  await page.screenshot({ path: join(folder, `dashboard-${name}.png`) });
  await context.close();
}

async function lookAtShop(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'shop' }).click();
  await page.locator('.life .live[data-state]').waitFor();
  await page.waitForTimeout(30_000);
  source.put({ ...shop, nextCheck: ago(-17) });
  await page.getByText(/^in 1[567] s$/).waitFor();
}

/** As far as the test of a new revision and the change of what runs. */
async function deploying(page: Page): Promise<void> {
  await lookAtShop(page);
  for (const state of ['checking', 'testing', 'stopping', 'pulling', 'restarting'] as const) {
    const isDown = state === 'stopping' || state === 'pulling';
    source.put({
      ...shop,
      state,
      nextCheck: null,
      ...(isDown && { program: program(0, { state: 'down', pid: null, since: null }) }),
    });
    await page.locator(`.life .live[data-state="${state}"]`).waitFor();
  }
  source.put({
    ...shop,
    state: 'restarting',
    revision: next,
    nextCheck: null,
    program: program(1, { state: 'starting', pid: 5120 }),
  });
  await page.getByText('this deployment so far').waitFor();
}

function logLines(): string {
  const asked = [
    'GET /',
    'GET /cart',
    'GET /search?q=kettle',
    'POST /cart',
    'GET /health',
    'GET /checkout',
    'POST /orders',
  ];
  const line = (_: unknown, index: number) => {
    const time = new Date(Date.UTC(2026, 0, 31, 12, 0, index * 3)).toISOString().slice(11, 19);
    return `${time} ${asked[(index * 5) % asked.length]} 200 ${3 + ((index * 7) % 23)} ms`;
  };
  return `${['listening on 127.0.0.1:8080', ...Array.from({ length: 60 }, line)].join('\n')}\n`;
}
