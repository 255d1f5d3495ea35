import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Facts } from '../../machines/facts.ts';
import type { AppConfig } from '../../machines/config.ts';
import { appConfig } from './config.ts';
import { labelOf, shrink, type Start, type Step, walk } from './walk.ts';

// Thousands of long lives, drawn by seeds that never change: what breaks one breaks it again. HUDDLE_WALKS=20000 (or
// more) makes as many of them; a failure prints its seed and the shortest part of the walk that still breaks.

const walks = Number(process.env['HUDDLE_WALKS'] ?? 400);

const application = { crashLimit: 3 };
const watchdog = { period: 60, timeout: 5, failures: 2, probe: { kind: 'command', command: 'look' } } as const;
const configs = {
  plain: appConfig({ application }),
  quick: appConfig({ application, timing: { minimum: 5, maximum: 9 } }),
  coloured: appConfig({ application: { ...application, environment: { COLOUR: 'blue' } } }),
  files: appConfig({ application: { ...application, start: null } }),
  shallow: appConfig({ application, repository: { depth: 1 } }),
  tested: appConfig({ application, test: { kind: 'command', commands: ['check'], timeout: 9 } }),
  scripts: appConfig({ application, scripts: { prePull: ['before'], postPull: ['after'] } }),
  watched: appConfig({ application, watchdog }),
  staying: appConfig({ application, deployment: { rollback: false } }),
  job: appConfig({ application: { ...application, restart: 'on failure' } }),
  impatient: appConfig({ application: { ...application, crashLimit: 1, stopTimeout: 1 } }),
};

const deployment = { strategy: 'side by side' } as const;
/** Half of all lives are lived side by side. */
const configsBeside = {
  plain: appConfig({ application, deployment }),
  quick: appConfig({ application, deployment, timing: { minimum: 5, maximum: 9 } }),
  coloured: appConfig({ application: { ...application, environment: { COLOUR: 'blue' } }, deployment }),
  shallow: appConfig({ application, deployment, repository: { depth: 1 } }),
  tested: appConfig({ application, deployment, test: { kind: 'command', commands: ['check'], timeout: 9 } }),
  scripts: appConfig({ application, deployment, scripts: { prePull: ['before'], postPull: ['after'] } }),
  watched: appConfig({ application, deployment, watchdog }),
  job: appConfig({ application: { ...application, restart: 'on failure' }, deployment }),
  impatient: appConfig({ application: { ...application, crashLimit: 1, stopTimeout: 1 }, deployment }),
  proxied: appConfig({ application: { ...application, proxy: { host: '::', port: 80 } }, deployment }),
  inPlace: configs.plain,
  files: configs.files,
};
type Configs = Readonly<Record<string, AppConfig>>;

const good: Partial<Facts> = { good: 'a', current: 'a', branch: 'main' };
const beginnings: readonly Omit<Start, 'config'>[] = [
  { facts: good, head: 'a' },
  { facts: {}, head: null },
  { facts: { ...good, previous: 'z', provingUntil: 600_000 }, head: 'a' },
  { facts: { ...good, pulling: 'b' }, head: 'b' },
  { facts: { ...good, stopped: true }, head: 'a' },
  { facts: { ...good, current: 'b', paused: true }, head: 'b' },
];

/** A small generator of numbers below 1: mulberry32, the same for a seed on every machine. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(roll: () => number, list: readonly T[]): T => list[Math.floor(roll() * list.length)] as T;

const simple = ['stop', 'start', 'restart', 'pause', 'resume', 'rollback', 'check'] as const;
const last = ['retire', 'shutdown', 'kill', 'detach'] as const;

function order(roll: () => number, configs: Configs): Step {
  const draw = roll();
  if (draw < 0.05) {
    const type = pick(roll, last);
    return { type: 'order', label: type, command: { type } };
  }
  if (draw < 0.25) {
    const revision = pick(roll, ['a', 'b', 'c', null]);
    return { type: 'order', label: `deploy ${revision ?? '*'}`, command: { type: 'deploy', revision } };
  }
  if (draw < 0.5) {
    const [name, config] = pick(roll, Object.entries(configs));
    return { type: 'order', label: `config ${name}`, command: { type: 'config', config } };
  }
  const type = pick(roll, simple);
  return { type: 'order', label: type, command: { type } };
}

function draw(roll: () => number, configs: Configs): Step {
  const fate = roll();
  if (fate < 0.32) return { type: 'answer', isWell: roll() < 0.8 };
  if (fate < 0.54) return { type: 'pass', seconds: pick(roll, [0.1, 1, 2, 3, 9, 31, 70, 4000]) };
  if (fate < 0.64) return { type: 'exit', code: pick(roll, [0, 1]), isNewest: roll() < 0.6 };
  if (fate < 0.71) return { type: 'tip', tip: pick(roll, ['a', 'b', 'c']) };
  if (fate < 0.77) return { type: 'verdict', kind: pick(roll, ['passed', 'passed', 'failed', 'pending']) };
  if (fate < 0.8) return { type: 'health', isWell: roll() < 0.6 };
  if (fate < 0.83) return { type: 'temper', heeds: roll() < 0.6, dies: roll() < 0.7 };
  return order(roll, configs);
}

/** The life that a seed stands for. */
function life(seed: number): { start: Start; steps: Step[] } {
  const roll = dice(seed);
  const drawn: Configs = roll() < 0.5 ? configs : configsBeside;
  const start = { ...pick(roll, beginnings), config: pick(roll, Object.values(drawn)) };
  return { start, steps: Array.from({ length: 15 + Math.floor(roll() * 30) }, () => draw(roll, drawn)) };
}

suite('long lives of an app', () => {
  test(`${walks} of them keep the invariants, and can be brought back to running at their end`, async (t) => {
    const deadline = performance.now() + 10_000;
    let made = 0;
    for (let seed = 1; seed <= walks; seed++) {
      if (process.env['HUDDLE_WALKS'] === undefined && performance.now() > deadline) break;
      const { start, steps } = life(seed);
      const [title] = await walk(start, steps);
      made++;
      if (title === undefined) continue;
      const shortest = await shrink(start, steps, title);
      const name = [...Object.entries(configs), ...Object.entries(configsBeside)].find(
        ([, each]) => each === start.config,
      )?.[0];
      const words = shortest.map((step) => `  ${labelOf(step)}`).join('\n');
      assert.fail(`seed ${seed}: ${title}\n  config ${name}, facts ${JSON.stringify(start.facts)}\n${words}`);
    }
    t.diagnostic(`${made} walks made`);
    assert.ok(made > 50, 'enough of them were made');
  });
});
