import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { scene, type Scene } from '../e2e/harness.ts';
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
import { status } from './status.ts';

// What Huddle costs and how fast it is, measured on the real command: `npm run bench`, or with `-- --quick` in fewer
// rounds. Names of measurements (crash, deployment, crowd, checks, status) run only these.

const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true });
const quick = values.quick === true;

const measurements: Readonly<Record<string, (stage: Scene) => Promise<Line[]>>> = {
  crash: (stage) => crash(stage, quick ? 5 : 30),
  deployment: (stage) => deployment(stage, quick ? 3 : 10),
  crowd: (stage) => crowd(stage, quick ? 1 : 5, quick ? 10 : 60),
  checks: (stage) => checks(stage, quick ? 5 : 30),
  takeover: (stage) => takeover(stage, quick ? 5 : 30, quick ? 10 : 60),
  logs: (stage) => logs(stage, quick ? 2 : 8, quick ? 200 : 1024),
  dashboard: (stage) => dashboard(stage, quick ? 3 : 20),
  looking: (stage) => looking(stage, quick ? 10 : 60),
  endurance: (stage) => endurance(stage, quick ? 400 : 10_000, quick ? 20 : 500),
  status: (stage) => status(stage, quick ? 10 : 50),
};

const lines: Line[] = [];
for (const [name, measure] of Object.entries(measurements)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stderr.write(`measuring ${name} …\n`);
  lines.push(...(await alone(measure)));
}
process.stdout.write(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model.trim()}\n\n`);
process.stdout.write(`${tableOf(lines)}\n`);
process.exitCode = lines.some(({ met }) => met === false) ? 1 : 0;

/** On a stage of its own, which goes afterwards whatever happens. */
async function alone(measure: (stage: Scene) => Promise<Line[]>): Promise<Line[]> {
  let cleanUp: () => unknown = () => undefined;
  const stage = await scene({ after: (task) => (cleanUp = task as () => unknown) });
  try {
    return await measure(stage);
  } finally {
    await cleanUp();
  }
}
