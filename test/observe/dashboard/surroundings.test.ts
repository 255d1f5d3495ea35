import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { makeCertificate } from '../../control/certificate.ts';
import { eventually, plain, scene } from '../../e2e/harness.ts';
import { askInstalled, installed, startInstalled } from '../../e2e/installed.ts';
import { standInFile } from '../inspector/stand-in.ts';
import { linkOf, openBrowser, skip, visit } from './browser.ts';

suite('The dashboard', { skip, concurrency: 2 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  test('over TLS shows a deployment, leads to the inspector, and survives a new certificate', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 600 } });
    const { cert, key } = makeCertificate(stage.root, 'one');
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key]);
    await huddle.live('shop', first);
    const link = await linkOf(stage);
    assert.match(link, /^https:/);
    const { page, requests, isClean } = await visit(t, browser, link, { ignoreHTTPSErrors: true });
    await page.getByRole('link', { name: 'shop' }).click();
    await page.locator('.life [data-state="running"].live').waitFor();

    const renewed = makeCertificate(stage.root, 'two');
    copyFileSync(renewed.cert, cert);
    copyFileSync(renewed.key, key);
    const second = await repo.publish(plain('v2'));
    // SIGHUP: takes the certificate and asks every remote.
    huddle.check();
    await huddle.logged(/the TLS certificate has been read anew/);
    await page.locator('.facts code', { hasText: second.slice(0, 7) }).waitFor();
    await page.locator('.history li').nth(1).waitFor();
    isClean();

    await playViewer(page);
    await page.getByRole('link', { name: 'Inspector' }).click();
    await eventually('the viewer is connected', () => requests.some((url) => url.startsWith('wss:')));
    assert.ok(
      requests.every((url) => /^(https|wss|data):/.test(url)),
      requests.join('\n'),
    );
    await huddle.stop();
  });

  test('leads to the inspector, which shows the same Huddle in the viewer, without asking for the token again', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.live('shop', first);
    const { page, requests } = await visit(t, browser, await linkOf(stage));
    await page.getByRole('link', { name: 'shop' }).waitFor();
    await playViewer(page);
    await page.getByRole('link', { name: 'Inspector' }).click();
    await page.waitForURL('**/inspector');
    const heard = async () => {
      const viewer = page.frames().find((frame) => frame.url() === 'https://stately.ai/inspect');
      return ((await viewer?.evaluate('window.heard').catch(() => [])) ?? []) as StatelyInspectionEvent[];
    };
    const names = async () => (await heard()).map((event) => (event.type === '@xstate.actor' ? event.name : ''));
    await eventually('the viewer knows the app', async () => (await names()).includes('app:shop'));
    const second = await repo.publish(plain('v2'));
    await huddle.live('shop', second);
    await eventually('the viewer sees the deployment', async () => JSON.stringify(await heard()).includes(second));
    assert.ok(await page.locator('#notice').isHidden());
    const origins = new Set(requests.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin));
    const { host } = new URL(page.url());
    assert.deepEqual([...origins].toSorted(), [`http://${host}`, `https://stately.ai`, `ws://${host}`]);

    await page.goBack();
    await page.getByRole('link', { name: 'shop' }).click();
    await page.locator('.facts code', { hasText: second.slice(0, 7) }).waitFor();
    await huddle.stop();
  });

  test('is whole in the package as it is published', async (t) => {
    const stage = await scene(t);
    const command = await installed(stage);
    const repo = await stage.repo();
    await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote);
    startInstalled(command, stage, '--listen', '127.0.0.1:0');
    const link = await eventually('the link', async () => (await askInstalled(command, stage, 'open')) ?? false);
    const { page, requests, isClean } = await visit(t, browser, link);
    await page.getByRole('link', { name: 'shop' }).click();
    await page.locator('.life [data-state="running"].live').waitFor();
    await page.getByText('The life of a program').click();
    await page.locator('.program .live[data-state]').waitFor();
    await page.locator('.history li').waitFor();
    assert.ok(requests.some((url) => url.endsWith('/dashboard/vendor/preact.mjs')));
    isClean();
    await page.getByRole('link', { name: 'Inspector' }).click();
    await page.getByText('Waiting for the viewer').waitFor();
    const { origin } = new URL(link);
    const token = link.split('=')[1] ?? '';
    const metrics = await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    assert.match(await metrics.text(), /huddle_app_/);
  });
});

/** The hosted viewer, played; Huddle's page, its policy and the handshake are the real ones. */
async function playViewer(page: Page): Promise<void> {
  await page.route('https://stately.ai/**', async (route) => {
    await route.fulfill(standInFile(new URL(route.request().url()).pathname));
  });
}
