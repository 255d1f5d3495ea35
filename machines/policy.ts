import type { AppConfig, Timing } from './config.ts';
import type { Facts, Rejection, Revision } from './facts.ts';

const seconds = 1000;
const minute = 60 * seconds;
const hour = 60 * minute;

/** The longest delay that a timer can take, in milliseconds: about 24 days. A longer one would fire at once. */
export const longestTimer = 2 ** 31 - 1;

/**
 * Milliseconds until the next check: a random time between the two of the config; the minimum alone is the interval,
 * ± 10 % so that a fleet does not keep step. Each failure in a row doubles it, up to ten minutes, or the interval
 * where that is longer.
 */
export function checkDelay(timing: Timing, failuresInRow: number, random: () => number): number {
  const { minimum, maximum } = timing;
  const drawn = maximum === null ? minimum * (0.9 + 0.2 * random()) : minimum + (maximum - minimum) * random();
  const interval = drawn * seconds;
  const longest = Math.max(10 * minute, interval);
  return Math.round(Math.min(interval * 2 ** Math.min(failuresInRow, 30), longest, longestTimer));
}

/** Milliseconds before a program starts again after its nth exit in a row: at once, then 1, 2, 4 … 30 s. */
export function crashDelay(exits: number): number {
  return exits <= 1 ? 0 : Math.min(2 ** Math.min(exits - 2, 30), 30) * seconds;
}

/** Milliseconds until a rejected revision may be tested again: an hour, two, four … up to a day. */
export function retestDelay(times: number): number {
  return Math.min(2 ** Math.min(times - 1, 30), 24) * hour;
}

/** Scripts get this many tries before they cost a revision its chance. */
export const scriptTries = 3;

/** Whether a revision is kept from being deployed by itself. Only a failed test is tried again, after its delay. */
export function isRejected(rejected: readonly Rejection[], revision: Revision, now: number): boolean {
  const found = rejected.find((rejection) => rejection.revision === revision);
  if (found === undefined) return false;
  // One that was made in the future was made by a clock that has been set back since: nobody can say how long ago.
  const isYoung = now >= found.at && now < found.at + retestDelay(found.times);
  return found.why !== 'test failed' || isYoung;
}

/** The newest rejection last; the newest twenty are remembered. */
export function withRejection(
  rejected: readonly Rejection[],
  revision: Revision,
  why: Rejection['why'],
  now: number,
): readonly Rejection[] {
  const before = rejected.find((rejection) => rejection.revision === revision);
  const times = before?.why === 'test failed' ? before.times + 1 : 1;
  return [...withoutRejection(rejected, revision), { revision, why, at: now, times }].slice(-20);
}

export function withoutRejection(rejected: readonly Rejection[], revision: Revision): readonly Rejection[] {
  return rejected.filter((rejection) => rejection.revision !== revision);
}

/**
 * What a revision's acceptance does to the facts: the good one before it becomes the way back, unless this one has
 * itself been come back to: a revision that was rolled back to is never rolled back again.
 */
export function acceptance(
  facts: Facts,
  revision: Revision,
  way: 'forward' | 'back',
  provingUntil: number,
): Partial<Facts> {
  if (facts.good === revision) return { provingUntil: way === 'back' ? null : facts.provingUntil };
  return {
    good: revision,
    previous: way === 'back' ? null : facts.good,
    provingUntil: way === 'back' || facts.good === null ? null : provingUntil,
    rejected: withoutRejection(facts.rejected, revision),
  };
}

/** How much a changed config must disturb, from nothing to most. */
export type Disturbance = 'nothing' | 'details' | 'program' | 'repository';

/** Settings of `application` that its next stop, exit or trial will look at: the process need not be replaced. */
const patience = [
  'stopSignal',
  'stopTimeout',
  'stopCommand',
  'restart',
  'crashLimit',
  'crashWindow',
  'retry',
  'settle',
  'readyTimeout',
  'drainTimeout',
] as const;

/** What must be disturbed so that `next` is in force instead of `now`. */
export function disturbance(now: AppConfig, next: AppConfig): Disturbance {
  if (isSame(now, next)) return 'nothing';
  if (!isSame(now.repository, next.repository)) return 'repository';
  if (!isSame(without(now.application, patience), without(next.application, patience))) return 'program';
  return 'details';
}

/** What a program is started with: a program whose part differs has to be replaced. */
export function programPart({ application, repository }: AppConfig): unknown {
  const { listen, proxy, ...started } = without(application, patience);
  // What is not given leaves no trace: a program of a Huddle that did not know of it is taken over.
  const given = { ...(listen?.length ? { listen } : {}), ...(proxy ? { proxy } : {}) };
  return { ...started, localPath: repository.localPath, ...given };
}

/** A config by which a program runs in this folder. */
export function configIn(config: AppConfig, directory: string): AppConfig {
  if (config.repository.localPath === directory) return config;
  return { ...config, repository: { ...config.repository, localPath: directory } };
}

/** The sections that differ, by their names in a config file. */
export function changedSections(now: AppConfig, next: AppConfig): string[] {
  const sections = Object.keys(next) as (keyof AppConfig)[];
  return sections.filter((section) => !isSame(now[section], next[section]));
}

/** Whether two plain values mean the same, whatever the order of their keys. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && isSame(one[key as never], other[key as never]));
}

function without<T extends object>(value: T, keys: readonly (keyof T)[]): Partial<T> {
  const copy: Partial<T> = { ...value };
  for (const key of keys) delete copy[key];
  return copy;
}

/** Whether two absolute paths are the same folder, or one lies inside the other. */
export function isOverlapping(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => `${path.replace(/[\\/]+$/, '')}/`.replaceAll('\\', '/')) as [
    string,
    string,
  ];
  return a.startsWith(b) || b.startsWith(a);
}
