import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative, sep } from 'node:path';
import { suite, test } from 'node:test';

// Who may import whom (ARCHITECTURE.md, 'Folders'), and what only some may do.

/** What every part may know of the machines: plain data and plain functions, never a machine. */
const facts = ['failure', 'config', 'facts', 'slots', 'news', 'protocol', 'policy'].map(
  (name) => `machines/${name}.ts`,
);

interface Part {
  /** Path prefixes; a part may always import itself. The first part that matches a file is the file's. */
  readonly files: readonly string[];
  /** Path prefixes that it may import. */
  readonly may: readonly string[];
  /** Path prefixes whose types, but not values, it may import. */
  readonly types?: readonly string[];
}

const adapters = folders('config git process health logs ledger');
const control = folders('control observe');

const parts: readonly Part[] = [
  { files: ['machines/'], may: [] },
  // Everything in which one operating system differs from another.
  { files: ['src/platform/'], may: ['machines/failure.ts'] },
  // Where a test may have Huddle killed.
  { files: ['src/fault.ts', 'src/clock.ts'], may: [] },
  { files: ['src/ledger/'], may: [...facts, 'src/platform/', 'src/fault.ts'] },
  { files: ['src/config/'], may: [...facts, 'machines/doors.ts', 'src/ledger/paths.ts'] },
  { files: ['src/logs/'], may: [...facts, 'src/platform/', 'src/ledger/paths.ts'] },
  { files: ['src/process/'], may: [...facts, 'src/platform/', 'src/ledger/paths.ts', 'src/fault.ts'] },
  { files: ['src/git/'], may: [...facts, 'src/platform/', 'src/ledger/paths.ts', 'src/fault.ts'] },
  { files: ['src/proxy/'], may: [...facts, 'src/platform/', 'src/ledger/paths.ts'] },
  { files: ['src/health/'], may: [...facts, 'src/ledger/paths.ts', 'src/process/command.ts', 'src/process/get.ts'] },
  {
    files: ['src/control/'],
    may: [...facts, 'src/platform/', 'src/ledger/paths.ts', 'src/logs/follow.ts'],
    types: ['machines/'],
  },
  // Runs in a browser: nothing else of Huddle is there.
  { files: ['src/observe/dashboard/page/'], may: [] },
  { files: ['src/observe/'], may: facts, types: ['machines/', 'src/control/'] },
  { files: ['src/version.ts'], may: [] },
  // What the slots of the machines do, put together from the adapters: wire.ts fills the slots with it.
  {
    files: ['src/effects/'],
    may: [...facts, 'src/clock.ts', 'src/fault.ts', ...folders('git process health logs ledger proxy')],
  },
  { files: ['src/wire.ts'], may: ['machines/', 'src/effects/', ...adapters, ...control] },
  // How a running app looks from outside.
  { files: ['src/view.ts'], may: ['machines/', 'src/clock.ts', ...control] },
  {
    files: [
      'src/daemon.ts',
      'src/doors.ts',
      'src/memory.ts',
      'src/stop-folder.ts',
      'src/source.ts',
      'src/orders.ts',
      'src/configs.ts',
    ],
    may: [
      ...facts,
      'machines/order.ts',
      'machines/policy.ts',
      'src/source.ts',
      'src/orders.ts',
      'src/configs.ts',
      'src/doors.ts',
      'src/stop-folder.ts',
      'src/version.ts',
      'src/wire.ts',
      'src/view.ts',
      'src/clock.ts',
      'src/fault.ts',
      ...folders('effects config logs ledger process'),
      ...control,
    ],
    types: ['machines/'],
  },
  {
    files: ['src/cli/run.ts', 'src/cli/stop-all.ts'],
    may: [
      'machines/failure.ts',
      'src/cli/',
      'src/control/client.ts',
      'src/control/link.ts',
      'src/ledger/paths.ts',
      'src/config/',
      'src/daemon.ts',
      'src/stop-folder.ts',
    ],
    types: ['machines/'],
  },
  {
    files: ['src/cli/'],
    may: [
      'machines/failure.ts',
      'src/control/client.ts',
      'src/control/prose.ts',
      'src/control/paste.ts',
      'src/platform/shell-word.ts',
      'src/control/link.ts',
      'src/control/tcp-address.ts',
      'src/control/token.ts',
      'src/control/secret.ts',
      'src/ledger/paths.ts',
      'src/ledger/history.ts',
      'src/config/',
      'src/logs/follow.ts',
    ],
    types: ['machines/', 'src/control/'],
  },
  { files: ['src/huddle.cjs'], may: ['src/cli/'] },
];

function folders(names: string): string[] {
  return names.split(' ').map((name) => `src/${name}/`);
}

/** Packages that a part may import besides Node's own modules; a part without a line may import any. */
const packages: Readonly<Record<string, readonly string[]>> = {
  'machines/': ['xstate'],
  'src/observe/dashboard/page/': ['preact', 'preact/hooks', 'htm'],
};

const longest = 300;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Every module that a source names: static, dynamic, re-exported, required, in a type. */
function importsOf(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  const statement = /^[ \t]*(?:import|export)\s+(type\s+)?([^;'"`()=]*?)\s*\bfrom\s*['"]([^'"]+)['"]/gm;
  for (const [, type, names = '', specifier = ''] of code.matchAll(statement)) {
    found.push({ specifier, typeOnly: type !== undefined || onlyTypes(names) });
  }
  for (const [, specifier = ''] of code.matchAll(/^[ \t]*import\s*['"]([^'"]+)['"]/gm)) {
    found.push({ specifier, typeOnly: false });
  }
  for (const [, specifier = ''] of code.matchAll(/\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g)) {
    found.push({ specifier, typeOnly: false });
  }
  return found;
}

function onlyTypes(names: string): boolean {
  const inner = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  const each = inner?.split(',').map((name) => name.trim()) ?? [];
  const named = each.filter((name) => name !== '');
  return named.length > 0 && named.every((name) => name.startsWith('type '));
}

/** Comments blanked, strings left: what a comment says is not done by the code. */
function withoutComments(source: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return source.replace(token, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match));
}

/** Every file of `machines/` and `src/` under a root, with what is wrong with it; empty when all is well. */
function violations(root: string): string[] {
  const files = sourcesOf(root);
  const found: string[] = [];
  const edges = new Map<string, string[]>();
  for (const file of files) {
    const source = readFileSync(join(root, file), 'utf8');
    const imports = importsOf(source);
    const siblings = imports.filter(({ specifier }) => specifier.startsWith('.'));
    edges.set(
      file,
      siblings.map(({ specifier }) => posix.join(posix.dirname(file), specifier)),
    );
    found.push(...imports.flatMap((each) => forbidden(file, each)), ...misdeeds(file, source));
  }
  return [...found, ...cycles(edges)];
}

function sourcesOf(root: string): string[] {
  return ['machines', 'src']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(ts|js|mjs|cjs)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .toSorted();
}

function forbidden(file: string, { specifier, typeOnly }: Import): string[] {
  const part = parts.find(({ files }) => files.some((prefix) => file.startsWith(prefix)));
  if (part === undefined) return [`${file}: belongs to no part of the table`];
  if (!specifier.startsWith('.')) {
    const allowed = Object.entries(packages).find(([prefix]) => file.startsWith(prefix))?.[1];
    return allowed === undefined || allowed.includes(specifier) ? [] : [`${file}: may not import ${specifier}`];
  }
  const target = posix.join(posix.dirname(file), specifier);
  const within = (prefix: string) => target.startsWith(prefix);
  if (part.files.some(within) || part.may.some(within) || (typeOnly && part.types?.some(within) === true)) return [];
  return [`${file}: may not import ${target}`];
}

function misdeeds(file: string, source: string): string[] {
  const code = withoutComments(source);
  const found: string[] = [];
  if (file.startsWith('machines/')) {
    const impure = /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)|\bMath\s*\.\s*random\b|\bconsole\s*[.[]/.exec(code);
    if (impure !== null) found.push(`${file}: a machine may not use ${impure[0]}`);
  }
  if (!file.startsWith('src/cli/') && file !== 'src/huddle.cjs') {
    const exits =
      /\bprocess\s*\.\s*(?:exit|reallyExit|abort)\b|\{[^}]*\bexit\b[^}]*\}\s*from\s*['"](?:node:)?process['"]/;
    if (exits.test(code)) found.push(`${file}: only src/cli exits the process`);
  }
  const lines = source.split('\n').length - 1;
  if (file.startsWith('src/') && lines > longest) found.push(`${file}: ${lines} lines, more than ${longest}`);
  return found;
}

/** Each ring of imports once, from its first file in alphabetical order. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Map<string, string>();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start !== -1) {
      const ring = path.slice(start);
      found.set(ring.toSorted().join(' '), `cycle: ${[...ring, file].join(' → ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return [...found.values()];
}

suite('Layers', () => {
  test('nothing in machines/ or src/ imports or does what its part may not', () => {
    assert.deepEqual(violations(join(import.meta.dirname, '..')), []);
  });

  test('every part of the table names files that exist', () => {
    const files = sourcesOf(join(import.meta.dirname, '..'));
    const absent = parts
      .flatMap((part) => part.files)
      .filter((prefix) => !files.some((file) => file.startsWith(prefix)));
    // What later issues build: src/observe.
    assert.deepEqual(
      absent.filter((prefix) => prefix !== 'src/observe/'),
      [],
    );
  });
});

suite('The checker of the layers', () => {
  const sound = {
    'machines/failure.ts': 'export class Failure extends Error {}\n',
    'machines/app.ts': "import { setup } from 'xstate';\nimport { Failure } from './failure.ts';\n",
    'src/ledger/paths.ts': "import { join } from 'node:path';\n",
    'src/process/command.ts': "import { Failure } from '../../machines/failure.ts';\n",
    'src/health/probe.ts': "import { run } from '../process/command.ts';\n",
    'src/control/client.ts': "import type { AppState } from '../../machines/app.ts';\n",
    'src/wire.ts': "import { app } from '../machines/app.ts';\nimport { probe } from './health/probe.ts';\n",
    'src/daemon.ts': "import { wire } from './wire.ts';\n",
    'src/cli/run.ts': "export const run = () => import('../daemon.ts');\n",
    'src/cli/main.ts':
      "import './run.ts';\nprocess.exit(0);\n// process.exit in a comment, import('../daemon.ts') too\n",
    'src/huddle.cjs': "import('./cli/main.ts');\nprocess.exit(78);\n",
  };

  test('finds nothing wrong with a sound tree', () => {
    assert.deepEqual(check(sound), []);
  });

  const faults: readonly [title: string, file: string, source: string, expected: RegExp][] = [
    ['a machine that imports Node', 'machines/a.ts', "import { join } from 'node:path';\n", /may not import node:path/],
    [
      'a machine that imports src',
      'machines/a.ts',
      "import type { X } from '../src/wire.ts';\n",
      /may not import src\/wire/,
    ],
    [
      'a machine that reads the clock',
      'machines/a.ts',
      'export const now = () => Date.now();\n',
      /may not use Date\.now/,
    ],
    [
      'a machine that makes a date of now',
      'machines/a.ts',
      'export const now = () => new Date();\n',
      /may not use new Date/,
    ],
    ['a machine that draws lots', 'machines/a.ts', 'export const lot = Math.random;\n', /may not use Math\.random/],
    ['a machine that prints', 'machines/a.ts', "console.log('up');\n", /may not use console/],
    [
      'an adapter that imports another',
      'src/git/a.ts',
      "import { run } from '../process/command.ts';\n",
      /git\/a\.ts: may not/,
    ],
    ['an adapter that imports a machine', 'src/git/a.ts', "import { app } from '../../machines/app.ts';\n", /may not/],
    ['a re-export', 'src/config/a.ts', "export * from '../git/client.ts';\n", /may not import src\/git/],
    [
      'a type import over several lines',
      'src/logs/a.ts',
      "import type {\n  A,\n  B,\n} from '../git/client.ts';\n",
      /may not/,
    ],
    ['a type in place', 'src/logs/a.ts', "type A = import('../git/client.ts').A;\n", /may not import src\/git/],
    ['a dynamic import', 'src/control/a.ts', "const a = await import('../wire.ts');\n", /may not import src\/wire/],
    ['a machine run by the control', 'src/control/a.ts', "import { app } from '../../machines/app.ts';\n", /may not/],
    [
      'a verb that imports the daemon',
      'src/cli/status.ts',
      "import { daemon } from '../daemon.ts';\n",
      /may not import src\/daemon/,
    ],
    ['a value beside a type', 'src/cli/a.ts', "import { type A, b } from '../control/server.ts';\n", /may not import/],
    ['a file outside every part', 'src/utils.ts', "import 'node:fs';\n", /no part/],
    ['an exit outside the command', 'src/git/a.ts', 'process.exit(1);\n', /only src\/cli exits/],
    ['an exit under another name', 'src/git/a.ts', "import { exit } from 'node:process';\n", /only src\/cli exits/],
    ['a long file', 'src/git/a.ts', '// line\n'.repeat(301), /301 lines/],
    [
      'a file that imports itself',
      'src/git/a.ts',
      "import { a } from './a.ts';\n",
      /cycle: src\/git\/a\.ts → src\/git\/a\.ts/,
    ],
  ];
  for (const [title, file, source, expected] of faults) {
    test(`catches ${title}`, () => {
      const found = check({ ...sound, [file]: source });
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }

  test('catches a ring of three, type imports included, and names it once', () => {
    const found = check({
      ...sound,
      'src/git/a.ts': "import type { B } from './b.ts';\n",
      'src/git/b.ts': "import { c } from './c.ts';\n",
      'src/git/c.ts': "export { a } from './a.ts';\n",
    });
    assert.deepEqual(found, ['cycle: src/git/a.ts → src/git/b.ts → src/git/c.ts → src/git/a.ts']);
  });

  function check(tree: Readonly<Record<string, string>>): string[] {
    const root = mkdtempSync(join(tmpdir(), 'huddle-layers-'));
    try {
      for (const [file, source] of Object.entries(tree)) {
        mkdirSync(dirname(join(root, file)), { recursive: true });
        writeFileSync(join(root, file), source);
      }
      return violations(root);
    } finally {
      rmSync(root, { recursive: true });
    }
  }
});
