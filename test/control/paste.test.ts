import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { pasteable } from '../../src/control/paste.ts';

suite('A command that a text names', () => {
  const texts: readonly (readonly [text: string, folder: string, state: string | undefined, pasted: string])[] = [
    ['See: huddle status', '.', undefined, 'See: huddle status'],
    ['See: huddle status', 'apps', undefined, 'See: huddle -c apps status'],
    ['paused: until `huddle resume`', '/etc/my apps', undefined, "paused: until `huddle -c '/etc/my apps' resume`"],
    ['(huddle logs --deploy)', '.', '/var/lib/huddle', '(huddle --state /var/lib/huddle logs --deploy)'],
    [
      'huddle status or huddle check',
      'a$&b',
      's',
      "huddle -c 'a$&b' --state s status or huddle -c 'a$&b' --state s check",
    ],
  ];
  for (const [text, folder, state, pasted] of texts)
    test(`leads to the Huddle that was spoken to: ${pasted}`, () => {
      assert.equal(pasteable(text, { folder, state }), pasted);
    });

  test('is left alone where it says itself which Huddle is meant, or is none', () => {
    for (const text of [
      'huddle -c /srv',
      'huddle: no',
      'see huddle validate -c /srv',
      '/opt/huddle is there',
      'a-huddle b',
    ])
      assert.equal(pasteable(text, { folder: 'apps', state: undefined }), text);
  });
});
