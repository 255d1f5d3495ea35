import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AppConfig, Application, Listen } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { type Entry, type Folder, plan, type Slot } from '../../machines/folder.ts';
import { appConfig } from './config.ts';

const at = (localPath: string) => appConfig({ repository: { localPath } });

const on = (application: Partial<Application>) => appConfig({ repository: { localPath: '/srv/a' }, application });
const tcp = (host: string, port: number): Listen => ({ kind: 'tcp', host, port });
const elsewhere = (config: AppConfig) => ({
  ...config,
  repository: { ...config.repository, localPath: '/srv/elsewhere' },
});

function entry(file: string, change: Partial<Entry> = {}): Entry {
  const name = file.replace(/\..*$/, '');
  return { file, name, config: at(`/srv/${name}`), failure: null, refusal: null, ...change };
}

function slot(name: string, change: Partial<Slot> = {}): Slot {
  const config = at(`/srv/${name}`);
  return { name, file: `${name}.json`, config, state: 'live', deaths: 0, diedAt: null, ...change };
}

const folder = (entries: readonly Entry[], slots: readonly Slot[] = []): Folder => ({
  files: Object.fromEntries(entries.map((one) => [one.file, one])),
  slots: Object.fromEntries(slots.map((one) => [one.name, one])),
});

const steps = (given: Folder) => plan(given).steps.map(({ type, name }) => `${type} ${name}`);

suite('the plan for a folder', () => {
  test('starts each file that has no app, by the order of their names', () => {
    assert.deepEqual(steps(folder([entry('shop.json'), entry('blog.json')])), ['start blog', 'start shop']);
  });

  test('does nothing where all is as it should be, and is at its end after one round', () => {
    assert.deepEqual(steps(folder([entry('shop.json')], [slot('shop')])), []);
    const once = plan(folder([entry('shop.json'), entry('other.json', { config: at('/srv/shop') })]));
    assert.deepEqual(plan(once).steps, []);
  });

  test('compares a new file with all others, and none of those with each other again', () => {
    let looks = 0;
    const watched = (name: string): AppConfig => {
      const config = at(`/srv/${name}`);
      return {
        ...config,
        get repository() {
          looks += 1;
          return config.repository;
        },
      };
    };
    const settled = ['a', 'b', 'c', 'd'].map((name) => slot(name, { config: watched(name) }));
    const files = settled.map(({ file, config }) => entry(file, { config }));
    assert.deepEqual(steps(folder([...files, entry('new.json')], settled)), ['start new']);
    assert.equal(looks, settled.length);
  });

  test('configures an app whose file has changed', () => {
    const config = appConfig({ repository: { localPath: '/srv/shop' }, timing: { minimum: 5, maximum: null } });
    const planned = plan(folder([entry('shop.json', { config })], [slot('shop')]));
    assert.deepEqual(planned.steps, [{ type: 'configure', name: 'shop', config }]);
    assert.equal(planned.slots['shop']?.config, config);
  });

  test('retires an app whose file is gone, once', () => {
    const planned = plan(folder([], [slot('shop')]));
    assert.deepEqual(planned.steps, [{ type: 'retire', name: 'shop' }]);
    assert.deepEqual(plan(planned).steps, []);
  });

  test('lets a broken file alone, whether its app runs or not', () => {
    const failure = new Failure('config-invalid', { doing: 'reading', subject: 'shop.json', reason: 'a comma' });
    assert.deepEqual(steps(folder([entry('shop.json', { failure })], [slot('shop')])), []);
    assert.deepEqual(steps(folder([entry('shop.json', { failure, config: null })])), []);
  });

  test('refuses the second of the same name, also when they differ only in case', () => {
    const both = folder([entry('shop.json'), entry('shop.ini', { config: at('/srv/other') })]);
    assert.deepEqual(steps(both), ['start shop', 'refuse shop']);
    const cased = folder([entry('Shop.json'), entry('shop.ini', { config: at('/srv/other') })]);
    assert.deepEqual(steps(cased), ['start Shop', 'refuse shop']);
  });

  test('refuses the second of the same local path, and one inside the other, saying which is in the way', () => {
    for (const path of ['/srv/a', '/srv/a/inside', '/srv']) {
      const planned = plan(folder([entry('a.json'), entry('b.json', { config: at(path) })]));
      assert.deepEqual(steps(planned).concat(planned.steps.map(({ type }) => type)), ['start', 'refuse'], path);
      assert.match(planned.files['b.json']?.refusal?.message ?? '', /in use by a\.json/);
    }
  });

  test('refuses the second at one address, by listen or by proxy, and what one of them holds of the other', () => {
    const apart = [on({ listen: [tcp('127.0.0.1', 80)] }), on({ proxy: { host: '127.0.0.1', port: 81 } })] as const;
    const meeting: (readonly [AppConfig, AppConfig])[] = [
      [on({ proxy: { host: '::', port: 80 } }), on({ proxy: { host: '::', port: 80 } })],
      [on({ listen: [tcp('127.0.0.1', 81), tcp('::1', 80)] }), on({ listen: [tcp('::1', 80)] })],
      [on({ listen: [tcp('::', 80)] }), on({ proxy: { host: '127.0.0.1', port: 80 } })],
      [on({ proxy: { host: '10.0.0.1', port: 80 } }), on({ listen: [tcp('0.0.0.0', 80)] })],
      [on({ listen: [{ kind: 'unix', path: '/run/shop' }] }), on({ listen: [{ kind: 'unix', path: '/run/shop' }] })],
    ];
    const planOf = ([one, other]: readonly [AppConfig, AppConfig]) =>
      plan(folder([entry('a.json', { config: one }), entry('b.json', { config: elsewhere(other) })]));
    for (const [index, pair] of meeting.entries()) {
      const planned = planOf(pair);
      assert.deepEqual(
        planned.steps.map(({ type, name }) => `${type} ${name}`),
        ['start a', 'refuse b'],
        `pair ${index}`,
      );
      assert.match(planned.files['b.json']?.refusal?.message ?? '', /is in use by a\.json/);
    }
    const fine: (readonly [AppConfig, AppConfig])[] = [
      apart,
      [on({ listen: [tcp('127.0.0.1', 80)] }), on({ listen: [tcp('127.0.0.2', 80)] })],
      [on({ listen: [tcp('0.0.0.0', 80)] }), on({ listen: [tcp('::1', 80)] })],
      [on({ listen: [{ kind: 'unix', path: '/run/a' }] }), on({ listen: [{ kind: 'unix', path: '/run/b' }] })],
    ];
    for (const [index, pair] of fine.entries()) {
      assert.deepEqual(
        planOf(pair).steps.map(({ type }) => type),
        ['start', 'start'],
        `pair ${index}`,
      );
    }
  });

  test('starts who was refused in the same breath in which an app gives up what it has, whoever comes first', () => {
    const on80 = on({ listen: [tcp('::', 80)] });
    const on81 = on({ listen: [tcp('::', 81)] });
    for (const [running, refused] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const entries = [
        entry(`${running}.json`, { config: on81 }),
        entry(`${refused}.json`, { config: elsewhere(on80) }),
      ];
      const planned = plan(folder(entries, [slot(running, { config: on80 })]));
      assert.deepEqual(
        planned.steps.map(({ type, name }) => `${type} ${name}`),
        [`configure ${running}`, `start ${refused}`],
      );
    }
  });

  test('gives a running app the right of way over a file that comes earlier by name', () => {
    const given = folder([entry('a.json', { config: at('/srv/shop') }), entry('shop.json')], [slot('shop')]);
    assert.deepEqual(steps(given), ['refuse a']);
  });

  test('starts who was refused when the first one has left, and not before', () => {
    const refused = plan(folder([entry('a.json'), entry('b.json', { config: at('/srv/a') })]));
    const { ['a.json']: _gone, ...files } = refused.files;
    const leaving = plan({ ...refused, files });
    assert.deepEqual(leaving.steps, [{ type: 'retire', name: 'a' }]);
    const left = plan({ ...leaving, slots: {} });
    assert.deepEqual(
      left.steps.map(({ type, name }) => [type, name]),
      [['start', 'b']],
    );
    assert.equal(left.files['b.json']?.refusal, null);
  });

  test('lets a file of the same name wait until its app has left, whatever its path', () => {
    const waiting = plan(
      folder([entry('shop.json', { config: at('/srv/new') })], [slot('shop', { state: 'leaving' })]),
    );
    assert.deepEqual(
      waiting.steps.map(({ type }) => type),
      ['refuse'],
    );
    assert.deepEqual(steps({ ...waiting, slots: {} }), ['start shop']);
  });

  test('lets an app that is edited into the way of another run on as it was', () => {
    const given = folder([entry('a.json'), entry('b.json', { config: at('/srv/a') })], [slot('a'), slot('b')]);
    const planned = plan(given);
    assert.deepEqual(
      planned.steps.map(({ type, name }) => [type, name]),
      [['refuse', 'b']],
    );
    assert.deepEqual(planned.slots['b'], slot('b'));
  });

  test('starts an app that is due with the newest config, one in the way of another with its last', () => {
    const config = appConfig({ repository: { localPath: '/srv/shop' }, timing: { minimum: 5, maximum: null } });
    const due = slot('shop', { state: 'due', deaths: 2, diedAt: 7 });
    const planned = plan(folder([entry('shop.json', { config })], [due]));
    assert.deepEqual(planned.steps, [{ type: 'start', name: 'shop', config }]);
    assert.deepEqual([planned.slots['shop']?.state, planned.slots['shop']?.deaths], ['live', 2]);
    const blocked = plan(folder([entry('a.json'), entry('shop.json', { config: at('/srv/a') })], [slot('a'), due]));
    assert.deepEqual(
      blocked.steps.map(({ type, name }) => `${type} ${name}`),
      ['start shop', 'refuse shop'],
    );
    assert.equal(blocked.slots['shop']?.config, due.config);
  });

  test('keeps the slot of a dead app, takes its new config along, and frees it when its file goes', () => {
    const config = appConfig({ repository: { localPath: '/srv/shop' }, timing: { minimum: 5, maximum: null } });
    const dead = slot('shop', { state: 'dead', deaths: 1, diedAt: 7 });
    const edited = plan(folder([entry('shop.json', { config })], [dead]));
    assert.deepEqual([edited.steps, edited.slots['shop']?.config], [[], config]);
    assert.deepEqual(plan(folder([], [dead])), { files: {}, slots: {}, steps: [] });
  });
});
