import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createActor, fromCallback, setup, SimulatedClock } from 'xstate';
import type { appMachine } from '../../machines/app.ts';
import type { AppConfig } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { huddleMachine, type RootNews } from '../../machines/huddle.ts';
import { noFacts } from '../../machines/facts.ts';
import type { FolderReport } from '../../machines/protocol.ts';
import { appConfig } from './config.ts';
import { settle } from './settle.ts';

const at = (localPath: string, timing = 60) =>
  appConfig({ repository: { localPath }, timing: { minimum: timing, maximum: null } });

const commands = ['check', 'config', 'retire', 'shutdown', 'kill', 'detach'];

/** The root on its stage; its apps are played: they write down what they are told, and end or die by order. */
async function begin() {
  const deeds: string[] = [];
  const refusals: RootNews[] = [];
  const clock = new SimulatedClock();
  let tell: (report: FolderReport) => void = () => {};
  const machine = setup({
    types: { context: {} as { name: string; config: AppConfig }, input: {} as { name: string; config: AppConfig } },
  }).createMachine({
    context: ({ input }) => {
      deeds.push(`start ${input.name}`);
      return input;
    },
    initial: 'living',
    states: { living: {}, gone: { type: 'final' } },
    on: {
      end: '.gone',
      die: {
        actions: () => {
          throw new Error('a fault');
        },
      },
      '*': {
        actions: ({ event, context }) => {
          if (commands.includes(event.type)) deeds.push(`${event.type} ${context.name}`);
        },
      },
    },
  });
  const root = createActor(
    huddleMachine.provide({
      actors: {
        app: machine as unknown as typeof appMachine,
        configs: fromCallback(({ sendBack }) => {
          tell = sendBack;
          return () => void deeds.push('unwatch');
        }),
      },
    }),
    { clock, input: { now: () => clock.now(), random: () => 0.5, recall: () => noFacts } },
  );
  root.on('refused', (news) => refusals.push(news));
  root.on('died', (news) => refusals.push(news));
  root.subscribe({ error: () => {} });
  root.start();
  const report = async (told: FolderReport) => {
    tell(told);
    await settle();
  };
  return {
    root,
    deeds,
    refusals,
    put: (file: string, config: AppConfig) =>
      report({ type: 'config.put', file, name: file.replace(/\..*$/, ''), config }),
    breaks: (file: string) =>
      report({
        type: 'config.broken',
        file,
        name: file.replace(/\..*$/, ''),
        failure: new Failure('config-invalid', { doing: 'reading', subject: file, reason: 'a comma' }),
      }),
    remove: (file: string) => report({ type: 'config.removed', file }),
    report,
    async order(type: 'shutdown' | 'kill' | 'detach' | 'check all') {
      root.send({ type });
      await settle();
    },
    /** An app ends, or dies of a fault of its own. */
    async app(name: string, type: 'end' | 'die') {
      root.getSnapshot().children[`app:${name}`]?.send({ type } as never);
      await settle();
    },
    async pass(seconds: number) {
      clock.increment(seconds * 1000);
      await settle();
    },
    isAlive: () => root.getSnapshot().status === 'active',
  };
}

suite('the root', () => {
  test('starts an app for each file', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.put('blog.ini', at('/srv/blog'));
    assert.deepEqual(stage.deeds, ['start shop', 'start blog']);
  });

  test('tells an edit to its app, and nothing where the meaning is the same', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.put('shop.json', at('/srv/shop'));
    assert.deepEqual(stage.deeds, ['start shop']);
    await stage.put('shop.json', at('/srv/shop', 5));
    assert.deepEqual(stage.deeds, ['start shop', 'config shop']);
  });

  test('lets an app run on while its file is broken, and knows why the file is', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.breaks('shop.json');
    assert.deepEqual(stage.deeds, ['start shop']);
    assert.equal(stage.root.getSnapshot().context.files['shop.json']?.failure?.code, 'config-invalid');
    await stage.put('shop.json', at('/srv/shop', 5));
    assert.deepEqual(stage.deeds, ['start shop', 'config shop']);
    assert.equal(stage.root.getSnapshot().context.files['shop.json']?.failure, null);
  });

  test('starts nothing for a file that is broken from the start', async () => {
    const stage = await begin();
    await stage.breaks('shop.json');
    assert.deepEqual(stage.deeds, []);
    await stage.put('shop.json', at('/srv/shop'));
    assert.deepEqual(stage.deeds, ['start shop']);
  });

  test('retires an app whose file is gone; a file that comes meanwhile waits until it has left', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.remove('shop.json');
    await stage.put('shop.json', at('/srv/shop', 5));
    assert.deepEqual(stage.deeds, ['start shop', 'retire shop']);
    await stage.app('shop', 'end');
    assert.deepEqual(stage.deeds, ['start shop', 'retire shop', 'start shop']);
    const { slots } = stage.root.getSnapshot().context;
    assert.equal(slots['shop']?.config.timing.minimum, 5);
  });

  test('forgets an app that has left, and a file that came and went meanwhile', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.remove('shop.json');
    await stage.put('shop.json', at('/srv/shop', 5));
    await stage.remove('shop.json');
    await stage.app('shop', 'end');
    assert.deepEqual(stage.deeds, ['start shop', 'retire shop']);
    assert.deepEqual(stage.root.getSnapshot().context.slots, {});
  });

  test('refuses a second app of the same name, or on the same or a nested path, until the first has left', async () => {
    for (const [file, path] of [
      ['shop.ini', '/srv/other'],
      ['SHOP.ini', '/srv/other'],
      ['blog.json', '/srv/shop'],
      ['blog.json', '/srv/shop/inside'],
      ['blog.json', '/srv'],
    ] as const) {
      const stage = await begin();
      await stage.put('shop.json', at('/srv/shop'));
      await stage.put(file, at(path));
      assert.deepEqual(stage.deeds, ['start shop'], file);
      assert.deepEqual(
        stage.refusals.map(({ type }) => type),
        ['refused'],
      );
      await stage.remove('shop.json');
      assert.deepEqual(stage.deeds, ['start shop', 'retire shop']);
      await stage.app('shop', 'end');
      assert.equal(stage.deeds.at(-1), `start ${file.replace(/\..*$/, '')}`);
    }
  });

  test('tells a check of all to each of them', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.put('blog.json', at('/srv/blog'));
    await stage.order('check all');
    assert.deepEqual(stage.deeds.slice(2), ['check shop', 'check blog']);
  });
});

suite('an app that dies', () => {
  test('is started anew after 1, 2, 4 … 30 s, and touches no other', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.put('blog.json', at('/srv/blog'));
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      const before = stage.deeds.length;
      await stage.app('shop', 'die');
      assert.ok(stage.isAlive());
      const news = stage.refusals.at(-1);
      assert.deepEqual([news?.type, news?.type === 'died' && news.retryIn], ['died', seconds]);
      await stage.pass(seconds - 0.1);
      assert.equal(stage.deeds.length, before);
      await stage.pass(0.2);
      assert.deepEqual(stage.deeds.slice(before), ['start shop']);
    }
    await stage.order('check all');
    assert.deepEqual(stage.deeds.slice(-2), ['check shop', 'check blog']);
  });

  test('is answered as the first time again when it has lived for ten minutes', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    for (let deaths = 0; deaths < 3; deaths++) {
      await stage.app('shop', 'die');
      await stage.pass(601);
    }
    assert.deepEqual(
      stage.refusals.map((news) => news.type === 'died' && news.retryIn),
      [1, 1, 1],
    );
  });

  test('takes an edit along that came while it was dead', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.app('shop', 'die');
    await stage.put('shop.json', at('/srv/shop', 5));
    assert.deepEqual(stage.deeds, ['start shop']);
    await stage.pass(1.1);
    assert.deepEqual(stage.deeds, ['start shop', 'start shop']);
    assert.equal(stage.root.getSnapshot().context.slots['shop']?.config.timing.minimum, 5);
  });

  test('is not started anew when its file has gone meanwhile', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.app('shop', 'die');
    await stage.remove('shop.json');
    await stage.pass(100);
    assert.deepEqual(stage.deeds, ['start shop']);
  });

  test('while it was leaving is started anew for a file that has come back, and else is gone', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.remove('shop.json');
    await stage.put('shop.json', at('/srv/shop', 5));
    await stage.app('shop', 'die');
    await stage.pass(2);
    assert.deepEqual(stage.deeds, ['start shop', 'retire shop', 'start shop']);
    await stage.remove('shop.json');
    await stage.app('shop', 'die');
    await stage.pass(100);
    await stage.put('blog.json', at('/srv/shop'));
    assert.equal(stage.deeds.at(-1), 'start blog');
  });
});

suite('the end of the root', () => {
  test('comes when every app has left, and the folder is watched no more', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.put('blog.json', at('/srv/blog'));
    await stage.order('shutdown');
    assert.deepEqual(stage.deeds.slice(2).sort(), ['shutdown blog', 'shutdown shop', 'unwatch']);
    await stage.app('shop', 'end');
    assert.ok(stage.isAlive());
    await stage.app('blog', 'end');
    assert.equal(stage.root.getSnapshot().status, 'done');
  });

  test('comes at once where there is no app, or only dead ones', async () => {
    const empty = await begin();
    await empty.order('shutdown');
    assert.equal(empty.root.getSnapshot().status, 'done');
    const dead = await begin();
    await dead.put('shop.json', at('/srv/shop'));
    await dead.app('shop', 'die');
    await dead.order('shutdown');
    assert.equal(dead.root.getSnapshot().status, 'done');
  });

  test('is hastened by kill, and told to apps that are leaving already', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.remove('shop.json');
    await stage.order('shutdown');
    await stage.order('kill');
    assert.deepEqual(
      stage.deeds.filter((deed) => deed !== 'unwatch'),
      ['start shop', 'retire shop', 'shutdown shop', 'kill shop'],
    );
  });

  test('is not kept up by an app that dies on its way out', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.order('shutdown');
    await stage.app('shop', 'die');
    assert.equal(stage.root.getSnapshot().status, 'done');
  });

  test('is told as detach where the programs are to run on', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.order('detach');
    assert.ok(stage.deeds.includes('detach shop'));
  });

  test('starts nothing for a file that comes too late', async () => {
    const stage = await begin();
    await stage.put('shop.json', at('/srv/shop'));
    await stage.order('shutdown');
    await stage.put('blog.json', at('/srv/blog'));
    assert.ok(!stage.deeds.includes('start blog'));
  });
});
