import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { dashboardFile } from '../../../src/observe/dashboard/dashboard.ts';
import { inspectorFile } from '../../../src/observe/inspector/page.ts';
import { appStatus } from '../../control/fake-source.ts';
import { token } from '../../control/visitor.ts';
import { eventually, plain, scene } from '../../e2e/harness.ts';
import { freePort } from '../../e2e/proc.ts';
import { linkOf, openBrowser, played, skip, visit } from './browser.ts';

const wrong = 'W'.repeat(43);

const give = async (page: Page, text: string) => {
  await page.getByLabel('give it here').fill(text);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
};

suite('The token of the dashboard', { skip, concurrency: 2 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  test('is taken out of the address bar and kept for the tab, nowhere else', async (t) => {
    const { url, link } = await played(t, appStatus('shop'));
    const { page, requests, isClean } = await visit(t, browser, link);
    await page.getByRole('link', { name: 'shop' }).waitFor();
    assert.equal(page.url(), `${url}/`);
    assert.ok(requests.every((request) => !request.includes(token)));
    assert.equal(await page.evaluate('document.cookie + localStorage.length'), '0');
    await page.reload();
    await page.getByRole('link', { name: 'shop' }).waitFor();
    isClean();
  });

  test('is asked for where there is none; a wrong one, a broken link too, is said to be wrong', async (t) => {
    const { source, url } = await played(t, appStatus('shop'));
    const { page, isClean, complaints } = await visit(t, browser, `${url}/#/apps/shop`);
    await page.getByText('huddle -c DIR open').waitFor();
    assert.ok(!(await page.content()).includes('9c8d7e6'));
    assert.equal(await page.getByRole('alert').filter({ hasText: /\S/ }).count(), 0);
    assert.deepEqual(complaints, []);

    await give(page, 'too short');
    assert.equal(await page.evaluate(`document.querySelector('.locked input').validity.patternMismatch`), true);
    const refusal = page.getByRole('alert').filter({ hasText: 'the token is missing or wrong' });
    await give(page, wrong);
    await refusal.waitFor();
    assert.equal(await page.getByLabel('give it here').inputValue(), '');
    assert.equal(source.listeners, 0);
    await give(page, ` ${url}/#token=${token}\n`);
    await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor();
    assert.equal(page.url(), `${url}/#/apps/shop`);

    for (const broken of [wrong, token.slice(1), `${token.slice(1)}!`, '']) {
      await page.evaluate(`location.hash = 'token=${broken}'`);
      await refusal.waitFor();
      assert.equal(page.url(), `${url}/`, 'also a broken one goes out of the address bar');
      await page.evaluate(`location.hash = 'token=${token}'`);
      await page.getByRole('link', { name: 'shop' }).waitFor();
    }
    isClean(/401 \(Unauthorized\)/);
  });

  test('goes with who opens an app or the inspector in another tab, and to no other browser', async (t) => {
    const { source, url, link } = await played(t, appStatus('shop'));
    source.page = async (path) => (path === '/inspector' ? inspectorFile() : await dashboardFile(path));
    const { page, isClean } = await visit(t, browser, link);
    const context = page.context();
    await context.route('https://stately.ai/**', (route) => route.fulfill({ body: '' }));
    const shop = page.getByRole('link', { name: 'shop' });
    const [other] = await Promise.all([context.waitForEvent('page'), shop.click({ modifiers: ['Control'] })]);
    await other.getByRole('heading', { name: 'shop', level: 1 }).waitFor();
    const inspector = other.getByRole('link', { name: 'Inspector' });
    const [third] = await Promise.all([context.waitForEvent('page'), inspector.click({ modifiers: ['Control'] })]);
    await third.getByText('Waiting for the viewer').waitFor();

    const stranger = await visit(t, browser, `${url}/#/apps/shop`);
    await stranger.page.getByText('huddle -c DIR open').waitFor();
    isClean();
    stranger.isClean();
  });

  test('that tabs hold which Huddle takes no more goes to and fro between them once, not for ever', async (t) => {
    const { url, link } = await played(t, appStatus('shop'));
    const one = await visit(t, browser, link);
    await one.page.getByRole('link', { name: 'shop' }).waitFor();
    const asked: string[] = [];
    one.page.context().on('response', (response) => {
      if (response.status() === 401) asked.push(response.url());
    });
    // Three that hold old tokens and do not look: what they have is offered to the one that asks.
    const context = one.page.context();
    for (const old of ['A', 'B', 'C']) {
      const page = await context.newPage();
      await page.goto(`${url}/dashboard/style.css`);
      await page.evaluate(`{
        const tabs = new BroadcastChannel('huddle.token');
        tabs.onmessage = ({ data }) => data === null && tabs.postMessage('${old.repeat(43)}');
      }`);
    }
    // The page is loaded anew: nothing that it has tried before is to be counted.
    await one.page.goto('about:blank');
    await one.page.goto(`${url}/#token=${wrong}`);
    await eventually('each was tried', () => asked.length >= 4);
    await one.page.getByRole('alert').filter({ hasText: 'missing or wrong' }).waitFor();
    await give(one.page, token);
    await one.page.getByRole('link', { name: 'shop' }).waitFor();
    assert.equal(asked.length, 4, asked.join('\n'));
  });

  test('that has been replaced is said to be wrong; the new one, given to one tab, opens the others', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 600 } });
    const huddle = stage.startHuddle(['--listen', `127.0.0.1:${await freePort()}`]);
    await huddle.live('shop', first);
    const { page } = await visit(t, browser, await linkOf(stage));
    await page.getByRole('link', { name: 'shop' }).waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole('link', { name: 'shop' }).waitFor();

    const file = stage.file('.huddle/token');
    const old = readFileSync(file, 'utf8');
    rmSync(file);
    await page.getByRole('alert').filter({ hasText: 'the token is missing or wrong' }).waitFor();
    await other.getByRole('heading', { name: 'This page needs the token of its Huddle' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'shop' }).count(), 0);
    await eventually('a new token', () => existsSync(file) && readFileSync(file, 'utf8') !== old);
    await give(page, await linkOf(stage));
    await page.getByRole('link', { name: 'shop' }).waitFor();
    await other.getByRole('link', { name: 'shop' }).waitFor();
    await huddle.stop();
  });
});
