import type { Failure } from '../../machines/failure.ts';
import { shellWord } from '../platform/shell-word.ts';
import type { Facts, Revision } from '../../machines/facts.ts';
import type { News } from '../../machines/news.ts';
import type { Done } from '../../machines/order.ts';
import type { Exit } from '../../machines/slots.ts';

export type Level = 'error' | 'warn' | 'info' | 'debug';

/** A line of Huddle's own log: `error` wants somebody to act, `warn` heals by itself, `debug` is for `--debug`. */
export interface Sentence {
  readonly level: Level;
  readonly text: string;
}

/** What the sentences need to know of the app that they are about. */
export interface About {
  readonly name: string;
  /** Absolute. */
  readonly localPath: string;
  /** Whether a new revision is tested before it goes live. */
  readonly tested: boolean;
  /** With --once: what fails now is not tried again. */
  readonly once: boolean;
}

/** What happened, and why, in one line for people. May hold text from outside as it came: the log makes it harmless. */
export function tell(news: News, about: About): Sentence {
  switch (news.type) {
    case 'cloning':
      return info(`getting the working copy ${about.localPath}`);
    case 'cloned':
      return info(news.tip === null ? `the working copy follows ${news.branch}` : newest(news.branch, news.tip, about));
    case 'booting':
      return info(booting(short(news.revision), about));
    case 'restoring':
      return warn(`restoring ${short(news.revision)}: ${news.reason}`);
    case 'moved':
      return info(moved(news, about));
    case 'unmoved':
      return debug(`${news.branch} is still at ${short(news.revision)}`);
    case 'still rejected':
      return debug(`${news.branch} is still at ${short(news.revision)}, which is rejected`);
    case 'testing':
      return debug(`testing ${short(news.revision)}`);
    case 'test passed':
      return info(`${short(news.revision)} passed its test in ${duration(news.seconds)}`);
    case 'test pending':
      return info(
        `the test of ${short(news.revision)} has no result yet${about.once ? '' : '; asking again at the next check'}`,
      );
    case 'rejected':
      return warn(`${short(news.revision)} is rejected: ${because(news.failure)}`);
    case 'saved':
      return warn(saved(news, about));
    case 'deployed':
      return info(deployed(news));
    case 'rolling back':
      return rollingBack(news);
    case 'stayed':
      return warn(`${stayed(news)}: ${because(news.failure)}`);
    case 'kept':
      return error(`${short(news.revision)} is not accepted, but stays: ${because(news.failure)}`);
    case 'failed':
      if (about.once) return error(because(news.failure));
      return failed(news.failure, news.retryIn, 'nothing more is tried until the next command or change');
    case 'not deployed':
      return warn(`not deployed: ${because(news.failure)}`);
    case 'recovered':
      return info('recovered: the last attempt succeeded');
    case 'program taken over':
      return info(`program taken over at ${short(news.revision)}, pid ${news.pid}: it ran on without Huddle`);
    case 'program up':
      return info(`program up at ${short(news.revision)}, pid ${news.pid}`);
    case 'program recovered':
      return info(`program has recovered: up at ${short(news.revision)}, pid ${news.pid}`);
    case 'program exited':
      return exited(news.exit, news.ran, news.retryIn);
    case 'program not started':
      return failed(news.failure, news.retryIn, 'not tried again');
    case 'program given up':
      return error(because(news.failure));
    case 'probe failed':
      return warn(`probe failed: ${because(news.failure)}`);
    case 'unhealthy':
      return warn(`unhealthy: ${because(news.failure, 'restarting the program')}`);
    case 'stuck':
      return error(because(news.failure, 'nothing is started until it is gone'));
    case 'config changed':
      return info(`config changed: ${list(news.sections)}`);
    case 'stopping':
      return info(`stopping: ${stopReasons[news.reason]}`);
    case 'stopped':
      return info('stopped');
    case 'paused':
      return info(pausedUntil(about.name));
    case 'resumed':
      return info('resumed');
    default:
      return untold(news);
  }
}

function booting(revision: string, { once }: About): string {
  return once
    ? `${revision} is in place; the check follows`
    : `starting ${revision}, the last good revision; the first check follows`;
}

function pausedUntil(name: string): string {
  return `paused: no more checks until ${resuming(name)}`;
}

/** Ready to be pasted. */
function resuming(name: string): string {
  return `\`huddle resume ${shellWord(name)}\``;
}

/** What came of an order, for who gave it. */
export function toldOutcome(outcome: Done, name: string): string {
  switch (outcome.type) {
    case 'unmoved':
      return `${outcome.branch} is at ${short(outcome.revision)}, which is in place`;
    case 'in place':
      return `${short(outcome.revision)} is in place`;
    case 'test pending':
      return `${outcome.branch} is at ${short(outcome.revision)}, whose test has no result yet`;
    case 'deployed':
      return deployed(outcome.entry);
    case 'rolled back':
      return `rolled back to ${short(outcome.revision)}, where it stays until ${resuming(name)}`;
    case 'already started':
      return 'is running already';
    case 'paused':
      return pausedUntil(name);
    case 'resumed':
      return 'resumed; checking now';
    default:
      return outcome.type;
  }
}

/** What a check would do, for who only wants to know; `tip` null: it was not asked for. */
export function toldPreview({ facts, tip, isRejected }: Preview): string {
  if (tip === null) return 'nothing is in place yet: the newest revision would be got and deployed';
  const there = `${facts.branch} is at ${short(tip)}`;
  if (tip === facts.current) return `${there}, which is in place: nothing would be deployed`;
  if (isRejected) return `${there}, which is rejected: nothing would be deployed`;
  return `${there}: it would be deployed${facts.current === null ? '' : ` in place of ${short(facts.current)}`}`;
}

interface Preview {
  readonly facts: Facts;
  readonly tip: Revision | null;
  readonly isRejected: boolean;
}

/** What went wrong, what Huddle does about it, and what the user can do. */
export function because(failure: Failure, consequence = ''): string {
  const what = consequence === '' ? failure.message : `${failure.message}; ${consequence}`;
  return failure.hint === '' ? what : `${what.replace(/\.$/, '')}. ${failure.hint}`;
}

/** A time as people say it, from its seconds: `40 ms`, `3.2 s`, `4 min`, `1 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

const stopReasons = {
  operator: 'its operator asked for it',
  'config file gone': 'its config file is gone',
  shutdown: 'Huddle is leaving',
} as const;

const info = (text: string): Sentence => ({ level: 'info', text });
const warn = (text: string): Sentence => ({ level: 'warn', text });
const error = (text: string): Sentence => ({ level: 'error', text });
const debug = (text: string): Sentence => ({ level: 'debug', text });

function short(revision: Revision): string {
  return revision.slice(0, 7);
}

function next(about: About): string {
  return about.tested ? 'testing' : 'deploying';
}

function newest(branch: string, tip: Revision, about: About): string {
  return `${branch} is at ${short(tip)}; ${next(about)}`;
}

type NewsOf<T extends News['type']> = Extract<News, { type: T }>;

function moved(news: NewsOf<'moved'>, about: About): string {
  if (news.from === null) return newest(news.branch, news.to, about);
  const commits = news.commits === null ? '' : news.commits === 1 ? '1 commit ' : `${news.commits} commits `;
  const authors = news.authors.length === 0 ? '' : `by ${list(news.authors)}`;
  const subject = news.subject === '' ? '' : `: "${news.subject}"`;
  const detail = `${commits}${authors}`.trim() + subject;
  const what = detail === '' ? '' : ` (${detail.replace(/^: /, '')})`;
  return `${news.branch} moved ${short(news.from)} → ${short(news.to)}${what}; ${next(about)}`;
}

function saved({ changes, commits }: NewsOf<'saved'>, { localPath }: About): string {
  const told = commits.map(
    ({ folder, ref }) =>
      `commits that the remote does not have are saved; to get back: git -C ${shellWord(folder)} branch NAME ${ref}`,
  );
  if (changes === null) return told.join('; ');
  const { ref, files } = changes;
  const what = files === 1 ? '1 file that was in the way is' : `${files} files that were in the way are`;
  return [`${what} saved; to get back: git -C ${shellWord(localPath)} checkout ${ref} -- .`, ...told].join('; ');
}

function deployed({ revision, from, seconds, downtime }: Omit<NewsOf<'deployed'>, 'type'>): string {
  const was = from === null ? '' : ` (was ${short(from)})`;
  const gap = downtime === 0 ? ', without a gap' : `, ${duration(downtime ?? 0)} of it without the program`;
  return `deployed ${short(revision)}${was} in ${duration(seconds)}${downtime === null ? '' : gap}`;
}

function rollingBack({ revision, to, failure }: NewsOf<'rolling back'>): Sentence {
  const what = `rolling back from ${short(revision)} to ${short(to)}`;
  return failure === null ? info(`${what}: ${stopReasons.operator}`) : warn(`${what}: ${because(failure)}`);
}

function stayed({ revision, at }: NewsOf<'stayed'>): string {
  if (revision === at) return `the new config is not accepted, and ${short(at)} runs on by the one before`;
  return `${short(revision)} is not accepted, and ${short(at)} runs on`;
}

function failed(failure: Failure, retryIn: number | null, end: string): Sentence {
  if (retryIn === null) return error(because(failure, end));
  return warn(because(failure, `next try ${inTime(retryIn)}`));
}

function exited(exit: Exit, ran: number, retryIn: number | null): Sentence {
  // Of a program that was taken over only its end can be seen.
  const how = exit.signal === null ? `with exit code ${exit.code ?? 'unknown'}` : `by ${exit.signal}`;
  const what = `program ended ${how} after ${duration(ran)}`;
  if (retryIn !== null) return warn(`${what}; starting it again ${inTime(retryIn)}`);
  return exit.code === 0 ? info(what) : warn(`${what}; not started again`);
}

function inTime(seconds: number): string {
  return seconds === 0 ? 'at once' : `in ${duration(seconds)}`;
}

/** `a`, `a and b`, `a, b and c`. */
function list(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

function untold(news: never): Sentence {
  return debug(`news without words: ${JSON.stringify(news)}`);
}
