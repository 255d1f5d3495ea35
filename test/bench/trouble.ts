import { alone } from './alone.ts';
import type { Line } from './line.ts';
import { deploy, opened, type Shop, taken } from './shop.ts';
import { come, failedOf, pressures, type Visitors } from './visitors.ts';

/** Every second release is broken: it ends before it listens. */
export function broken(deployments: number): Promise<Line[]> {
  return failed(`${deployments} deployments, every second one broken`, async (shop, clients) => {
    for (let turn = 1; turn <= deployments; turn += 1)
      await deploy(shop, clients, `${turn % 2 === 0 ? 'v' : 'bad'}${turn}`);
    return shop;
  });
}

/** Each deployment is made by a Huddle that has taken over from one that was killed. */
export function killed(deployments: number): Promise<Line[]> {
  return failed(`${deployments} times Huddle killed, the next one deploys`, async (shop, clients) => {
    let now = shop;
    for (let turn = 1; turn <= deployments; turn += 1) {
      await now.huddle.kill9();
      now = await taken(now);
      await deploy(now, clients, `v${turn}`);
    }
    return now;
  });
}

/** What becomes of the requests while something is done to a shop, by the ways that are to lose none. */
async function failed(what: string, work: (shop: Shop, clients: Visitors) => Promise<Shop>): Promise<Line[]> {
  const lines: Line[] = [];
  for (const way of ['listen', 'proxy'] as const) {
    for (const pressure of pressures) {
      const {
        requests,
        failed: count,
        text,
      } = await alone(async (stage) => {
        const shop = await opened(stage, way);
        const clients = await come(stage, shop.port, pressure);
        const { huddle } = await work(shop, clients);
        const { all } = await clients.leave();
        await huddle.stop();
        return failedOf(all);
      });
      const told = `${what}, ${way}, ${pressure.told}: failed of ${requests} requests`;
      lines.push({ what: told, target: '0', measured: text, met: count === 0 });
    }
  }
  return lines;
}
