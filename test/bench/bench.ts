import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import type { Scene } from '../e2e/harness.ts';
import { alone } from './alone.ts';
import { checks } from './checks.ts';
import { crash } from './crash.ts';
import { crowd } from './crowd.ts';
import { dashboard } from './dashboard.ts';
import { deployment } from './deployment.ts';
import { endurance } from './endurance.ts';
import { tableOf, type Line } from './line.ts';
import { looking } from './looking.ts';
import { takeover } from './takeover.ts';
import { logs } from './logs.ts';
import { proxy } from './proxy.ts';
import { rollback } from './rollback.ts';
import { status } from './status.ts';
import { switches } from './switch.ts';
import { broken, killed } from './trouble.ts';

// What Huddle costs and how fast it is, measured on the real command: `npm run bench`, or with `-- --quick` in fewer
// rounds. Names of measurements (crash, deployment, switch, proxy …) run only these.

const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true });
const quick = values.quick === true;

const measurements: Readonly<Record<string, (stage: Scene) => Promise<Line[]>>> = {
  crash: (stage) => crash(stage, quick ? 5 : 30),
  deployment: (stage) => deployment(stage, quick ? 3 : 10),
  crowd: (stage) => crowd(stage, quick ? 1 : 5, quick ? 10 : 300),
  checks: (stage) => checks(stage, quick ? 5 : 30),
  takeover: (stage) => takeover(stage, quick ? 5 : 30, quick ? 10 : 120),
  logs: (stage) => logs(stage, quick ? 2 : 16, quick ? 200 : 1024),
  dashboard: (stage) => dashboard(stage, quick ? 3 : 20),
  looking: (stage) => looking(stage, quick ? 10 : 60),
  endurance: (stage) => endurance(stage, quick ? 400 : 10_000, quick ? 20 : 500),
  switch: () => switches(quick ? 3 : 20, 1300),
  broken: () => broken(quick ? 4 : 20),
  killed: () => killed(quick ? 2 : 5),
  rollback: (stage) => rollback(stage, quick ? 3 : 15),
  proxy: (stage) => proxy(stage, quick ? 2 : 5, quick ? 2 : 4),
  status: (stage) => status(stage, quick ? 10 : 50),
};

const lines: Line[] = [];
for (const [name, measure] of Object.entries(measurements)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stderr.write(`measuring ${name} …\n`);
  lines.push(...(await alone(measure).catch((error: unknown) => [cutShort(name, error)])));
}
process.stdout.write(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model.trim()}\n\n`);
process.stdout.write(`${tableOf(lines)}\n`);
process.exitCode = lines.some(({ met }) => met === false) ? 1 : 0;

/** The others are measured all the same. */
function cutShort(name: string, error: unknown): Line {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return { what: `${name}: cut short`, target: '', measured: 'see above', met: false };
}
