// Writes numbered lines to its stdout, in pieces that break anywhere: some megabytes a second until SIGTERM, or, with a
// number as argument, that many as fast as it can. Ends with a whole line.
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const most = Number(process.argv[2] ?? Infinity);
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());

let rest = '';
for (let number = 0; !ending.signal.aborted && number < most;) {
  for (let line = 0; line < 100 && number < most; line += 1, number += 1) {
    rest += `${String(number).padStart(9, '0')}${'.'.repeat(number % 83)}\n`;
  }
  const cut = Math.floor(rest.length * 0.7);
  print(rest.slice(0, cut));
  rest = rest.slice(cut);
  if (most === Infinity) await pause(1);
}
print(rest);

function print(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at, Math.min(4_000, bytes.length - at));
}
