import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { isSigned, longestPayload, openWaker } from '../../src/control/webhook.ts';

const secret = "It's a Secret to Everybody";
const payload = 'Hello, World!';
const hex = createHmac('sha256', secret).update(payload).digest('hex');

suite('A webhook', () => {
  test('is known by the example that GitHub documents', async () => {
    // docs.github.com, 'Validating webhook deliveries', 'Testing the webhook payload validation'
    const header = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    assert.equal(await isSigned({ 'x-hub-signature-256': header }, bodyOf(payload), secret), true);
  });

  const right: Readonly<Record<string, Record<string, string>>> = {
    GitHub: { 'x-hub-signature-256': `sha256=${hex}`, 'x-hub-signature': 'sha1=ab' },
    Bitbucket: { 'x-hub-signature': `sha256=${hex}` },
    Forgejo: { 'x-forgejo-signature': hex },
    Gitea: { 'x-gitea-signature': hex },
    Gogs: { 'x-gogs-signature': hex },
    GitLab: { 'x-gitlab-token': secret },
  };
  for (const [forge, headers] of Object.entries(right)) {
    test(`of ${forge} is known by its header, whatever its pieces, and by no other secret or body`, async () => {
      assert.equal(
        await isSigned(headers, Readable.from([Buffer.from('Hello, '), Buffer.from('World!')]), secret),
        true,
      );
      assert.equal(await isSigned(headers, bodyOf(payload), 'another'), false);
      assert.equal(await isSigned(headers, bodyOf(payload), null), false);
      if (forge !== 'GitLab') assert.equal(await isSigned(headers, bodyOf('Hello, World?'), secret), false);
    });
  }

  const wrong: readonly Record<string, string>[] = [
    {},
    { 'x-hub-signature-256': hex },
    { 'x-hub-signature-256': 'sha256=' },
    { 'x-hub-signature-256': `sha256=${hex.toUpperCase()}` },
    { 'x-hub-signature': `sha1=${createHmac('sha1', secret).update(payload).digest('hex')}` },
    { 'x-gitlab-token': '' },
    { 'x-gitlab-token': createHmac('sha256', 'nobody knows').update(payload).digest('hex') },
  ];
  for (const headers of wrong) {
    test(`is refused with ${JSON.stringify(headers).slice(0, 50)}`, async () => {
      assert.equal(await isSigned(headers, bodyOf(payload), secret), false);
      assert.equal(await isSigned(headers, bodyOf(payload), null), false);
    });
  }

  test('longer than any forge sends is not read to its end', async () => {
    let sent = 0;
    const piece = Buffer.alloc(1024 * 1024);
    const endless = Readable.from(
      (function* () {
        for (; sent < 4 * longestPayload; sent += piece.length) yield piece;
      })(),
    );
    assert.equal(await isSigned({ 'x-gitlab-token': secret }, endless, secret), false);
    assert.ok(sent < 2 * longestPayload);
  });

  test('wakes an app at once, and what comes within a second once more at its end', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const woken: string[] = [];
    const wake = openWaker((name) => woken.push(name));
    for (let push = 0; push < 50; push += 1) wake('shop');
    wake('blog');
    assert.deepEqual(woken, ['shop', 'blog']);
    t.mock.timers.tick(999);
    assert.equal(woken.length, 2);
    t.mock.timers.tick(1);
    assert.deepEqual(woken, ['shop', 'blog', 'shop']);
    t.mock.timers.tick(5000);
    assert.equal(woken.length, 3);
    wake('shop');
    assert.equal(woken.length, 4);
  });
});

function bodyOf(text: string): Readable {
  return Readable.from([Buffer.from(text)]);
}
