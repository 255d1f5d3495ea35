import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { appStatus, historyEntry, revision } from '../../control/fake-source.ts';
import { eventually } from '../../e2e/harness.ts';
import { barriers, tooWide } from './access.ts';
import { openBrowser, played, skip, visit } from './browser.ts';
import { conditions, names } from './conditions.ts';

// The page in a real browser, on apps that a test plays: every condition that there is, and a hundred of them.

const phone = { viewport: { width: 360, height: 740 } };

suite('The dashboard', { skip, concurrency: 2 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  test('lists those in trouble first, and only those that are looked for', async (t) => {
    const { source, link } = await played(t, ...conditions());
    const { page, isClean } = await visit(t, browser, link);
    await page.getByText('5 of 9 in trouble').waitFor();
    assert.deepEqual(
      await names(page),
      ['an-app-whose-name-is-longer-than-any-name-should-be-on-a-phone'].concat(
        'feed gate hall cart api blog docs edge'.split(' '),
      ),
    );
    const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
    assert.match((await row('api').textContent()) ?? '', /running\s*up .*healthy\s*9c8d7e6\s*in 2 h/);
    assert.match((await row('cart').textContent()) ?? '', /no route to host/);
    assert.match((await row('edge').textContent()) ?? '', /paused/);

    await page.getByLabel('Filter by name').fill('A');
    assert.equal((await names(page)).length, 5);
    await page.getByLabel('Filter by state').selectOption('trouble');
    assert.equal((await names(page)).length, 4);
    await page.getByLabel('Filter by name').fill('');
    await page.getByLabel('Filter by state').selectOption('stopped');
    assert.deepEqual(await names(page), ['docs']);

    source.put(appStatus('docs'));
    await page.getByText('No app is like that.').waitFor();
    await page.getByLabel('Filter by state').selectOption('');
    source.put(appStatus('new'));
    source.remove('api');
    await page.getByRole('link', { name: 'new' }).waitFor();
    await page.getByRole('link', { name: 'api' }).waitFor({ state: 'detached' });
    isClean();
  });

  test('shows a hundred apps, and what changes about them', async (t) => {
    const apps = Array.from({ length: 100 }, (_, index) => appStatus(`app-${String(index).padStart(3, '0')}`));
    const { source, link } = await played(t, ...apps);
    const { page, isClean } = await visit(t, browser, link);
    await page.getByText('100 apps, all well').waitFor();
    assert.equal((await names(page)).length, 100);
    for (const { name } of apps) source.put(appStatus(name, { state: 'checking' }));
    await eventually(
      'all are checking',
      async () => (await page.locator('.state-word', { hasText: 'checking' }).count()) === 100,
    );
    source.put(appStatus('app-073', { health: 'unhealthy' }));
    await eventually('the one in trouble is first', async () => (await names(page))[0] === 'app-073');
    isClean();
  });

  for (const [look, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['light, on a phone', { colorScheme: 'light', ...phone }],
    ['dark, on a phone', { colorScheme: 'dark', ...phone }],
  ] as const) {
    test(`keeps nobody out: names, headings, contrast (${look})`, async (t) => {
      const { source, link } = await played(t, ...conditions());
      source.used = { processes: 3, memory: 52_000_000, cpu: 1.5 };
      source.past.push(historyEntry({ reason: '' }), historyEntry({ result: 'test failed', reason: 'exit code 1' }));
      const { page, isClean } = await visit(t, browser, link, options);
      await page.getByText('5 of 9 in trouble').waitFor();
      assert.deepEqual(await barriers(page), []);
      assert.deepEqual(await tooWide(page), []);
      for (const name of ['blog', 'cart', 'an-app-whose-name-is-longer-than-any-name-should-be-on-a-phone']) {
        await page.evaluate(`location.hash = '#/apps/${name}'`);
        await page.getByRole('heading', { name, level: 1 }).waitFor();
        await page.locator('.life .live[data-state]').waitFor();
        await page.locator('.history .poor').waitFor();
        await page.getByText('The life of a program').click();
        await page.locator('.program .live[data-state]').waitFor();
        assert.deepEqual(await barriers(page), [], name);
        assert.deepEqual(await tooWide(page), [], name);
      }
      await page.getByRole('button', { name: 'Deploy …' }).click();
      await page.getByRole('dialog', { name: /^Deploy an-app/ }).waitFor();
      assert.deepEqual(await barriers(page), []);
      isClean(/404 \(Not Found\)/);
    });
  }

  test('shows what comes from outside as text, and links to commits only where the forge is known', async (t) => {
    const evil = `<img src=x onerror="alert(1)">`;
    const { source, link } = await played(
      t,
      appStatus('shop', { branch: evil, error: { code: 'internal', message: evil, hint: evil } }),
    );
    source.past.push(historyEntry({ reason: evil, from: 'a'.repeat(40) }));
    const folder = mkdtempSync(join(tmpdir(), 'huddle-dashboard-'));
    t.after(() => rmSync(folder, { recursive: true }));
    source.logFolder = folder;
    writeFileSync(join(folder, 'shop.log'), `${evil} \u001b[31mred\u001b[0m \u001b]0;title\u0007 \u202eback\n`);
    const { page, isClean } = await visit(t, browser, link);
    await page.getByRole('link', { name: 'shop' }).click();
    await page
      .getByRole('log')
      .filter({ hasText: `${evil} red ␛]0;title␇ \ufffdback` })
      .waitFor();
    await page.locator('.history .reason', { hasText: evil }).waitFor();
    assert.equal(await page.locator('img').count(), 0);
    assert.equal(await page.locator('a.commit').count(), 0);

    source.repository = () => ({
      remote: 'https://github.com/a/b',
      commit: 'https://github.com/a/b/commit/{revision}',
    });
    await page.reload();
    const commit = page.locator('.history a.commit').last();
    await commit.waitFor();
    assert.equal(await commit.getAttribute('href'), `https://github.com/a/b/commit/${revision}`);
    assert.equal(await commit.getAttribute('rel'), 'noopener noreferrer');
    isClean();
  });

  test('gives its connections back while nobody looks at it', async (t) => {
    const { source, link } = await played(t, appStatus('shop'));
    const { page, isClean } = await visit(t, browser, link);
    await page.clock.install();
    await page.getByRole('link', { name: 'shop' }).waitFor();
    const look = async (isHidden: boolean) =>
      await page.evaluate(`{
        Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} });
        document.dispatchEvent(new Event('visibilitychange'));
      }`);
    assert.equal(source.listeners, 1);
    await look(true);
    await page.clock.fastForward(11_000);
    await eventually('nobody listens', () => source.listeners === 0);
    source.put(appStatus('shop', { state: 'testing' }));
    await look(false);
    await page.locator('.state-word', { hasText: 'testing' }).waitFor();
    isClean();
  });

  test('moves nothing for who does not want that', async (t) => {
    const { link } = await played(t, appStatus('shop', { state: 'testing' }));
    for (const reducedMotion of ['reduce', 'no-preference'] as const) {
      const { page } = await visit(t, browser, link, { reducedMotion });
      await page.locator('.sign .ring').waitFor();
      const count = (await page.evaluate('document.getAnimations().length')) as number;
      assert.equal(count > 0, reducedMotion === 'no-preference');
    }
  });
});
