import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { AppStatus } from '../../../src/control/status.ts';
import type { Usage } from '../../../src/control/source.ts';
import { openMeter } from '../../../src/observe/metrics/metrics.ts';
import { appStatus, historyEntry, revision, temporaryFolder } from '../../control/fake-source.ts';

const error = { code: 'timeout', message: 'asking: no answer', hint: '' } as const;

/** A meter of apps that a test changes by hand. */
function meterOf(...apps: readonly AppStatus[]) {
  const now = { apps: [...apps], usage: new Map<string, Usage>() as Map<string, Usage> | null };
  const meter = openMeter({ version: () => '1.2.3', apps: () => now.apps, usage: () => now.usage });
  const lines = async () => (await meter.scrape()).text.split('\n');
  /** The series of a metric, as the text has them. */
  const series = async (name: string) => (await lines()).filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  return { meter, now, series, lines };
}

const promtool = spawnSync('promtool', ['--version']).error === undefined;

/** What Prometheus' own checker has against a text. */
function lint(text: string): string {
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? stdout + stderr : `${stdout}${stderr}exit code ${status}`;
}

/** What Prometheus makes of questions, as rules of its own. */
function understood(questions: readonly string[], folder: string): string {
  const filled = questions.map((each) => each.replace(/\$\w+/g, (name) => chosen[name as keyof typeof chosen]));
  const rules = filled.map((expr, index) => ({ record: `question:${index}`, expr }));
  const file = join(folder, 'rules.json');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'questions', rules }] }));
  const { stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  return (stdout + stderr).trim().split('\n').at(-1)?.trim() ?? '';
}

suite('The metrics', () => {
  test('tell of each app by the words of its status', async () => {
    const shop = appStatus('shop', { state: 'checking', error, pinned: true, rejected: ['a', 'b'] });
    const { series } = meterOf(shop);
    const states = await series('huddle_app_state');
    assert.equal(states.length, 9);
    assert.deepEqual(
      states.filter((line) => line.endsWith(' 1')),
      ['huddle_app_state{app="shop",state="checking"} 1'],
    );
    assert.equal((await series('huddle_app_program_state')).length, 6);
    assert.deepEqual(await series('huddle_app_revision_info'), [
      `huddle_app_revision_info{app="shop",revision="${revision}",branch="main"} 1`,
    ]);
    assert.deepEqual(await series('huddle_app_error'), ['huddle_app_error{app="shop",code="timeout"} 1']);
    assert.deepEqual(await series('huddle_app_healthy'), ['huddle_app_healthy{app="shop"} 1']);
    assert.deepEqual(await series('huddle_app_pinned'), ['huddle_app_pinned{app="shop"} 1']);
    assert.deepEqual(await series('huddle_app_paused'), ['huddle_app_paused{app="shop"} 0']);
    assert.deepEqual(await series('huddle_app_rejected_revisions'), ['huddle_app_rejected_revisions{app="shop"} 2']);
    const due = Date.parse('2026-01-31T12:01:00.000Z') / 1000;
    assert.deepEqual(await series('huddle_app_next_check_timestamp_seconds'), [
      `huddle_app_next_check_timestamp_seconds{app="shop"} ${due}`,
    ]);
    assert.deepEqual(await series('huddle_build_info'), [
      `huddle_build_info{version="1.2.3",node="${process.version}"} 1`,
    ]);
    assert.deepEqual(await series('huddle_apps'), ['huddle_apps 1']);
  });

  test('count from the start, also what happened before anybody asked', async () => {
    const { meter, series } = meterOf(appStatus('shop'));
    meter.tally.deployment('shop', historyEntry({ seconds: 2, downtime: 0.5 }));
    meter.tally.probe('shop', 0.25, false);
    meter.tally.see('shop', { state: 'checking', failures: 0 });
    meter.tally.see('shop', { state: 'running', failures: 0 });
    assert.deepEqual(await series('huddle_app_deployments_total'), [
      'huddle_app_deployments_total{app="shop",result="deployed"} 1',
      'huddle_app_deployments_total{app="shop",result="test failed"} 0',
      'huddle_app_deployments_total{app="shop",result="script failed"} 0',
      'huddle_app_deployments_total{app="shop",result="rolled back"} 0',
    ]);
    const value = async (name: string) => (await series(name)).map((line) => Number(line.split(' ').at(-1)));
    assert.deepEqual(await value('huddle_app_deployment_seconds_total'), [2]);
    assert.deepEqual(await value('huddle_app_deployment_downtime_seconds_total'), [0.5]);
    assert.deepEqual(await value('huddle_app_probe_seconds_total'), [0.25]);
    assert.deepEqual(await series('huddle_app_checks_total'), [
      'huddle_app_checks_total{app="shop",result="changed"} 0',
      'huddle_app_checks_total{app="shop",result="unchanged"} 1',
      'huddle_app_checks_total{app="shop",result="failed"} 0',
    ]);
  });

  test('leave out what is not known', async () => {
    const unknown = { branch: null, revision: null, nextCheck: null, health: 'unknown' } as const;
    const program = { state: 'down', pid: null, since: null, restarts: 0, adopted: false } as const;
    const { now, lines } = meterOf(appStatus('shop', { ...unknown, program }));
    now.usage = null;
    const text = (await lines()).join('\n');
    for (const name of [
      'revision_info',
      'healthy',
      'next_check',
      'last_check',
      'error',
      'program_start',
      'program_cpu',
    ])
      assert.doesNotMatch(text, new RegExp(`^huddle_app_${name}\\w*\\{`, 'm'), name);
    assert.doesNotMatch(text, /NaN|undefined|null/);
  });

  test('forget revisions, errors and apps that have gone: what there was does not add up', async () => {
    const { meter, now, lines, series } = meterOf(appStatus('shop'), appStatus('blog'));
    meter.tally.deployment('shop', historyEntry());
    const before = (await lines()).length;
    for (let round = 0; round < 50; round += 1) {
      now.apps = ['shop', 'blog'].map((name) => appStatus(name, { revision: String(round).padStart(40, '0') }));
      await lines();
    }
    assert.equal((await lines()).length, before);
    now.apps = [appStatus('blog')];
    const text = (await lines()).join('\n');
    assert.ok(!text.includes('shop'));
    assert.equal((await series('huddle_app_revision_info')).length, 1);
    now.apps = [appStatus('shop')];
    assert.match((await series('huddle_app_deployments_total'))[0] ?? '', / 0$/);
  });

  test('a counter of processor time never falls while its program runs', async () => {
    const { now, series } = meterOf(appStatus('shop'));
    const cpu = async (seconds: number) => {
      now.usage = new Map([['shop', { processes: 1, memory: 4096, cpu: seconds }]]);
      return (await series('huddle_app_program_cpu_seconds_total'))[0]?.split(' ').at(-1);
    };
    assert.equal(await cpu(5), '5');
    assert.equal(await cpu(3), '5');
    assert.equal(await cpu(6), '6');
    const program = { state: 'up', pid: 4712, since: '2026-01-31T13:00:00.000Z', restarts: 1, adopted: false } as const;
    now.apps = [appStatus('shop', { program })];
    assert.equal(await cpu(1), '1');
    assert.deepEqual(await series('huddle_app_program_resident_memory_bytes'), [
      'huddle_app_program_resident_memory_bytes{app="shop"} 4096',
    ]);
  });

  test('hold whatever an app may be called', async () => {
    const name = 'a"b\\c\nd é{}=';
    const { series } = meterOf(appStatus(name));
    assert.deepEqual(await series('huddle_app_paused'), ['huddle_app_paused{app="a\\"b\\\\c\\nd é{}="} 0']);
  });

  test('are what promtool takes', { skip: !promtool && 'promtool is not here' }, async () => {
    const name = 'a"b\\c\nd é';
    const { meter, now } = meterOf(appStatus('shop', { error }), appStatus(name));
    now.usage = new Map(['shop', name].map((each) => [each, { processes: 2, memory: 4096, cpu: 1.5 }]));
    meter.tally.see('shop', { state: 'checking', failures: 0 });
    meter.tally.see('shop', { state: 'testing', failures: 0 });
    const { text, type } = await meter.scrape();
    assert.match(type, /^text\/plain; version=0\.0\.4/);
    assert.equal(lint(text), '');
    // It does look.
    assert.match(lint(text.replaceAll('huddle_app_checks_total', 'huddle_app_checks')), /_total/);
    assert.match(lint(text.replaceAll('_resident_memory_bytes', '_resident_memory_kilobytes')), /kilobytes/);
    assert.match(lint(`${text}huddle_apps{\n`), /exit code/);
  });

  test('are those that the Grafana dashboard asks for, and it shows every one', async (t) => {
    const { lines } = meterOf(appStatus('shop', { error }));
    const text = (await lines()).join('\n');
    const names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? ''));
    const file = join(import.meta.dirname, '../../../examples/grafana.json');
    const board = JSON.parse(readFileSync(file, 'utf8')) as { readonly panels: readonly object[] };
    const questions = [...new Set(stringsIn(board, ['expr', 'query']))];
    assert.ok(questions.length > 20);
    const asked = new Set(questions.flatMap((each) => each.match(/\b(huddle|process)_\w+/g) ?? []));
    const unknown = [...asked].filter((name) => !names.has(name));
    assert.deepEqual(unknown, []);
    const unseen = [...names].filter((name) => !asked.has(name)).toSorted();
    const told = [
      'huddle_app_paused',
      'huddle_app_pinned',
      'huddle_app_rejected_revisions',
      'process_start_time_seconds',
    ];
    assert.deepEqual(unseen, told);
    const asks = [...new Set(stringsIn(board, ['expr']))];
    if (promtool) assert.equal(understood(asks, temporaryFolder(t)), `SUCCESS: ${asks.length} rules found`);
    // Its labels too: a filter on one that is not there finds nothing, and says nothing.
    const labels = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, label]) => label));
    const filtered = new Set(
      questions.flatMap((each) => [...each.matchAll(/[{,](\w+)=~?"/g)].map(([, label]) => label)),
    );
    filtered.delete('instance'); // Prometheus' own.
    assert.deepEqual(
      [...filtered].filter((label) => !labels.has(label)),
      [],
    );
  });
});

/** What stands in a question for what the reader of a dashboard has chosen. */
const chosen = { $__rate_interval: '5m', $__range: '1h', $app: '.*', $instance: '.*' };

/** Every text under these keys, wherever it is. */
function stringsIn(value: unknown, keys: readonly string[]): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    keys.includes(key) && typeof each === 'string' ? [each] : stringsIn(each, keys),
  );
}
