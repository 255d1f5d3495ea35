import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { appStatus, historyEntry } from '../../control/fake-source.ts';
import { conditions, names } from './conditions.ts';
import { openBrowser, played, skip, visit } from './browser.ts';

/** What the browser tells a screen reader. */
interface Told {
  readonly role: string;
  readonly name: string;
}

/** Everything in the browser's own accessibility tree that can be operated or that has a meaning without text. */
async function toldOf(page: Page): Promise<Told[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const text = (found: { readonly value?: unknown } | undefined) =>
    typeof found?.value === 'string' ? found.value.trim() : '';
  return nodes
    .filter(({ ignored }) => !ignored)
    .map(({ role, name }) => ({ role: text(role), name: text(name) }))
    .filter(({ role }) => needName.has(role));
}

/** The same, none of which may be without a name. */
async function namedOn(page: Page): Promise<Told[]> {
  const told = await toldOf(page);
  assert.deepEqual(
    told.filter(({ name }) => name === ''),
    [],
  );
  return told;
}

const needName = new Set(
  'button link textbox searchbox combobox checkbox dialog image img table log region article navigation search'
    .concat(' columnheader heading option RootWebArea DisclosureTriangle')
    .split(' '),
);

/** Shown, and an operator does something with it. */
const controls = `[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((element) => element.checkVisibility() && !element.disabled)`;

/** What has the focus, and how that is to be seen. */
const focused = `(() => {
  const element = document.activeElement;
  const rings = [getComputedStyle(element), getComputedStyle(element, '::after')];
  const isSeen = rings.some(({ outlineStyle, outlineWidth }) => outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2);
  const { width, right, bottom } = element.getBoundingClientRect();
  const isOnScreen = width > 0 && right > 0 && bottom > 0;
  return { at: CONTROLS.indexOf(element), isSeen: isSeen && isOnScreen, what: element.outerHTML.slice(0, 90) };
})()`.replace('CONTROLS', controls);

interface Focus {
  readonly at: number;
  readonly isSeen: boolean;
  readonly what: string;
}

/** Goes with Tab through the whole page: each control is come to, once, and it is seen that it is. */
async function tabThrough(page: Page): Promise<number> {
  const count = (await page.evaluate(`${controls}.length`)) as number;
  const order: number[] = [];
  // A browser goes on from where somebody has clicked: what is first is come to after the last.
  await page.evaluate(`${controls}.at(-1).focus()`);
  await page.keyboard.press('Tab');
  for (let step = 0; step < count; step++) {
    await page.keyboard.press('Tab');
    const { at, isSeen, what } = (await page.evaluate(focused)) as Focus;
    assert.ok(isSeen, `the focus is not seen on ${what}`);
    order.push(at);
  }
  assert.deepEqual(
    order,
    order.map((_, index) => index),
  );
  return count;
}

suite('The dashboard without a mouse', { skip, concurrency: 2 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  test('has a name for every control and drawing, and shows the focus on each, in the order of reading', async (t) => {
    const { source, link } = await played(t, ...conditions());
    source.used = { processes: 3, memory: 52_000_000, cpu: 1.5 };
    source.past.push(...Array.from({ length: 8 }, () => historyEntry({ from: 'a'.repeat(40) })));
    source.repository = () => ({
      remote: 'https://github.com/a/b',
      commit: 'https://github.com/a/b/commit/{revision}',
    });
    const { page, isClean } = await visit(t, browser, link);
    await page.getByText('5 of 9 in trouble').waitFor();
    assert.ok((await tabThrough(page)) >= 14);
    const list = await namedOn(page);
    for (const one of [
      'link blog',
      'searchbox Filter by name',
      'combobox Filter by state',
      'button Keys',
      'link Inspector',
    ])
      assert.ok(
        list.some(({ role, name }) => `${role} ${name}` === one),
        one,
      );

    await page.getByRole('link', { name: 'blog' }).click();
    await page.locator('.life .live[data-state]').waitFor();
    await page.locator('.history a.commit').first().waitFor();
    await page.getByText('The life of a program').click();
    await page.locator('.program .live[data-state]').waitFor();
    assert.ok((await tabThrough(page)) >= 16);
    const app = await namedOn(page);
    for (const one of [
      /^button Roll back …/,
      /^log Log of blog/,
      /^image .*now testing/,
      /^image Memory: 52 MB now/,
      /^button Program/,
    ])
      assert.ok(
        app.some(({ role, name }) => one.test(`${role} ${name}`)),
        String(one),
      );

    for (const [button, title] of [
      ['Deploy …', 'Deploy blog?'],
      ['Keys', 'Keys'],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await page.getByRole('dialog', { name: title, exact: true }).waitFor();
      const asked = await namedOn(page);
      // All else is out of the reader's sight.
      assert.equal(
        asked.some(({ name }) => name === 'Log of blog'),
        false,
      );
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    isClean();
  });

  test('keeps the focus in an open dialog, ends it by Escape with nothing done, and goes back to where it was', async (t) => {
    const { source, link } = await played(t, appStatus('shop', { previous: 'a'.repeat(40) }));
    const { page, isClean } = await visit(t, browser, link);
    await page.getByRole('link', { name: 'shop' }).click();
    const { keyboard } = page;
    const inside = `document.activeElement.closest('dialog') !== null`;
    for (const button of ['Deploy …', 'Roll back …', 'Restart …', 'Stop …', 'Keys']) {
      const opener = page.getByRole('button', { name: button, exact: true });
      await opener.focus();
      await keyboard.press('Enter');
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      assert.equal(await page.evaluate(inside), true, button);
      const first = await dialog.evaluate(`(() => document.activeElement.textContent)()`);
      if (button !== 'Keys' && button !== 'Deploy …') assert.equal(first, 'Cancel', 'Enter alone disturbs nothing');
      for (const key of ['Tab', 'Shift+Tab']) {
        for (let step = 0; step < 8; step++) {
          await keyboard.press(key);
          // Between the last and the first the focus is on the browser's own controls.
          const isOut = await page.evaluate(
            `document.activeElement === document.body || document.activeElement === document.documentElement`,
          );
          assert.ok(isOut || (await page.evaluate(inside)), button);
        }
      }
      for (const key of ['c', 's', 'p', '/', 'j', '?']) await keyboard.press(key);
      assert.equal(await page.getByRole('dialog').count(), 1);
      await keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.equal(await opener.evaluate(`document.activeElement.textContent.trim()`), button);
    }
    assert.deepEqual(source.orders, []);
    isClean();
  });

  test('is used by keys alone: from the list to an app, an order, and back', async (t) => {
    const { source, link } = await played(t, ...conditions());
    source.outcome = () => Promise.resolve('restarted, pid 4712');
    const { page, isClean } = await visit(t, browser, link);
    await page.getByText('5 of 9 in trouble').waitFor();
    const { keyboard } = page;
    const focused = () =>
      page.evaluate('document.activeElement.textContent || document.activeElement.getAttribute("aria-label")');
    const ring = () => page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    const order: unknown[] = [];
    for (let step = 0; step < 6; step++) {
      await keyboard.press('Tab');
      order.push(await focused());
      if (step !== 5) assert.equal(await ring(), 'solid', String(order.at(-1)));
    }
    assert.deepEqual(order.slice(0, 4), ['To the content', 'Inspector', 'Keys', 'Filter by name']);
    await keyboard.press('/');
    await keyboard.press('Escape');
    await page.getByLabel('Filter by name').fill('api');
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    assert.equal(await focused(), 'api');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'api', level: 1 }).waitFor();
    assert.equal(await page.title(), 'api: running · Huddle');

    await keyboard.press('r');
    const dialog = page.getByRole('dialog', { name: 'Restart api?' });
    await dialog.waitFor();
    await keyboard.press('c');
    await keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.deepEqual(source.orders, []);
    await page.getByRole('button', { name: 'Restart …' }).focus();
    await keyboard.press('Enter');
    await dialog.waitFor();
    await keyboard.press('Tab');
    assert.equal(await focused(), 'Restart');
    await keyboard.press('Enter');
    await page.getByRole('status').filter({ hasText: 'Restart restarted, pid 4712' }).waitFor();
    assert.deepEqual(source.orders, ['restart api']);
    assert.equal(await focused(), 'Restart …');
    await keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    assert.deepEqual(await names(page), ['api']);
    isClean();
  });

  test('has single keys that can be turned off', async (t) => {
    const { source, link } = await played(t, appStatus('shop'));
    const { page } = await visit(t, browser, link);
    await page.getByRole('link', { name: 'shop' }).click();
    await page.getByRole('heading', { name: 'shop' }).waitFor();
    await page.keyboard.press('?');
    await page.getByLabel('Single keys act').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('c');
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    assert.deepEqual(source.orders, []);
  });
});
