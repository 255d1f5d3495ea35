import type { Failure } from '../../machines/failure.ts';
import type { Facts, HistoryEntry } from '../../machines/facts.ts';
import type { Side } from '../../machines/protocol.ts';
import { faultPoint } from '../fault.ts';
import { attemptsAt } from './attempts.ts';
import { makeDurable, replaceFile } from './durable.ts';
import { openHistory } from './history.ts';
import { mustStand } from './paths.ts';
import type { AppPaths } from './paths.ts';
import { readPrograms, writePrograms } from './program-file.ts';
import type { ProgramRecord, Programs } from './program-file.ts';
import { readState, stateText } from './state-file.ts';

export { noPrograms } from './program-file.ts';
export type { ProgramRecord, Programs } from './program-file.ts';

/**
 * What one app must know after a crash, on disk and in memory. A disk that refuses never stops an app: what could not be
 * written is kept in memory, the operator is told once, and it is tried again until it goes well, which is told too.
 */
export interface AppLedger {
  readonly facts: Facts;
  /** The process of each side. */
  readonly programs: Programs;
  /** That of the revision in charge; null: none is up. */
  readonly program: ProgramRecord | null;
  /** What keeps it off the disk; null: nothing does. */
  readonly trouble: Failure | null;
  /**
   * Takes new facts: `facts` shows them at once. Resolves to null when they are on disk, or to the failure (`disk-full`
   * and the like) that keeps them in memory only: an intent must not be acted upon then, an outcome may be. Never rejects.
   */
  remember(patch: Partial<Facts>): Promise<Failure | null>;
  /** Whether the working copy may have been changed without having reached the disk. */
  readonly isUnsynced: boolean;
  /** The working copy is on disk. Resolves as `remember` does. */
  rememberSynced(): Promise<Failure | null>;
  /** The process of one side; null: it has none. Safe against a kill of Huddle when it returns; see `writePrograms`. */
  rememberProgram(record: ProgramRecord | null, side?: Side): Failure | null;
  /** All that is known of both at once. */
  rememberPrograms(programs: Programs): Failure | null;
  /** Adds to the history. Resolves as `remember` does. */
  append(entry: HistoryEntry): Promise<Failure | null>;
  /**
   * Writes everything anew: to learn whether it could be, or because its folder is another; of the history what is known by
   * heart. Resolves as `remember`, by the facts.
   */
  rewrite(): Promise<Failure | null>;
  /** The newest entries, newest first. Rejects with a `Failure` where the file cannot be read. */
  history(limit: number): Promise<readonly HistoryEntry[]>;
  /** Resolves when nothing is being written any more. */
  flush(): Promise<void>;
  /** Nothing is written once this has resolved, whatever is remembered or comes round again: another Huddle may have the files. */
  close(): Promise<void>;
}

export interface AppLedgerOptions {
  /** Told of what goes wrong, a line without the app's name. */
  readonly warn: (text: string) => void;
  /** Tells this boot of the machine from all others. */
  readonly bootId: string;
  /** What the marks of the app's own processes begin with: see `readProgram`. */
  readonly marks: string;
}

/**
 * Opens the ledger of an app: two small reads, under a millisecond. What is damaged is set aside with a warning; never
 * throws. `warn` gets a line without the app's name.
 */
export function openAppLedger(paths: AppPaths, { warn, bootId, marks }: AppLedgerOptions): AppLedger {
  const state = readState(paths, warn);
  let { unsynced } = state;
  let facts = unsynced === null || unsynced === bootId ? state.facts : afterPowerCut(state.facts);
  let programs = readPrograms(paths.program, marks, warn);
  let written = stateText(state);
  const history = openHistory(paths, { warn, untold: state.untold });
  const stateAttempts = attemptsAt(paths.state, { warn, again: () => void save() });
  const programAttempts = attemptsAt(paths.program, { warn, again: () => void saveProgram() });

  /** What is in the file outlasts a power cut, too: only then may it become the old one that is kept. */
  let isDurable = true;
  let isClosed = false;

  const settle = oneAtATime(async () => {
    const text = written;
    const outcome = await stateAttempts.of(makeDurable(paths.state));
    faultPoint('ledger.state.durable');
    if (text === written) isDurable = outcome === null;
    return outcome;
  });

  /** A kill right after this finds the new facts; a power cut does once it has resolved. */
  function save(): Promise<Failure | null> {
    if (isClosed) return Promise.resolve(stateAttempts.failure);
    const text = stateText({ facts, unsynced, untold: history.waiting.slice(-mostUntold) });
    if (text !== written) {
      try {
        mustStand(paths);
        faultPoint('ledger.state.before');
        replaceFile(paths.state, text, isDurable ? paths.oldState : undefined);
        faultPoint('ledger.state.after');
      } catch (error) {
        return Promise.resolve(stateAttempts.settle(error));
      }
      written = text;
      isDurable = false;
    }
    return isDurable ? Promise.resolve(stateAttempts.settle(null)) : settle();
  }

  function saveProgram(): Failure | null {
    if (isClosed) return programAttempts.failure;
    try {
      if (programs.blue !== null || programs.green !== null) mustStand(paths);
      writePrograms(paths.program, programs);
      return programAttempts.settle(null);
    } catch (error) {
      return programAttempts.settle(error);
    }
  }

  return {
    get facts() {
      return facts;
    },
    get programs() {
      return programs;
    },
    get program() {
      const known = [programs.blue, programs.green].filter((record) => record !== null);
      return known.find(({ revision }) => revision === facts.current) ?? known[0] ?? null;
    },
    get isUnsynced() {
      return unsynced !== null;
    },
    remember(patch) {
      if (patch.pulling && patch.pulling !== facts.pulling) unsynced = bootId;
      facts = { ...facts, ...patch };
      return save();
    },
    rememberSynced() {
      unsynced = null;
      return save();
    },
    get trouble() {
      return stateAttempts.failure ?? history.trouble ?? programAttempts.failure;
    },
    rememberProgram(record, side = 'blue') {
      programs = { ...programs, [side]: record };
      return saveProgram();
    },
    rememberPrograms(known) {
      programs = known;
      return saveProgram();
    },
    rewrite() {
      written = '';
      saveProgram();
      void history.rewrite();
      return save();
    },
    append: (entry) => history.append(entry),
    history: (limit) => history.read(limit),
    async flush() {
      await Promise.all([save(), history.flush()]);
    },
    async close() {
      isClosed = true;
      await history.close();
    },
  };
}

/** Entries of the history that facts take along until they are in its own file. */
const mostUntold = 20;

/** A tree that had not reached the disk is one that was being pulled: it has to be made whole before anything runs. */
function afterPowerCut(facts: Facts): Facts {
  return { ...facts, pulling: facts.pulling ?? facts.current };
}

/**
 * Never runs `work` twice at a time: whoever asks while it runs shares the one run after it, which sees the newest
 * state. `work` must not reject.
 */
function oneAtATime<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let current: Promise<Result> | null = null;
  let following: Promise<Result> | null = null;

  function begin(): Promise<Result> {
    following = null;
    current = run();
    return current;
  }
  async function run(): Promise<Result> {
    const result = await work();
    if (following === null) current = null;
    return result;
  }
  return () => {
    if (current === null) return begin();
    following ??= current.then(begin);
    return following;
  };
}
