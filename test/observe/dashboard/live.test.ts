import assert from 'node:assert/strict';
import { after, before, suite, test, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { eventually, scene, type Sections } from '../../e2e/harness.ts';
import { freePort } from '../../e2e/proc.ts';
import { linkOf, openBrowser, skip, visit, watchStates } from './browser.ts';

// The page in a real browser, on a real Huddle with a real app.

/** Says its version, then a line every now and then, with something in it that must stay text. */
const talking = (version: string) => ({
  'program.sh': `#!/bin/sh
echo "start $$ $(cat version)" >> "$JOURNAL"
echo "this is $(cat version) <img src=x onerror=alert(1)>"
i=0
while sleep 0.2; do i=$((i+1)); echo "line $i"; done
`,
  version,
});

async function open(t: TestContext, browser: Browser, sections: Sections = {}, port = '0') {
  const stage = await scene(t);
  const repo = await stage.repo();
  const first = await repo.publish(talking('v1'));
  await stage.app('shop', repo.remote, { timing: { minimum: 600 }, ...sections });
  const args = ['--listen', `127.0.0.1:${port}`];
  const huddle = stage.startHuddle(args);
  await huddle.live('shop', first);
  const seen = await visit(t, browser, await linkOf(stage));
  await seen.page.getByRole('link', { name: 'shop' }).click();
  await seen.page.getByRole('heading', { name: 'shop' }).waitFor();
  return { stage, repo, first, huddle, args, ...seen };
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

/** Answers the question that a button has led to. */
const sure = (page: Page, name: string) => page.getByRole('dialog').getByRole('button', { name, exact: true }).click();

const outcome = (page: Page, text: RegExp) => page.locator('.outcome').filter({ hasText: text }).waitFor();

const live = (page: Page, state: string) => page.locator(`.life [data-state="${state}"].live`).waitFor();

suite('The dashboard on a running Huddle', { skip, concurrency: 2 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());

  test('shows a deployment while it goes on, its way, its result, and what the program says', async (t) => {
    const { page, repo, huddle, first, isClean } = await open(t, browser, {
      test: { command: 'sleep 0.5' },
      scripts: { 'post-pull': 'sleep 0.5' },
    });
    await live(page, 'running');
    const states = await watchStates(page);
    const second = await repo.publish(talking('v2'));
    huddle.check();
    await page.locator('.facts code', { hasText: second.slice(0, 7) }).waitFor();
    await live(page, 'running');
    const seen = await states();
    assert.deepEqual(
      seen.filter((state) => ['testing', 'pulling', 'restarting'].includes(state)),
      ['testing', 'pulling', 'restarting'],
    );
    assert.equal(seen.at(-1), 'running');

    const taken = await page
      .locator('.life .taken[data-from]')
      .evaluateAll((ways) => ways.map((way) => `${way.getAttribute('data-from')} ${way.getAttribute('data-to')}`));
    assert.deepEqual(taken.toSorted(), [
      'checking testing',
      'pulling restarting',
      'restarting running',
      'running checking',
      'stopping pulling',
      'testing stopping',
    ]);
    await page.getByText(/the way of the last deployment, \d+ s ago: deployed/).waitFor();

    const latest = page.locator('.history li').first();
    await latest.filter({ hasText: second.slice(0, 7) }).waitFor();
    assert.match((await latest.textContent()) ?? '', /deployed.*took \d.*program down for \d/s);
    assert.match((await latest.textContent()) ?? '', new RegExp(first.slice(0, 7)));

    // What the program writes is text, whatever it looks like, and the tail goes on.
    const log = page.getByRole('log');
    await log.filter({ hasText: 'this is v2 <img src=x onerror=alert(1)>' }).waitFor();
    assert.equal(await page.locator('img').count(), 0);
    const lines = async () => ((await log.textContent()) ?? '').split('\n').length;
    const before = await lines();
    await eventually('more lines', async () => (await lines()) > before + 2);

    await page.getByRole('img', { name: /^Memory: \d.* [kM]B now/ }).waitFor();
    await page.getByRole('img', { name: /^Processor: \d.* % now/ }).waitFor();
    isClean();
    await huddle.stop();
  });

  test('shows a revision that is not accepted, why, and the way back', async (t) => {
    const { page, repo, huddle, first } = await open(t, browser);
    const bad = await repo.publish({ 'program.sh': '#!/bin/sh\nexit 7\n' });
    huddle.check();
    const latest = page.locator('.history li', { hasText: bad.slice(0, 7) });
    await latest.filter({ hasText: 'rolled back' }).waitFor();
    assert.match((await latest.textContent()) ?? '', /exit code 7/);
    await latest.locator('.tag', { hasText: 'rejected' }).waitFor();
    await page.locator('.trouble', { hasText: 'exit code 7' }).waitFor();
    await live(page, 'running');
    assert.ok((await page.locator('.facts code').first().getAttribute('title')) === first);
    await page.locator('.life .taken[data-from="restarting"][data-to="stopping"]').waitFor();
    await huddle.stop();
  });

  test('does what its buttons say, and asks first where that disturbs', async (t) => {
    const { page, repo, huddle, first, stage, isClean } = await open(t, browser);
    const second = await repo.publish(talking('v2'));
    await press(page, 'Check now');
    await outcome(page, /^Check now deployed/);
    await press(page, 'Restart …');
    await sure(page, 'Cancel');
    assert.equal(stage.story().filter((line) => line === 'start v2').length, 1);
    await press(page, 'Restart …');
    await sure(page, 'Restart');
    await outcome(page, /^Restart restarted/i);
    assert.equal((await huddle.app('shop')).program?.restarts, 1);

    await press(page, 'Roll back …');
    assert.match((await page.getByRole('dialog').textContent()) ?? '', new RegExp(first.slice(0, 7)));
    await sure(page, 'Roll back');
    await huddle.live('shop', first);
    await outcome(page, /^Roll back/);
    await page.getByText('pinned', { exact: true }).first().waitFor();
    await press(page, 'Deploy …');
    await page.getByRole('dialog').getByLabel('Revision').fill(second);
    await sure(page, 'Deploy');
    await huddle.live('shop', second);
    await press(page, 'Resume');
    await outcome(page, /^Resume/);
    await press(page, 'Pause');
    await page.getByText('paused', { exact: true }).first().waitFor();
    assert.equal((await huddle.app('shop')).paused, true);

    await press(page, 'Stop …');
    await sure(page, 'Stop');
    await live(page, 'stopped');
    await outcome(page, /^Stop/);
    assert.deepEqual(stage.livePrograms(), []);
    await press(page, 'Start');
    await live(page, 'running');

    await press(page, 'Deploy …');
    await page.getByRole('dialog').getByLabel('Revision').fill('nowhere');
    await sure(page, 'Deploy');
    await page.locator('.outcome.failed', { hasText: 'nowhere' }).waitFor();
    isClean(/409 \(Conflict\)/);
    await huddle.stop();
  });

  test('is there again by itself after kill -9 and a restart, and says meanwhile that it is not', async (t) => {
    const port = String(await freePort());
    const { page, stage, repo, huddle, first, args, isClean } = await open(t, browser, {}, port);
    await page.getByRole('log').filter({ hasText: 'line 1' }).waitFor();
    await huddle.kill9();
    await page.getByRole('alert').filter({ hasText: 'Huddle does not answer.' }).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Check now' }).isDisabled());
    await page.locator('.life [data-state="running"].live').waitFor();

    const next = stage.startHuddle(args);
    await next.live('shop', first);
    await page.getByRole('button', { name: 'Check now', disabled: false }).waitFor();
    assert.equal(await page.locator('.away').count(), 0);
    const second = await repo.publish(talking('v2'));
    await press(page, 'Check now');
    await next.live('shop', second);
    await page.locator('.facts code', { hasText: second.slice(0, 7) }).waitFor();
    await page.getByRole('log').filter({ hasText: 'this is v2' }).waitFor();
    isClean(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET/);
    await next.stop();
  });

  test('tells where commits come from without the password, and of a folder that is none', async (t) => {
    const stage = await scene(t);
    await stage.app('shop', 'https://ada:s3cret@127.0.0.1:1/ada/shop.git', { timing: { minimum: 600 } });
    const huddle = stage.startHuddle(['--listen', '127.0.0.1:0']);
    await huddle.until('shop', ({ error }) => error !== null, 'an error');
    const { page, isClean } = await visit(t, browser, await linkOf(stage));
    await page.getByText('1 of 1 in trouble').waitFor();
    await page.getByRole('link', { name: 'shop' }).click();
    await page.getByText('https://127.0.0.1:1/ada/shop.git').first().waitFor();
    assert.ok(!(await page.content()).includes('s3cret'));
    await page.getByText('Nothing runs.').waitFor();
    isClean();
    await huddle.stop();
  });
});
