/** The test files that run under wine: none of them needs git, a shell of POSIX, or a signal. */
export const testFiles: readonly string[] = [
  'test/config/json-schema.test.ts',
  'test/config/mistakes.test.ts',
  'test/config/read.test.ts',
  'test/config/remote.test.ts',
  'test/platform/mac.test.ts',
  'test/platform/running.test.ts',
  'test/platform/windows.test.ts',
  'test/process/everywhere.test.ts',
  'test/process/gate.test.ts',
  'test/ledger/app-ledger.test.ts',
  'test/control/client.test.ts',
  'test/control/feed.test.ts',
  'test/control/prose.test.ts',
  'test/control/server.test.ts',
  'test/control/status.test.ts',
  'test/cli/act.test.ts',
  'test/cli/completion.test.ts',
  'test/cli/front.test.ts',
  'test/cli/huddle.test.ts',
  'test/cli/status.test.ts',
  'test/cli/table.test.ts',
  'test/machines/policy.test.ts',
  'test/machines/process.test.ts',
  'test/machines/program.test.ts',
];

const onTerminal = ['on a terminal', 'at Ctrl-C', 'within the terminal’s width'];
const namesPosixPath = [
  'no Huddle runs, and how',
  'where none is running',
  'Huddle ends before they are done',
  'commands that reach this Huddle',
  'commands that lead to the same Huddle',
  'the folder and the state that were given',
];

/** Of these files, the tests that say what holds elsewhere only, by parts of their titles. */
export const elsewhere: Readonly<Record<string, readonly string[]>> = {
  // They expect absolute paths as POSIX has them.
  'test/config/read.test.ts': [
    'is what the contract says',
    'can be written as an empty text',
    'loads as (?:JSON|INI)',
    'arrives where the machines look',
    'says the same (?:in INI|with every number)',
    'start at DIR or at home',
  ],
  // Names that no file can have there.
  'test/config/mistakes.test.ts': ['"a:b\\.json"', String.raw`"a\\\\b\.json"`],
  // Modes of files, and what an unwritable folder does.
  'test/ledger/app-ledger.test.ts': ['for nobody else to read', 'to be written to at all'],
  'test/control/client.test.ts': ['says that it may not', 'which command starts one'],
  // A pipe is no file, nor is there a limit of descriptors: it has no mode, is gone with its process, and cannot stand in the way.
  'test/control/server.test.ts': [
    'opened by its owner alone',
    'the place of a dead',
    'never takes a socket',
    'without descriptors',
  ],
  'test/cli/act.test.ts': [...onTerminal, ...namesPosixPath],
  'test/cli/huddle.test.ts': onTerminal,
  'test/cli/status.test.ts': [...onTerminal, ...namesPosixPath, 'its reader has seen enough', 'cannot be written'],
};
