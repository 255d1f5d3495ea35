// A wall clock that can be set for one process: on SIGUSR2 it is shifted by the milliseconds in the file `$CLOCK`.
import { readFileSync } from 'node:fs';

const RealDate = Date;
let shift = 0;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + shift] : given));
  }

  static now() {
    return RealDate.now() + shift;
  }
};

if (process.env.CLOCK !== undefined)
  process.on('SIGUSR2', () => (shift = Number(readFileSync(process.env.CLOCK, 'utf8'))));
