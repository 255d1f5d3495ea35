import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { appStatus, temporaryFolder } from '../control/fake-source.ts';
import { start, startOnTerminal } from './command.ts';
import { StandIn } from './stand-in.ts';

const failed = { code: 'test-failed', message: 'running the test npm test: exit code 1', hint: 'See deploy.log.' };

suite('The actions', () => {
  const calls: readonly (readonly [line: string, what: string, body: object])[] = [
    ['check shop', 'shop/check', {}],
    ['check shop --dry-run', 'shop/check', { dryRun: true }],
    ['restart shop', 'shop/restart', {}],
    ['stop shop', 'shop/stop', {}],
    ['start shop', 'shop/start', {}],
    ['pause shop', 'shop/pause', {}],
    ['resume shop', 'shop/resume', {}],
    ['deploy shop', 'shop/deploy', {}],
    ['deploy shop v2', 'shop/deploy', { revision: 'v2' }],
    ['rollback shop', 'shop/rollback', {}],
  ];
  for (const [line, what, body] of calls) {
    test(`huddle ${line} asks for ${what}, and says what came of it`, async (t) => {
      const huddle = await StandIn.start(t, appStatus('shop'));
      const child = start('-c', huddle.folder, ...line.split(' '));
      const asked = await huddle.next(what);
      assert.deepEqual(asked.body, body);
      assert.equal(child.stdout, '');
      asked.answer(200, { app: appStatus('shop'), outcome: 'main is unmoved at 3f2a1b0' });
      assert.deepEqual(await child.ended, { code: 0, stdout: 'shop: main is unmoved at 3f2a1b0\n', stderr: '' });
    });
  }

  test('are asked of several apps at once; each result is said when it is there, and one failure makes exit code 1', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'), appStatus('wiki'));
    const child = start('-c', huddle.folder, 'check', 'shop', 'blog');
    const [shop, blog] = [await huddle.next('shop/check'), await huddle.next('blog/check')];
    shop.answer(409, { error: failed, app: appStatus('shop') });
    await child.said(({ stderr }) => stderr !== '');
    assert.equal(child.stderr, 'huddle: checking shop: running the test npm test: exit code 1\n  See deploy.log.\n');
    blog.answer(200, { app: appStatus('blog'), outcome: 'deployed 3f2a1b0' });
    const { code, stdout } = await child.ended;
    assert.deepEqual([code, stdout], [1, 'blog: deployed 3f2a1b0\n']);
    assert.deepEqual(huddle.asked, []);
  });

  test('print one object with --json', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    const child = start('-c', huddle.folder, 'restart', '--all', '--json');
    (await huddle.next('shop/restart')).answer(409, { error: failed, app: appStatus('shop') });
    (await huddle.next('blog/restart')).answer(200, { app: appStatus('blog'), outcome: 'restarted' });
    const { code, stdout, stderr } = await child.ended;
    assert.deepEqual([code, stderr], [1, '']);
    const apps = [
      { name: 'blog', ok: true, outcome: 'restarted' },
      { name: 'shop', ok: false, error: failed },
    ];
    assert.equal(stdout, `${JSON.stringify({ apps })}\n`);
  });

  test('name commands that reach this Huddle, with --json as without', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    const child = start('-c', huddle.folder, 'check', '--all', '--json');
    const hint = 'Look at huddle logs shop.';
    (await huddle.next('shop/check')).answer(409, { error: { ...failed, hint }, app: appStatus('shop') });
    (await huddle.next('blog/check')).answer(200, {
      app: appStatus('blog'),
      outcome: 'stays until huddle resume blog',
    });
    const { apps } = JSON.parse((await child.ended).stdout) as {
      apps: { outcome?: string; error?: { hint: string } }[];
    };
    assert.deepEqual(
      apps.map(({ outcome, error }) => outcome ?? error?.hint),
      [`stays until huddle -c ${huddle.folder} resume blog`, `Look at huddle -c ${huddle.folder} logs shop.`],
    );
  });

  test('have nothing to do with --all where there are no apps', async (t) => {
    const huddle = await StandIn.start(t);
    const { code, stdout } = await start('-c', huddle.folder, 'check', '--all').ended;
    assert.deepEqual([code, stdout], [0, 'nothing to do: there are no apps\n']);
  });

  test('make a control character in an answer visible', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('-c', huddle.folder, 'check', 'shop');
    (await huddle.next('shop/check')).answer(200, { outcome: '\u001b[2Jgone' });
    assert.equal((await child.ended).stdout, 'shop: \\x1b[2Jgone\n');
  });

  test('exit 2 where no app is named, and say which there are', async (t) => {
    const folder = temporaryFolder(t);
    const none = await start('-c', folder, 'restart').ended;
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.match(none.stderr, /^huddle: huddle restart needs an app\n {2}There are no apps yet: huddle -c \S+ init /);
    for (const file of ['shop.json', 'blog.ini', '_draft.json', 'notes.txt']) writeFileSync(join(folder, file), '');
    const some = await start('-c', folder, 'restart').ended;
    assert.equal(
      some.stderr,
      'huddle: huddle restart needs an app\n  There are: blog, shop. --all means all of them.\n',
    );
    const one = await start('-c', folder, 'rollback').ended;
    assert.equal(one.stderr, 'huddle: huddle rollback needs an app\n  There are: blog, shop.\n');
    const both = await start('-c', folder, 'stop', '--all', 'shop').ended;
    assert.deepEqual([both.code, /not both/.test(both.stderr)], [2, true]);
  });

  test('exit 2 for an app that there is not, name the nearest, and do nothing to the others', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    const { code, stderr } = await start('-c', huddle.folder, 'stop', 'blog', 'shopp').ended;
    assert.deepEqual([code, stderr], [2, 'huddle: there is no app shopp\n  Did you mean shop?\n']);
    assert.deepEqual(huddle.asked, []);
  });

  test('say how to start a Huddle where none is running', async (t) => {
    const { code, stderr } = await start('-c', temporaryFolder(t), 'check', 'shop').ended;
    assert.equal(code, 1);
    assert.match(stderr, /no Huddle is running there\n {2}Start one with: huddle -c \//);
  });

  test('say of stop that it needs none, and name the folder and the state that were given', async (t) => {
    const folder = temporaryFolder(t);
    const stop = await start('-c', folder, '--state', join(folder, 'state'), 'stop', 'shop').ended;
    assert.equal(stop.code, 1);
    const place = `-c ${folder} --state ${join(folder, 'state')}`;
    const hint = `Start one with: huddle ${place}; or stop what runs on without one: huddle ${place} stop --all`;
    assert.ok(stop.stderr.endsWith(`no Huddle is running there\n  ${hint}\n`), stop.stderr);
  });

  test('name commands that lead to the same Huddle', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const paused = start('-c', huddle.folder, 'pause', 'shop');
    (await huddle.next('shop/pause')).answer(200, { outcome: 'paused until `huddle resume`' });
    assert.equal((await paused.ended).stdout, `shop: paused until \`huddle -c ${huddle.folder} resume\`\n`);
    const check = start('-c', huddle.folder, 'check', 'shop');
    const error = { code: 'not-accepted', message: 'it is paused', hint: 'Let it go on: huddle resume shop' } as const;
    (await huddle.next('shop/check')).answer(409, { error });
    assert.match((await check.ended).stderr, new RegExp(`Let it go on: huddle -c ${huddle.folder} resume shop\n$`));
    Object.assign(huddle.apps, [appStatus('shop', { error })]);
    const { stdout } = await start('-c', huddle.folder, 'status').ended;
    assert.match(stdout, new RegExp(`Let it go on: huddle -c ${huddle.folder} resume shop\n$`));
  });

  test('say when Huddle ends before they are done', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('-c', huddle.folder, 'deploy', 'shop');
    await huddle.next('shop/deploy');
    huddle.die();
    const { code, stdout, stderr } = await child.ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^huddle: deploying shop: Huddle ended before that was done\n {2}.* runs on.*huddle -c \/.*\n$/,
    );
  });

  test('stop waiting at Ctrl-C, and say that the work goes on', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('-c', huddle.folder, 'deploy', 'shop');
    await huddle.next('shop/deploy');
    child.process.kill('SIGINT');
    const { code, stdout, stderr } = await child.ended;
    assert.deepEqual([code, stdout], [130, '']);
    assert.match(stderr, /^huddle: .*the work goes on in Huddle.*\n$/);
  });
});

suite('The progress line', () => {
  const cleared = '\r\u001b[K';

  test('shows on a terminal what goes on, and is gone in the end', async (t) => {
    const huddle = await StandIn.start(t, appStatus('blog'), appStatus('shop'));
    const child = startOnTerminal(`-c ${huddle.folder} deploy shop`);
    const asked = await huddle.next('shop/deploy');
    await child.said(({ stdout }) => /shop: running … \d+ s/.test(stdout));
    huddle.tell(appStatus('blog', { state: 'cloning' }));
    huddle.tell(appStatus('shop', { state: 'testing' }));
    await child.said(({ stdout }) => stdout.includes(`${cleared}shop: testing …`));
    huddle.tell(appStatus('shop', { state: 'restarting', revision: '3f2a1b0'.padEnd(40, '0') }));
    await child.said(({ stdout }) => stdout.includes(`${cleared}shop: restarting 3f2a1b0 …`));
    asked.answer(200, { outcome: 'deployed 3f2a1b0' });
    const { code, stdout } = await child.ended;
    assert.equal(code, 0);
    assert.ok(!stdout.includes('blog'), stdout);
    assert.equal(screenOf(stdout), 'shop: deployed 3f2a1b0');
  });

  test('keeps what it waits for apart from what is done, within the terminal’s width', async (t) => {
    const names = ['blog', 'shop', 'w'.repeat(100)];
    const huddle = await StandIn.start(t, ...names.map((name) => appStatus(name)));
    const child = startOnTerminal(`-c ${huddle.folder} check --all`);
    await child.said(({ stdout }) => /blog: running … .*· shop: running … .*· w+…$/.test(stdout));
    (await huddle.next('blog/check')).answer(200, { outcome: 'unmoved' });
    await child.said(({ stdout }) => /blog: unmoved\r\n\r\S*shop: running/.test(stdout.replaceAll(cleared, '\r')));
    for (const name of names.slice(1)) (await huddle.next(`${name}/check`)).answer(200, { outcome: 'unmoved' });
    const { stdout } = await child.ended;
    for (const line of stdout.replaceAll(cleared, '\r\n').split('\r\n'))
      assert.ok(line.length <= 80 || line.startsWith('www'), line);
    assert.equal(screenOf(stdout), names.map((name) => `${name}: unmoved`).join('\n'));
  });

  test('goes at Ctrl-C', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = startOnTerminal(`-c ${huddle.folder} deploy shop`);
    await huddle.next('shop/deploy');
    await child.said(({ stdout }) => stdout.includes('shop: running'));
    child.type('\u0003');
    const { code, stdout } = await child.ended;
    assert.equal(code, 130);
    assert.match(screenOf(stdout), /^(\^C)?huddle: .*the work goes on in Huddle/);
  });

  test('asks nothing of Huddle where there is no terminal', async (t) => {
    const huddle = await StandIn.start(t, appStatus('shop'));
    const child = start('-c', huddle.folder, 'deploy', 'shop');
    const asked = await huddle.next('shop/deploy');
    assert.equal(huddle.isFollowed, false);
    asked.answer(200, { outcome: 'deployed' });
    assert.equal((await child.ended).stderr, '');
  });
});

/** What stays on the screen: what was cleared is gone. */
function screenOf(output: string): string {
  const lines = output.split('\r\n').map((line) => line.split('\r\u001b[K').at(-1) ?? '');
  return lines.join('\n').trimEnd();
}
