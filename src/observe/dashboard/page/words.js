/** @import { AppStatus } from '../../../control/status.ts' */

/**
 * A stretch of time, as short as it can be said: `43 s`, `3 min`, `2 h`, `5 d`.
 *
 * @param {number} milliseconds
 */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/**
 * Seconds as they are measured: `0.4 s`, `12 s`, `3 min`.
 *
 * @param {number} seconds
 */
export function took(seconds) {
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : span(seconds * 1_000);
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** @param {number} share of one processor; 1 is all of it */
export function percent(share) {
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** @param {string} revision */
export function short(revision) {
  return revision.slice(0, 7);
}

/** @param {string} iso */
export function clockTime(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/**
 * When an app asks its remote next, or why it does not.
 *
 * @param {AppStatus} app
 * @param {number} now
 */
export function nextCheck({ paused, pinned, nextCheck: at, state }, now) {
  if (state === 'stopped') return '–';
  if (paused) return 'paused';
  if (pinned) return 'pinned';
  if (state === 'checking') return 'now';
  if (at === null) return '–';
  const left = Date.parse(at) - now;
  return left < 500 ? 'now' : `in ${span(left)}`;
}

/**
 * The program of an app in a few words.
 *
 * @param {AppStatus} app
 * @param {number} now
 */
export function programWords({ program }, now) {
  const { state, since } = program;
  return state === 'up' && since !== null ? `up ${span(now - Date.parse(since))}` : state;
}
