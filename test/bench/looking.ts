import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { WebSocket } from 'ws';
import type { Scene } from '../e2e/harness.ts';
import { linkOf, openBrowser, skip } from '../observe/dashboard/browser.ts';
import { settled } from './crowd.ts';
import type { Line } from './line.ts';
import { ownProcessorSeconds, residentMegabytes } from './usage.ts';

const apps = 100;

/** Somebody looks on until he leaves. */
type Viewer = (link: string, browser: Browser) => Promise<() => Promise<void>>;

/**
 * What it costs Huddle that somebody looks: processor time a minute and memory with a hundred apps, at rest and
 * while each asks its remote once a minute. The processor time of git is not counted.
 */
export async function looking(stage: Scene, seconds: number): Promise<Line[]> {
  if (skip !== false) return [{ what: `looking: ${skip}`, target: '', measured: '', met: null }];
  const repo = await stage.repo();
  await repo.publish({ version: 'v1\n' });
  const configure = async (timing: { readonly minimum: number; readonly maximum: number }) => {
    for (let index = 0; index < apps; index += 1)
      await stage.app(`app${index}`, repo.remote, {
        timing,
        application: { start: ['sleep', '100000'] },
      });
  };
  await configure({ minimum: 3600, maximum: 3600 });
  const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
  await settled(huddle, apps);
  const link = await linkOf(stage);
  const browser = await openBrowser();
  const lines: Line[] = [];
  const measure = async (when: string) => {
    for (const [who, view] of viewers) {
      const leave = await view(link, browser);
      // What it takes to come is told once; here it is what it takes to stay.
      await sleep(3000);
      const measured = await cost(huddle.pid, seconds);
      await leave();
      lines.push({ what: `${when}, ${who}`, target: '', measured, met: null });
    }
  };
  try {
    await measure(`${apps} apps at rest`);
    // Once a minute on average, and never all of them at once.
    await configure({ minimum: 1, maximum: 119 });
    await measure(`${apps} apps, a check a minute each`);
    return lines;
  } finally {
    await browser.close();
    // What goes with the stage need not be stopped gently first.
    await huddle.kill9();
  }
}

const viewers: readonly (readonly [who: string, view: Viewer])[] = [
  ['nobody looks', () => Promise.resolve(async () => {})],
  ['one dashboard, all apps', (link, browser) => dashboard(link, browser, '.apps a')],
  ['one dashboard, at one app', (link, browser) => dashboard(link, browser, '.program .curve', '#/apps/app0')],
  ['one inspector', inspector],
  ['nobody looks any more', () => Promise.resolve(async () => {})],
];

async function dashboard(link: string, browser: Browser, awaited: string, at = '#/') {
  const page = await browser.newPage();
  await page.goto(link);
  await page.evaluate(`location.hash = '${at}'`);
  await page.locator(awaited).first().waitFor();
  return async () => await page.close();
}

/** A client as `createWebSocketReceiver` is one: it reads all that it is told. */
async function inspector(link: string) {
  const { origin, hash } = new URL(link);
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/inspect?${hash.slice(1)}`);
  socket.on('message', (data: Buffer) => void JSON.parse(data.toString()));
  await once(socket, 'open');
  return async () => {
    socket.close();
    await once(socket, 'close');
  };
}

async function cost(pid: number, seconds: number): Promise<string> {
  const before = ownProcessorSeconds(pid);
  await sleep(seconds * 1000);
  const minute = ((ownProcessorSeconds(pid) - before) * 60) / seconds;
  return `${minute.toFixed(3)} s a minute, ${residentMegabytes(pid).toFixed(1)} MB`;
}
