import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { appStatus, temporaryFolder } from '../control/fake-source.ts';
import { start } from './command.ts';
import { StandIn } from './stand-in.ts';

suite('huddle detach', () => {
  test('returns when Huddle has left, not when it has only agreed to', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    const child = start('detach', '-c', huddle.folder);
    const asked = await huddle.next('detach');
    assert.equal(huddle.isFollowed, true);
    asked.answer(200, { apps: ['blog', 'shop'] });
    let isOver = false;
    void child.ended.then(() => (isOver = true));
    // Whoever did not wait would be long gone: another command starts and ends meanwhile.
    await start('--version').ended;
    assert.deepEqual([isOver, child.stdout], [false, '']);
    huddle.leave();
    const { code, stdout, stderr } = await child.ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, 'Huddle has left; what runs on until the next one takes it over: blog, shop\n');
  });

  test('prints the apps with --json, and ends well where Huddle goes in the middle of its farewell', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('detach', '--json', '-c', huddle.folder);
    (await huddle.next('detach')).answer(200, { apps: ['shop'] });
    huddle.leave();
    assert.deepEqual(await child.ended, { code: 0, stdout: '{"apps":["shop"]}\n', stderr: '' });
  });

  test('says why where Huddle refuses, and where there is none', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('detach', '-c', huddle.folder);
    const error = { code: 'not-supported', message: 'programs of Windows end with Huddle', hint: '' };
    (await huddle.next('detach')).answer(409, { error });
    const { code, stdout, stderr } = await child.ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, `huddle: leaving ${huddle.folder}: programs of Windows end with Huddle\n`);
    const none = await start('detach', '-c', temporaryFolder(t)).ended;
    assert.deepEqual([none.code, /no Huddle is running there/.test(none.stderr)], [1, true]);
  });
});
