import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cleanEnvironment } from '../e2e/command.ts';
import { program, type Scene } from '../e2e/harness.ts';
import { freePort } from '../e2e/proc.ts';
import { Calls } from './calls.ts';
import { duration, median, spread, type Line } from './line.ts';

/** Pushes to a small web server in a small repository, with default settings: how long without it, how long until live. */
export async function deployment(stage: Scene, rounds: number): Promise<Line[]> {
  const calls = new Calls(join(stage.root, 'calls'));
  const repo = await stage.repo();
  const first = await repo.publish({ 'program.mjs': program('web.mjs'), version: 'v0\n' });
  const environment = { JOURNAL: calls.path, PORT: String(await freePort()) };
  const own = await ownTimes('program.mjs', repo.work, environment, calls, rounds);
  const { repository } = stage.sections('shop', repo.remote);
  await stage.writeConfig('shop', {
    repository: repository ?? {},
    timing: { minimum: 3600 },
    test: { command: 'test -f version' },
    application: { start: [process.execPath, 'program.mjs'], environment },
  });
  const huddle = stage.startHuddle();
  await huddle.live('shop', first);
  const [without, live]: [number[], number[]] = [[], []];
  for (let round = 1; round <= rounds; round += 1) {
    const revision = await repo.publish({ version: `v${round}\n` });
    calls.forget();
    const begun = performance.now();
    huddle.check();
    const stopped = await calls.hear('stop');
    const started = await calls.hear('start');
    without.push(started.at - stopped.at);
    live.push(started.at - begun);
    await huddle.live('shop', revision);
  }
  await huddle.stop();
  calls.close();
  const ownTime = median(own);
  const limits = [ownTime + 60, ownTime + 500] as const;
  return [
    { what: 'the web server’s own stop and start time', target: '', measured: spread(own), met: null },
    {
      what: 'deployment in place: time without the program',
      target: `≤ own + 60 ms = ${duration(limits[0])}`,
      measured: spread(without),
      met: median(without) <= limits[0],
    },
    {
      what: 'push to live after the check begins',
      target: `≤ own + 500 ms = ${duration(limits[1])}`,
      measured: spread(live),
      met: median(live) <= limits[1],
    },
  ];
}

/** The own share of a program of Node's: from its notice of the stop signal to its end, and from its spawn to its being ready. */
export async function ownTimes(
  file: string,
  cwd: string,
  environment: Record<string, string>,
  calls: Calls,
  rounds: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    calls.forget();
    const spawned = performance.now();
    const env = { ...cleanEnvironment(), ...environment };
    const child = spawn(process.execPath, [file], { cwd, env, stdio: 'ignore' });
    const exited = once(child, 'exit');
    const started = await calls.hear('start');
    child.kill('SIGTERM');
    const stopped = await calls.hear('stop');
    await exited;
    times.push(started.at - spawned + (performance.now() - stopped.at));
  }
  calls.forget();
  return times;
}
