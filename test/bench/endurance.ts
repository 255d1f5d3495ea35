import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plain, type Scene } from '../e2e/harness.ts';
import type { Line } from './line.ts';
import { residentMegabytes } from './usage.ts';

const apps = 10;

/** What Huddle needs after a long life: so many checks and deployments, as fast as they go, over ten apps. */
export async function endurance(stage: Scene, checks: number, deployments: number): Promise<Line[]> {
  const repo = await stage.repo();
  const first = await repo.publish(plain('v0'));
  const names = Array.from({ length: apps }, (_, index) => `app${index}`);
  for (const name of names)
    await stage.app(name, repo.remote, { timing: { minimum: 3600 }, application: { settle: 0.05 } });
  const huddle = stage.startHuddle();
  for (const name of names) await huddle.live(name, first);
  const all = async () => await Promise.all(names.map((name) => check(stage, name)));
  // What is only loaded and compiled by the first ones is no growth.
  for (let round = 0; round < 20; round += 1) await all();
  await rest();
  const before = residentMegabytes(huddle.pid);

  const pushes = deployments / apps;
  for (let push = 1; push <= pushes; push += 1) {
    for (let round = 0; round < checks / apps / pushes - 1; round += 1) await all();
    await repo.publish(plain(`v${push}`));
    await all();
  }
  await rest();
  const after = residentMegabytes(huddle.pid);
  const apart = await huddle.status();
  const isNewest = apart.every(({ error, state }) => error === null && state === 'running');
  await huddle.stop();
  return [
    {
      what: `memory after ${checks} checks and ${deployments} deployments`,
      target: '≤ 110 % of before',
      measured: `${before.toFixed(1)} → ${after.toFixed(1)} MB (${((100 * after) / before).toFixed(0)} %)`,
      met: isNewest && after <= 1.1 * before,
    },
  ];
}

/** Until what the last ones needed can have been given back: Huddle looks once a minute. */
async function rest(): Promise<void> {
  await sleep(75_000);
}

/** Asks for a check and waits for its end, and for that of the deployment that it led to. */
function check(stage: Scene, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/api/apps/${name}/check`;
    const sent = request(
      { socketPath: join(stage.dir, '.huddle/huddle.sock'), path, method: 'POST', agent: false },
      (response) => {
        response.resume().once('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${path} was answered with ${response.statusCode}`));
        });
      },
    );
    sent.once('error', reject).end();
  });
}
