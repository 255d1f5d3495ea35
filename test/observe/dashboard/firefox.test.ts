import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { plain, scene } from '../../e2e/harness.ts';
import { freePort } from '../../e2e/proc.ts';
import { linkOf } from './browser.ts';
import { key, openFirefox, skipFirefox } from './firefox.ts';

const shows = (text: string) => `document.body.textContent.includes(${JSON.stringify(text)})`;
const isLive = (state: string) => `document.querySelector('.life [data-state="${state}"].live') !== null`;
const focused = 'document.activeElement.textContent.trim()';

suite('The dashboard in Firefox', { skip: skipFirefox }, () => {
  test('shows a deployment, is used by keys, and is there again after kill -9', async (t) => {
    const stage = await scene(t);
    const repo = await stage.repo();
    const first = await repo.publish(plain('v1'));
    await stage.app('shop', repo.remote, { timing: { minimum: 600 } });
    const args = ['--listen', `127.0.0.1:${await freePort()}`];
    const huddle = stage.startHuddle(args);
    await huddle.live('shop', first);
    const link = await linkOf(stage);
    const page = await openFirefox(t);
    await page.goto(link);
    await page.until(shows('one app, and all is well'));
    assert.equal(await page.evaluate('location.href'), `${new URL(link).origin}/`);

    await page.press('j', key.enter);
    await page.until(isLive('running'));
    const second = await repo.publish(plain('v2'));
    await page.press('c');
    await page.until(shows('Check now deployed'));
    await page.until(`document.querySelector('.facts code').textContent === '${second.slice(0, 7)}'`);
    await page.until(`document.querySelectorAll('.life .taken[data-from]').length === 6`);
    await page.until(`document.querySelectorAll('.history li').length === 2`);
    await page.until(`document.querySelector('.curve[aria-label], .curve svg[aria-label^="Memory"]') !== null`);

    await page.press('r');
    await page.until(`document.querySelector('dialog').open && ${focused} === 'Cancel'`);
    await page.press(key.escape);
    await page.until(`document.querySelector('dialog') === null`);
    assert.equal((await huddle.app('shop')).program?.restarts, 0);
    await page.press('r');
    await page.until(`document.querySelector('dialog')?.open === true`);
    await page.press(key.tab);
    await page.until(`${focused} === 'Restart'`);
    await page.click('dialog .sure');
    await page.until(shows('Restart restarted'));
    assert.equal((await huddle.app('shop')).program?.restarts, 1);
    assert.deepEqual(page.complaints, []);

    await huddle.kill9();
    await page.until(shows('Huddle does not answer.'));
    const next = stage.startHuddle(args);
    await next.live('shop', second);
    await page.until(`!${shows('Huddle does not answer.')} && ${isLive('running')}`);
    const origins = new Set(page.requests.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin));
    assert.deepEqual([...origins], [new URL(link).origin]);
    await next.stop();
  });
});
