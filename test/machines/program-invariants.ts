import type { AppConfig } from '../../machines/config.ts';
import type { Revision } from '../../machines/facts.ts';
import type { ProgramState } from '../../machines/protocol.ts';

// What must hold of a program whatever happens, stated apart from its machine: by what it is told, what becomes of its
// processes, and what it says. program-graph.test.ts holds every deed of every short life against it.

/** A process that is alive. Times are in milliseconds. */
export interface Life {
  readonly revision: Revision;
  readonly since: number;
  readonly isAdopted: boolean;
}

/**
 * One thing that was done: `begin a` (a process is wanted), `spawn a`, `gone a`, `failed a` (it could not be spawned),
 * `over` (nothing of it is left), what the program says (`program.accepted` …), and `rest` when all is quiet again.
 */
export interface Deed {
  readonly what: string;
  readonly at: number;
  /** Right after it. */
  readonly alive: readonly Life[];
  /** A process is wanted, or something of one is left. */
  readonly isBusy: boolean;
  /** As the program last said. */
  readonly state: ProgramState;
  readonly isWatching: boolean;
}

/** What was told to the program, or became of its process. */
export interface Word {
  readonly type: string;
  readonly at: number;
  readonly revision?: Revision;
  readonly config?: AppConfig;
  readonly code?: number;
}

/** What the past says about the present. */
export interface Past {
  readonly config: AppConfig;
  /** The revision that was last asked for. */
  readonly asked: Revision | null;
  /** It was told to run since it was last told to stop. */
  readonly isWanted: boolean;
  /** Why there will be an end to the process. */
  readonly cause: 'none' | 'asked' | 'exit' | 'sick';
  /** How it exited by itself. */
  readonly code: number | null;
  /** It has ended, and the config wants no other. */
  readonly isDone: boolean;
  readonly isHealthy: boolean;
  readonly begunAt: number;
  readonly endedAt: number;
  /** Ends in a row that nobody asked for. */
  readonly exits: number;
  /** What it said of what it was last told to run. */
  readonly accepted: number;
  readonly refused: number;
  /** The last event was the timer of a program given up. */
  readonly isRetry: boolean;
}

export const beginning = (config: AppConfig): Past => ({
  config,
  asked: null,
  isWanted: false,
  cause: 'none',
  code: null,
  isDone: false,
  isHealthy: false,
  begunAt: 0,
  endedAt: 0,
  exits: 0,
  accepted: 0,
  refused: 0,
  isRetry: false,
});

const anew = { exits: 0, accepted: 0, refused: 0, isWanted: true, isDone: false } as const;
const wanted = { ...anew, cause: 'asked' } as const;

/** The past, once a word has been heard. `before` is how things were when it came. */
export function heed(past: Past, word: Word, before: Deed): Past {
  const { type, config = past.config } = word;
  const isUp = before.alive.length > 0;
  const window = config.application.crashWindow * 1000;
  const isProven = isUp && past.cause === 'none' && word.at - past.begunAt >= window;
  const now: Past = { ...past, config, isRetry: type === 'timer retry', exits: isProven ? 0 : past.exits };
  const isRunnable = now.asked !== null && config.application.start !== null;
  const isServing = past.cause === 'none' || past.cause === 'exit';
  switch (type) {
    case 'start':
      return { ...now, ...wanted, asked: word.revision ?? null };
    case 'restart':
      return isRunnable ? { ...now, ...wanted } : now;
    case 'replace':
      // One that is being ended takes it as its next config.
      return isRunnable && (!before.isBusy || isServing) ? { ...now, ...wanted } : now;
    case 'configure':
      return past.isDone && config.application.restart === 'always' && past.code !== null ? { ...now, ...anew } : now;
    case 'stop':
    case 'kill':
      return { ...now, isWanted: false, cause: 'asked' };
    case 'exit':
      return { ...now, code: word.code ?? null, cause: past.cause === 'none' ? 'exit' : past.cause };
    case 'healthy':
      return { ...now, isHealthy: true };
    case 'unhealthy':
    case 'timer readyTimeout':
      return past.cause === 'none' ? { ...now, cause: 'sick' } : now;
    default:
      return now;
  }
}

/** The past, once a deed has been done. */
export function remember(past: Past, { what, at }: Deed): Past {
  switch (what.split(' ')[0]) {
    case 'begin':
      return { ...past, cause: 'none', code: null, isHealthy: false, begunAt: at };
    case 'failed':
      return past.cause === 'none' ? { ...past, cause: 'exit' } : past;
    case 'over':
      return ended(past, at);
    case 'program.accepted':
      return { ...past, accepted: past.accepted + 1 };
    case 'program.refused':
      return { ...past, refused: past.refused + 1 };
    default:
      return past;
  }
}

function ended(past: Past, at: number): Past {
  const { cause, code, config } = past;
  if (cause === 'asked') return { ...past, endedAt: at };
  const { restart } = config.application;
  const isDone = cause === 'exit' && (restart === 'never' || (restart === 'on failure' && code === 0));
  return { ...past, endedAt: at, isDone, exits: isJobDone(past) ? past.exits : past.exits + 1 };
}

/** It exited with 0 by itself, and that is all that was wanted of it. */
const isJobDone = ({ cause, code, config }: Past) =>
  cause === 'exit' && code === 0 && config.application.restart !== 'always';

interface Invariant {
  readonly title: string;
  /** `past` is what was before the deed. */
  readonly isBroken: (deed: Deed, past: Past) => boolean;
}

const is = ({ what }: Deed, verb: string) => what === verb || what.startsWith(`${verb} `);
const isAsked = ({ cause, isRetry, exits }: Past) => cause === 'asked' || isRetry || exits === 0;

const invariants: readonly Invariant[] = [
  {
    title: 'never are two processes alive, nor one begun while something of another is left',
    isBroken: ({ alive, what }) => alive.length > 1 || what.startsWith('second'),
  },
  {
    title: 'after a stop nothing is begun until it is told to run',
    isBroken: (deed, { isWanted }) => is(deed, 'begin') && !isWanted,
  },
  {
    title: 'what has done its job is not begun again',
    isBroken: (deed, { isDone }) => is(deed, 'begin') && isDone,
  },
  {
    title: 'only the revision that was last asked for is begun',
    isBroken: (deed, { asked }) => is(deed, 'begin') && deed.what !== `begin ${asked}`,
  },
  {
    title: 'it is down only when nothing of it is left',
    isBroken: (deed) =>
      (is(deed, 'program.down') || ['down', 'backing off', 'given up'].includes(deed.state)) &&
      (deed.isBusy || deed.alive.length > 0) &&
      !is(deed, 'begin'),
  },
  {
    title: 'it says that it is down only when it was told to stop',
    isBroken: (deed, { isWanted }) => is(deed, 'program.down') && isWanted,
  },
  {
    title: 'it is accepted only after it has settled and answered its watchdog, or has done its job, or was taken over',
    isBroken: (deed, past) => {
      if (!is(deed, 'program.accepted')) return false;
      if (isJobDone(past)) return deed.isBusy;
      const [life] = deed.alive;
      if (life === undefined || past.cause !== 'none') return true;
      const { application, watchdog } = past.config;
      const isSettled = deed.at - life.since >= application.settle * 1000;
      return !life.isAdopted && !(isSettled && (watchdog === null || past.isHealthy));
    },
  },
  {
    title: 'it is accepted once, refused once, and never refused after it was accepted',
    isBroken: (deed, { accepted, refused }) =>
      (is(deed, 'program.accepted') && accepted > 0) || (is(deed, 'program.refused') && accepted + refused > 0),
  },
  {
    title: 'it is refused only after two ends, or one that was sick or is the last',
    isBroken: (deed, { cause, exits, config: { application } }) =>
      is(deed, 'program.refused') &&
      cause !== 'sick' &&
      exits < Math.min(2, application.crashLimit) &&
      application.restart !== 'never',
  },
  {
    title: 'it is given up only after as many ends in a row as its crash limit says',
    isBroken: (deed, { exits, config }) => is(deed, 'program.gaveUp') && exits < config.application.crashLimit,
  },
  {
    title: 'it is not begun again by itself once it has reached its crash limit',
    isBroken: (deed, past) => is(deed, 'begin') && !isAsked(past) && past.exits >= past.config.application.crashLimit,
  },
  {
    title: 'after a refusal, and after its second end in a row, it waits for a second at least',
    isBroken: (deed, past) =>
      is(deed, 'begin') &&
      !isAsked(past) &&
      (past.exits > 1 || past.refused > past.accepted) &&
      deed.at - past.endedAt < 1000,
  },
  {
    title: 'it is called up only when it was accepted, and lives',
    isBroken: (deed, { accepted, cause }) =>
      is(deed, 'rest') && deed.state === 'up' && (accepted === 0 || (deed.alive.length === 0 && cause === 'none')),
  },
  {
    title: 'a program that is wanted is not left down',
    isBroken: (deed, { isWanted, isDone }) => is(deed, 'rest') && deed.state === 'down' && isWanted && !isDone,
  },
  {
    title: 'a program that is not wanted is on its way down',
    isBroken: (deed, { isWanted }) => is(deed, 'rest') && !isWanted && !['down', 'stopping'].includes(deed.state),
  },
  {
    title: 'its watchdog looks while a process is in charge, and never else',
    isBroken: (deed, { cause, config }) => {
      if (!is(deed, 'rest') || cause === 'exit') return false;
      const isInCharge = deed.alive.length > 0 && deed.state !== 'stopping' && config.watchdog !== null;
      return deed.isWatching !== isInCharge;
    },
  },
];

/** The titles of what a deed breaks. */
export function broken(deed: Deed, past: Past): string[] {
  return invariants.filter(({ isBroken }) => isBroken(deed, past)).map(({ title }) => title);
}
