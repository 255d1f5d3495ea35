import type { Browser } from 'playwright-core';
import type { Scene } from '../e2e/harness.ts';
import { linkOf, openBrowser, skip } from '../observe/dashboard/browser.ts';
import { settled } from './crowd.ts';
import { median, spread, type Line } from './line.ts';

const apps = 100;

/** The dashboard on a hundred apps of `sleep`: how soon it shows something, and all of them. */
export async function dashboard(stage: Scene, rounds: number): Promise<Line[]> {
  if (skip !== false) return [{ what: `dashboard: ${skip}`, target: '', measured: '', met: null }];
  const repo = await stage.repo();
  await repo.publish({ version: 'v1\n' });
  for (let index = 0; index < apps; index += 1)
    await stage.app(`app${index}`, repo.remote, {
      timing: { minimum: 3600 },
      application: { start: ['sleep', '100000'] },
    });
  const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
  await settled(huddle, apps);
  const link = await linkOf(stage);

  const browser = await openBrowser();
  try {
    const paints: number[] = [];
    const lists: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { paint, list } = await visited(browser, link);
      paints.push(paint);
      lists.push(list);
    }
    return [
      { what: 'dashboard, first paint', target: '≤ 300 ms', measured: spread(paints), met: median(paints) <= 300 },
      { what: `  all ${apps} apps in the list`, target: '', measured: spread(lists), met: null },
    ];
  } finally {
    await browser.close();
    await huddle.stop();
  }
}

/** Milliseconds from the navigation on, in a browser that has kept nothing. */
async function visited(browser: Browser, link: string): Promise<{ readonly paint: number; readonly list: number }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  await page
    .locator('.apps a')
    .nth(apps - 1)
    .waitFor();
  const list = (await page.evaluate('performance.now()')) as number;
  const paint = (await page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0].startTime`)) as number;
  await context.close();
  return { paint, list };
}
