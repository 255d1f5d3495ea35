import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { WebSocket } from 'ws';
import { type AnyActorRef, assign, createActor, fromCallback, fromPromise, type InspectionEvent, setup } from 'xstate';
import { openInspector } from '../../../src/observe/inspector/inspector.ts';
import { version } from '../../../src/observe/inspector/wire-format.ts';
import { eventually } from '../../e2e/harness.ts';
import { appConfig } from '../../machines/config.ts';
import { lookOn, openTheatre, seen, serve } from './theatre.ts';

const watched = appConfig({
  test: { kind: 'command', commands: ['make test'], timeout: 9 },
  watchdog: { period: 60, timeout: 5, failures: 3, probe: { kind: 'command', command: 'true' } },
});

/** Every actor that is alive, by name and place, as the running system itself says. */
function everybody(actor: AnyActorRef, path = ''): string[] {
  const snapshot = actor.getSnapshot();
  const children = Object.values((snapshot.children ?? {}) as Record<string, AnyActorRef>);
  return [`${path}${seen(actor, snapshot)}`, ...children.flatMap((child) => everybody(child, `${path}  `))];
}

/** The same, as a viewer was told it. */
function told(heard: readonly StatelyInspectionEvent[]): string[] {
  const actors = heard.filter((event) => event.type === '@xstate.actor');
  const below = (parentId: string | undefined, path: string): string[] =>
    actors
      .filter((actor) => actor.parentId === parentId)
      .flatMap(({ name, sessionId, snapshot: { status, value } }) => [
        `${path}${name} ${value === undefined ? '' : JSON.stringify(value)} ${status}`,
        ...below(sessionId, `${path}  `),
      ]);
  return below(undefined, '');
}

/** A plain client, to be rude with. */
async function connect(t: TestContext, url: string) {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  let bytes = '';
  socket.on('message', (data) => (bytes += (data as Buffer).toString()));
  const ended = new Promise<number>((resolve) => void socket.once('close', resolve));
  await once(socket, 'open');
  return { socket, ended, bytes: () => bytes };
}

suite('The inspector', () => {
  test('shows a deployment to an official receiver, every state of every actor', async (t) => {
    const theatre = await openTheatre(t);
    const audience = await lookOn(theatre.url);
    const before = theatre.witnessed.length;
    await theatre.put('shop', watched);
    await theatre.pass(3);
    theatre.world.tip = 'b';
    await theatre.pass(70);
    const deployed = (event: StatelyInspectionEvent) =>
      event.type === '@xstate.snapshot' && event.snapshot.status === 'active' && goodIn(event.snapshot) === 'b';
    await audience.until('the deployment of b', deployed);
    await eventually('the rest', () => audience.states().length === theatre.witnessed.length - before);
    const states = audience.states();
    assert.deepEqual(states, theatre.witnessed.slice(before));
    const app = states.filter((state) => state.startsWith('app:shop')).map((state) => /"(\w+)"/.exec(state)?.[1]);
    const path = app.filter((state, at) => state !== app[at - 1]);
    const deployment = 'testing stopping pulling restarting running';
    assert.equal(path.join(' '), `cloning testing pulling restarting running checking ${deployment}`);
  });

  test('shows every live actor and its state to who connects late, parents first', async (t) => {
    const theatre = await openTheatre(t);
    for (const name of ['shop', 'blog', 'wiki'])
      await theatre.put(name, { ...watched, repository: { ...watched.repository, localPath: `/srv/${name}` } });
    await theatre.pass(5);
    const { heard } = await lookOn(theatre.url);
    const alive = everybody(theatre.root);
    assert.ok(alive.length > 3 * 4, alive.join('\n'));
    await eventually('everybody', () => heard.length === alive.length);
    assert.deepEqual(told(heard).toSorted(), alive.toSorted());
    const ids = new Set<string>();
    for (const event of heard) {
      assert.ok(event.type === '@xstate.actor');
      assert.ok(event.parentId === undefined || ids.has(event.parentId), `${event.name} comes before its parent`);
      assert.equal(event.rootId, theatre.root.sessionId);
      ids.add(event.sessionId);
    }
    const definition = heard.find((event) => 'name' in event && event.name === 'blue') as { definition?: string };
    const { states } = JSON.parse(definition.definition ?? '').states.instance;
    assert.deepEqual(Object.keys(states), ['serving', 'ending', 'stopping']);
  });

  test('says what the inspector of @statelyai says, field by field', async (t) => {
    const official: StatelyInspectionEvent[] = [];
    const theirs = createInspector({ send: (event) => void official.push(JSON.parse(JSON.stringify(event))) });
    const child = setup({ types: { context: {} as { count: number } } }).createMachine({
      id: 'child',
      context: () => ({ count: 0 }),
      initial: 'on',
      states: { on: { on: { more: { actions: assign({ count: ({ context }) => context.count + 1 }) } } } },
    });
    const parent = setup({
      actors: { child, wait: fromPromise(() => Promise.resolve(7)), listen: fromCallback(() => {}) },
    }).createMachine({
      id: 'parent',
      initial: 'busy',
      invoke: [
        { src: 'child', id: 'little' },
        { src: 'listen', id: 'ear' },
      ],
      states: { busy: { tags: 'x', invoke: { src: 'wait', onDone: 'idle' } }, idle: {} },
    });
    const ours = openInspector(() => root);
    const inspect = (event: InspectionEvent) => {
      theirs.inspect.next?.(event);
      ours.observe(event);
    };
    const root: AnyActorRef = createActor(parent, { inspect });
    const { heard } = await lookOn(await serve(t, ours));
    root.start();
    await eventually('idle', () => root.getSnapshot().value === 'idle');
    root.getSnapshot().children['little'].send({ type: 'more' });
    root.stop();
    const last = (event: StatelyInspectionEvent | undefined) => event?.type === '@xstate.snapshot' && event.sessionId;
    await eventually(
      'both ends',
      () => last(official.at(-1)) === root.sessionId && last(heard.at(-1)) === root.sessionId,
    );

    const comparable = (events: StatelyInspectionEvent[]) =>
      events
        .filter(({ type }) => type !== '@xstate.actor')
        .map((event) => JSON.parse(JSON.stringify({ ...event, createdAt: typeof event.createdAt })));
    assert.deepEqual(comparable(heard), comparable(official));
    // The actors are told at their start, theirs when they are made; so their snapshots differ.
    const actors = (events: StatelyInspectionEvent[]) =>
      events
        .filter((event) => event.type === '@xstate.actor')
        .map((event) => ({ ...event, createdAt: typeof event.createdAt, snapshot: null }))
        .map((event) => JSON.parse(JSON.stringify({ ...event, definition: JSON.parse(event.definition ?? '') })))
        .toSorted((one, other) => (one.sessionId < other.sessionId ? -1 : 1));
    assert.deepEqual(actors(heard), actors(official));
    const packed = readFileSync(new URL('../package.json', import.meta.resolve('@statelyai/inspect')), 'utf8');
    assert.equal(version, JSON.parse(packed).version);
  });

  test('touches nothing of what happens while nobody looks', async (t) => {
    const inspector = openInspector(() => assert.fail('the root is asked for'));
    const untouchable = new Proxy({} as InspectionEvent, { get: () => assert.fail('the event is looked at') });
    inspector.observe(untouchable);

    const theatre = await openTheatre(t);
    const { socket, ended } = await connect(t, theatre.url);
    socket.close();
    await ended;
    await eventually('the last viewer to be forgotten', () => {
      try {
        theatre.inspector.observe(untouchable);
        return true;
      } catch {
        return false;
      }
    });
  });

  test('turns away a seventeenth viewer, and lets one in again when another has left', async (t) => {
    const theatre = await openTheatre(t);
    const viewers = await Promise.all(Array.from({ length: 16 }, () => connect(t, theatre.url)));
    assert.equal(await (await connect(t, theatre.url)).ended, 1013);
    viewers[0]?.socket.close();
    await viewers[0]?.ended;
    await eventually('room for one', async () => {
      const again = await connect(t, theatre.url);
      return Promise.race([again.ended.then(() => false), eventually('a word', () => again.bytes() !== '')]);
    });
  });

  test('sends everybody away when Huddle leaves, after the last that happened', async (t) => {
    const theatre = await openTheatre(t);
    const viewer = await connect(t, theatre.url);
    theatre.root.send({ type: 'shutdown' });
    theatre.inspector.close();
    assert.equal(await viewer.ended, 1001);
    assert.match(viewer.bytes(), /"status":"done"/);
  });
});

suite('The end of an actor', () => {
  test('by an exception is told, and its next life with it; who connects meanwhile sees no ghost', async (t) => {
    const theatre = await openTheatre(t);
    await theatre.put('shop', watched);
    await theatre.pass(5);
    const audience = await lookOn(theatre.url);
    const first = theatre.actor('app:shop').sessionId;
    theatre.world.news.push = () => {
      throw new Error('a seeded fault');
    };
    theatre.actor('app:shop').send({ type: 'pause' });
    theatre.world.news.push = Array.prototype.push;
    await audience.until(
      'the death',
      (event) => event.type === '@xstate.snapshot' && event.sessionId === first && event.snapshot.status === 'error',
    );
    const meanwhile = await lookOn(theatre.url);
    await eventually('the callback beside it', () => [...meanwhile.names().values()].includes('configs'));
    assert.deepEqual([...meanwhile.names().values()].toSorted(), ['configs', 'huddle']);

    theatre.actor('app:shop').send({ type: 'check' });
    await theatre.pass(2);
    await audience.until('the next life', (event) => {
      return event.type === '@xstate.actor' && event.name === 'app:shop' && event.sessionId !== first;
    });
    const dead = audience.heard.filter(({ sessionId }) => sessionId === first);
    const deaths = dead.filter((event) => event.type === '@xstate.snapshot' && event.snapshot.status === 'error');
    assert.deepEqual(deaths, dead.slice(-1), 'it dies once, and nothing is told of it afterwards');
  });

  test('is told of everyone that is told to have begun, however it ends', async (t) => {
    const failing = fromCallback(() => () => {
      throw new Error('a fault in the end');
    });
    const machine = setup({
      actors: {
        stuck: fromPromise(() => new Promise(() => {})),
        failing,
        stillborn: fromCallback(() => {
          throw new Error('a fault in the beginning');
        }),
      },
    }).createMachine({
      id: 'parent',
      initial: 'one',
      states: {
        one: { invoke: [{ src: 'stuck' }, { src: 'failing' }], on: { next: 'passing' } },
        passing: { invoke: { src: 'stuck', id: 'never started' }, always: 'two' },
        two: { invoke: { src: 'stillborn' } },
      },
      on: { 'xstate.error.actor.*': {} },
    });
    const inspector = openInspector(() => root);
    const root: AnyActorRef = createActor(machine, { inspect: (event) => inspector.observe(event) });
    const audience = await lookOn(await serve(t, inspector));
    root.start();
    root.send({ type: 'next' });
    root.stop();
    const last = (sessionId: string) =>
      audience.heard.findLast((event) => event.type === '@xstate.snapshot' && event.sessionId === sessionId) as
        | { snapshot: { status: string } }
        | undefined;
    await eventually('the end of all', () =>
      [...audience.names().keys()].every((id) => (last(id)?.snapshot.status ?? 'active') !== 'active'),
    );
    const ends = [...audience.names()].map(([id, name]) => `${name} ${last(id)?.snapshot.status}`);
    assert.deepEqual(ends.toSorted(), [
      '0.parent.one stopped',
      '0.parent.two error',
      '1.parent.one error',
      'parent stopped',
    ]);
  });
});

suite('A viewer', () => {
  test('that does not read is dropped, and another one misses nothing', async (t) => {
    const theatre = await openTheatre(t, { patience: { heartbeat: 60_000, backlog: 4e6 } });
    const environment = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`A_QUITE_LONG_NAME_${at}`, 'x']));
    await theatre.put('shop', appConfig({ application: { environment } }));
    await theatre.pass(5);
    const deaf = await connect(t, theatre.url);
    const audience = await lookOn(theatre.url);
    const before = theatre.witnessed.length;
    const known = audience.states().length;
    deaf.socket.pause();
    const hasAll = () => audience.states().length - known === theatre.witnessed.length - before;
    // In all more than the backlog and what the system keeps for one who does not read; never that much at once.
    for (let batch = 0; batch < 80; batch++) {
      for (const type of ['pause', 'resume', 'pause', 'resume']) {
        theatre.actor('app:shop').send({ type });
        await theatre.pass(0.1);
      }
      await eventually('every word', hasAll);
    }
    deaf.socket.resume();
    assert.equal(await deaf.ended, 1006);
    assert.ok(deaf.bytes().length < JSON.stringify(audience.heard).length);
  });

  test('that is silent for two heartbeats is dropped, though there was nothing to read', async (t) => {
    const theatre = await openTheatre(t, { patience: { heartbeat: 1000, backlog: 1e6 } });
    const lively = await connect(t, theatre.url);
    let isLively = true;
    void lively.ended.then(() => (isLively = false));
    const dead = new WebSocket(theatre.url, { autoPong: false });
    t.after(() => dead.terminate());
    const [code] = (await once(dead, 'close')) as [number];
    assert.equal(code, 1006);
    assert.ok(isLively);
  });

  test('is not listened to, and one that says much is sent away alone', async (t) => {
    const theatre = await openTheatre(t);
    const polite = await connect(t, theatre.url);
    const rude = await connect(t, theatre.url);
    polite.socket.send('{"type":"@xstate.event","event":{"type":"shutdown"}}');
    rude.socket.send('x'.repeat(1e6));
    assert.equal(await rude.ended, 1009);
    await theatre.put('shop', watched);
    await eventually('the app', () => polite.bytes().includes('app:shop'));
    assert.equal(theatre.root.getSnapshot().value, 'running');
  });

  test('is told no message above a megabyte, whatever an actor knows', async (t) => {
    const much = {
      state: '\u0001'.repeat(1e6),
      list: Array.from({ length: 1e5 }, (_, at) => ({ at, name: 'x'.repeat(99) })),
    };
    const machine = setup({ types: { context: much } }).createMachine({
      id: 'big',
      context: { ...much, deep: { much } },
    });
    const inspector = openInspector(() => root);
    const root: AnyActorRef = createActor(machine, { inspect: (event) => inspector.observe(event) });
    root.start();
    const viewer = await connect(t, await serve(t, inspector));
    await eventually('its word', () => viewer.bytes().includes('"big"'));
    assert.ok(viewer.bytes().length < 1e6, `${viewer.bytes().length}`);
    assert.doesNotThrow(() => JSON.parse(viewer.bytes()));
  });

  test('pays for a fault of the inspector, not the actor that was looked at', async (t) => {
    const trap = {
      get mine(): string {
        throw new Error('a trap');
      },
    };
    const machine = setup({ types: { context: {} as { bait: object } } }).createMachine({
      id: 'trapper',
      context: { bait: {} },
      on: { set: { actions: assign({ bait: trap }) } },
    });
    const inspector = openInspector(() => root);
    const root: AnyActorRef = createActor(machine, { inspect: (event) => inspector.observe(event) });
    root.start();
    const viewer = await connect(t, await serve(t, inspector));
    root.send({ type: 'set' });
    assert.equal(await viewer.ended, 1011);
    assert.equal(root.getSnapshot().status, 'active');
  });
});

function goodIn(snapshot: object): unknown {
  const { context } = snapshot as { context?: { facts?: { good?: unknown } } };
  return context?.facts?.good;
}
