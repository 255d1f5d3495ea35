import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../e2e/harness.ts';
import { alone } from './alone.ts';
import { Calls } from './calls.ts';
import { ownTimes } from './deployment.ts';
import { duration, median, spread, type Line } from './line.ts';
import { deploy, isInstalled, opened, type Way, ways } from './shop.ts';
import { come, type Counted, failedOf, type Pressure, pressures } from './visitors.ts';

/** What clients see of deployments, by how their requests find a release. */
export async function switches(deployments: number, calm: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (const way of ways) {
    if (way === 'behind nginx' && !isInstalled('nginx')) {
      lines.push({ what: `deployments ${way}`, target: '0', measured: 'it is missing (apt: nginx)', met: null });
      continue;
    }
    for (const load of pressures) {
      const measure = way === 'in place' ? inPlace : beside;
      lines.push(...(await alone((stage) => measure(stage, { way, load, deployments, calm }))));
    }
  }
  return lines;
}

interface Round {
  readonly way: Way;
  readonly load: Pressure;
  readonly deployments: number;
  /** How long the clients are watched before each deployment; milliseconds. */
  readonly calm: number;
}

async function beside(stage: Scene, { way, load, deployments, calm }: Round): Promise<Line[]> {
  const shop = await opened(stage, way);
  const asking = await come(stage, shop.port, load);
  for (let turn = 1; turn <= deployments; turn += 1) {
    // What is cleared up after the last one is not to make the calm look worse than it is.
    await sleep(300);
    asking.enter('calm');
    await sleep(calm);
    await deploy(shop, asking, `v${turn}`);
  }
  const told = `${deployments} deployments, ${way}, ${load.told}`;
  const lines = linesOf(told, await asking.leave());
  await shop.huddle.stop();
  return lines;
}

function linesOf(told: string, counted: Counted): Line[] {
  const [calm, busy] = [counted.in('calm'), counted.in('switch')];
  const { requests, failed, text } = failedOf(counted.all);
  const times = `${duration(busy.latency.p999)}, ${duration(calm.latency.p999)}`;
  const rates = `${Math.round(busy.perSecond)}, ${Math.round(calm.perSecond)} a second`;
  return [
    { what: `${told}: failed of ${requests} requests`, target: '0', measured: text, met: failed === 0 },
    {
      what: '  99.9th percentile of latency in a switch, and without',
      target: '≤ 3 ×',
      measured: `${times} (${(busy.latency.p999 / calm.latency.p999).toFixed(1)} ×; ${rates})`,
      met: busy.latency.p999 <= 3 * calm.latency.p999,
    },
    {
      what: '  how late the clients themselves were, 99.9th percentile',
      target: '',
      measured: `${duration(busy.hiccup)}, ${duration(calm.hiccup)}`,
      met: null,
    },
  ];
}

/** For comparison: what is lost, and for how long there is no program, where one follows the other. */
async function inPlace(stage: Scene, { way, load, deployments, calm }: Round): Promise<Line[]> {
  const calls = new Calls(join(stage.root, 'calls'));
  const shop = await opened(stage, way, calls.path);
  const asking = await come(stage, shop.port, load);
  const environment = { JOURNAL: calls.path, PORT: '0' };
  const [own, without]: [number[], number[]] = [[], []];
  for (let turn = 1; turn <= deployments; turn += 1) {
    asking.enter('calm');
    await sleep(calm);
    asking.enter('between');
    // Its own share, while the machine has as much to do.
    own.push(...(await ownTimes('shop.mjs', shop.repo.work, environment, calls, 1)));
    await deploy(shop, asking, `v${turn}`);
    without.push((await calls.hear('start')).at - (await calls.hear('stop')).at);
  }
  const { all } = await asking.leave();
  await shop.huddle.stop();
  calls.close();
  const limit = median(own) + 60;
  const { requests, text } = failedOf(all);
  const what = `${deployments} deployments, ${way}, ${load.told}: failed of ${requests} requests`;
  return [
    { what, target: '', measured: text, met: null },
    {
      what: '  time without the program',
      target: `≤ its stop and start + 60 ms = ${duration(limit)}`,
      measured: spread(without),
      met: median(without) <= limit,
    },
  ];
}
