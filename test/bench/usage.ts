import { readFileSync, readdirSync } from 'node:fs';

/** Linux counts processor time in ticks of USER_HZ, 100 on every platform that Node runs on. */
const ticksPerSecond = 100;

/** Processor seconds of a process and of those of its children that have ended. */
export function processorSeconds(pid: number): number {
  return secondsIn(pid, 4);
}

/** Processor seconds of a process alone. */
export function ownProcessorSeconds(pid: number): number {
  return secondsIn(pid, 2);
}

function secondsIn(pid: number, count: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc(5): utime, stime, cutime and cstime are fields 14 to 17; the first one here is field 3.
  return fields.slice(11, 11 + count).reduce((sum, field) => sum + Number(field), 0) / ticksPerSecond;
}

/** Resident memory in megabytes. */
export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

export function countProcesses(): number {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).length;
}
