import { appendFileSync } from 'node:fs';

// Where a test may have Huddle killed, to see that the next one finds its way. A kill from outside never hits the
// instant between two system calls; these do.

/**
 * Every place at which Huddle can be made to die: before and after what must not be lost or done twice. A test walks the
 * list, so that a place which is never reached is seen.
 */
export const faultPoints = [
  // Becoming the one Huddle of a folder.
  'lock.before',
  'lock.after',
  // The ledger. `fresh`: the new text is beside the old one; `kept`: the old one has its second name; `after`: a kill
  // does no harm any more; `durable`: nor does a power cut.
  'ledger.state.before',
  'ledger.state.after',
  'ledger.state.durable',
  'ledger.file.fresh',
  'ledger.file.kept',
  'ledger.program.before',
  'ledger.program.fresh',
  'ledger.program.after',
  'ledger.history.before',
  'ledger.history.after',
  // Programs.
  'program.spawn.before',
  'program.spawn.after',
  'program.adopt.after',
  'program.stop.before',
  'program.stop.after',
  // Tests, scripts, probes, stop commands.
  'command.spawn.before',
  'command.spawn.after',
  'command.end.after',
  // git, and the small scripts that do what git does not.
  'git.spawn.before',
  'git.spawn.after',
  'git.end.after',
  'shell.spawn.before',
  'shell.spawn.after',
  'shell.end.after',
  // What git is told to change.
  'clone.place.before',
  'clone.place.after',
  'ref.fetch.before',
  'ref.fetch.after',
  'ref.pulling.before',
  'ref.pulling.after',
  'ref.saved.before',
  'ref.saved.after',
  'ref.deployed.before',
  'ref.deployed.after',
  'tree.before',
  'tree.after',
  'candidate.before',
  'candidate.after',
  'candidate.removed',
  // Side by side: releases on disk. `unkept`: its ref has gone, its files have not.
  'release.begin.before',
  'release.begin.after',
  'release.ready.before',
  'release.ready.after',
  'release.unkept',
  'release.removed',
  'current.before',
  'current.after',
  'shared.link.before',
  'shared.link.after',
  // From in place to side by side, and back. `cleared`: what was in the local path has gone; `left`: so has its index;
  // `returned`: what was shared is back in the tree, and nothing is called `current` any more.
  'convert.before',
  'convert.cleared',
  'convert.left',
  'convert.return.before',
  'convert.returned',
  // The sockets of an app, and who keeps them for the next Huddle.
  'sockets.open.before',
  'sockets.open.after',
  'keeper.spawn.before',
  'keeper.spawn.after',
  'keeper.record.fresh',
  'keeper.record.after',
  'keeper.end.before',
  'keeper.end.after',
  // The proxy of an app.
  'proxy.record.before',
  'proxy.record.fresh',
  'proxy.record.after',
  'proxy.point.before',
  'proxy.point.after',
  'proxy.end.before',
  'proxy.end.after',
] as const;

export type FaultPoint = (typeof faultPoints)[number];

/** What `HUDDLE_FAULT` asks for. */
interface Fault {
  /** The point to die at, or null: at none, but to write down each one that is reached. */
  readonly point: string | null;
  readonly traceFile: string;
  /** `shop:pulling`: only while this app is in this state; '' is any time. */
  readonly moment: string;
  /** How often it is still passed by. */
  passes: number;
}

const fault = readFault(process.env['HUDDLE_FAULT']);
// It is for this process alone: nothing that Huddle starts is to see it.
delete process.env['HUDDLE_FAULT'];

let momentsOf: () => readonly string[] = () => [];

/**
 * Ends Huddle by SIGKILL if `HUDDLE_FAULT` says so: `POINT[:NTH][@APP:STATE]`, at the first or NTH time that the point
 * is reached (in that state of that app). With an absolute path instead, nothing dies and each point that is reached
 * becomes a line of that file. Otherwise it costs one comparison.
 */
export function faultPoint(point: FaultPoint): void {
  if (fault !== null) reach(point, fault);
}

/** Lets faults wait for a state: `moments` tells each app with its state, as `shop:pulling`. */
export function tellMoments(moments: () => readonly string[]): void {
  momentsOf = moments;
}

function readFault(text: string | undefined): Fault | null {
  if (text === undefined || text === '') return null;
  if (text.startsWith('/')) return { point: null, traceFile: text, moment: '', passes: 0 };
  const [, point = '', nth = '1', moment = ''] = /^([\w.]+)(?::(\d+))?(?:@(.+))?$/.exec(text) ?? [];
  return { point, traceFile: '', moment, passes: Number(nth) - 1 };
}

function reach(point: FaultPoint, fault: Fault): void {
  if (fault.point === null) {
    appendFileSync(fault.traceFile, `${point} ${momentsOf().join(' ')}\n`);
    return;
  }
  if (fault.point !== point) return;
  if (fault.moment !== '' && !momentsOf().includes(fault.moment)) return;
  if (fault.passes > 0) fault.passes -= 1;
  else process.kill(process.pid, 'SIGKILL');
}
