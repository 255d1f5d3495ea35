// The clock of a machine is set: by hand, by NTP after a start at the end of 1969, by a virtual machine that resumes. What
// Huddle decides by time (how long a revision is proved, when a rejected one is tested again, how long it was down) counts
// on as if nothing had happened; only what it shows, and leaves to the next Huddle, is the wall clock's.

/** Milliseconds since the epoch as of Huddle's start, counted on by a clock that nobody can set. */
export function steadyNow(): number {
  return Math.round(performance.timeOrigin + performance.now());
}

let known = 0;

/** How far the wall clock has been set since; jitter is none of it, or what is shown would never stay the same. */
function shift(): number {
  const found = Date.now() - steadyNow();
  if (Math.abs(found - known) > 500) known = found;
  return known;
}

/** What the wall clock, as it is set now, shows at a time of the steady one. */
export function wallTime(steady: number): number {
  return Math.round(steady + shift());
}

/** The steady clock's time of one that was read off the wall. */
export function steadyTime(wall: number): number {
  return wall - shift();
}
