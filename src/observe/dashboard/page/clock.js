import { useEffect, useState } from 'preact/hooks';

/** A clock that is off by less shows no wrong time that anybody could see; milliseconds. */
const tolerance = 2_000;

let ahead = 0;

/**
 * Takes the time of the machine that Huddle runs on: a phone's clock may go wrong, and 'in 5 s' must not.
 *
 * @param {string | null} date the header of an answer that has just come
 */
export function setClock(date) {
  const off = Date.parse(date ?? '') - Date.now();
  ahead = Math.abs(off) > tolerance ? off : 0;
}

/** Milliseconds since the epoch, by the clock of Huddle's machine. */
export function now() {
  return Date.now() + ahead;
}

/** The time, told anew every second to a component that shows how long something is ago. */
export function useNow() {
  const [time, setTime] = useState(now);
  useEffect(() => {
    const timer = setInterval(() => setTime(now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return time;
}
