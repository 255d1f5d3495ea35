import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { dashboardFile } from '../../../src/observe/dashboard/dashboard.ts';
import type { AppStatus } from '../../../src/control/status.ts';
import { servedOnTcp, token } from '../../control/visitor.ts';
import { eventually, type Scene } from '../../e2e/harness.ts';

const executablePath = '/usr/bin/chromium';

/** Why nothing can be shown here; false: it can. */
export const skip = existsSync(executablePath) ? false : `${executablePath} is not installed`;

/** Pages of the browser's own that wait unseen behind each window; they cost more than what is looked at. */
const unseen = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'SpareRendererForSitePerProcess'];

/** (The list takes the place of Playwright's own, which is of no concern to pages of this machine.) */
export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath, args: ['--no-sandbox', `--disable-features=${unseen.join(',')}`] });
}

/** A page of the dashboard, with all that it asked for and that the browser complained of. */
export interface Visit {
  readonly page: Page;
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  /** Fails where it asked another origin for anything, or where the browser had something to say; `but` is expected. */
  readonly isClean: (but?: RegExp) => void;
}

export async function visit(
  t: TestContext,
  browser: Browser,
  link: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', ({ violatedDirective }) => console.error('CSP: ' + violatedDirective))`,
  );
  await page.goto(link);
  const { origin } = new URL(link);
  return {
    page,
    requests,
    complaints,
    isClean: (but) => {
      const asked = requests.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin);
      assert.deepEqual([...new Set(asked)], [origin]);
      assert.deepEqual(but === undefined ? complaints : complaints.filter((text) => !but.test(text)), []);
    },
  };
}

/** The link that `huddle open` prints for a running Huddle. */
export async function linkOf(stage: Scene): Promise<string> {
  return await eventually('huddle open prints a link', async () => {
    const { code, stdout } = await stage.run('open', '-c', stage.dir);
    return code === 0 && stdout.trim();
  });
}

/** The real page on apps that a test plays. */
export async function played(t: TestContext, ...apps: readonly AppStatus[]) {
  const { source, url } = await servedOnTcp(t, {}, ...apps);
  source.page = dashboardFile;
  return { source, url, link: `${url}/#token=${token}` };
}

/** The states that the drawing of an app has been lit for, from now on; `document.title` tells nothing of what was fast. */
export async function watchStates(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(`{
    window.seenStates = [];
    const look = () => {
      const state = document.querySelector('.life .live[data-state]')?.getAttribute('data-state');
      if (state && seenStates.at(-1) !== state) seenStates.push(state);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  }`);
  return async () => (await page.evaluate('window.seenStates')) as string[];
}
