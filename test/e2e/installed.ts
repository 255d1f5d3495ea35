import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Scene } from './harness.ts';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../..');

/** What is packed; a build in the checkout itself would be under the feet of other tests. */
const sources = ['package.json', 'tsconfig.json', 'rolldown.config.ts', 'machines', 'src'];

/** Whether `npm test` has just built what there is: not where a file is tested by itself after an edit. */
function isBuilt(): boolean {
  const built = join(project, 'dist/cli/main.js');
  if (!existsSync(built)) return false;
  const { mtimeMs } = statSync(built);
  const inFolders = ['machines', 'src'].flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map((path) =>
      join(project, folder, path),
    ),
  );
  const files = [...inFolders, ...['rolldown.config.ts', 'package.json'].map((file) => join(project, file))];
  return files.every((path) => statSync(path).mtimeMs < mtimeMs);
}

/** A file of the sources as another version has it. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Packs Huddle, or another version of it, and installs the package beside what it depends on in an otherwise empty folder
 * of the stage, in the stead of one that is there; the path of its command.
 */
export async function installed({ root }: Scene, edit: Edit | null = null): Promise<string> {
  const [tree, place] = [join(root, 'tree'), join(root, 'installed')];
  await Promise.all([tree, place].map((folder) => rm(folder, { recursive: true, force: true })));
  await mkdir(join(place, 'node_modules/huddle'), { recursive: true });
  for (const path of sources) await cp(join(project, path), join(tree, path), { recursive: true });
  await symlink(join(project, 'node_modules'), join(tree, 'node_modules'));
  if (edit) await change(join(tree, edit.file), edit);
  if (isBuilt() && !edit) await cp(join(project, 'dist'), join(tree, 'dist'), { recursive: true });
  else await run(join(project, 'node_modules/.bin/rolldown'), ['-c'], { cwd: tree });
  await run('npm', ['pack', '--ignore-scripts', '--workspaces=false', '--pack-destination', root], { cwd: tree });
  const { name, version, dependencies } = JSON.parse(await readFile(join(tree, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const archive = join(root, `${name}-${version}.tgz`);
  await run('tar', ['-xzf', archive, '-C', join(place, 'node_modules/huddle'), '--strip-components=1']);
  for (const dependency of Object.keys(dependencies)) {
    const path = join(place, 'node_modules', dependency);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(project, 'node_modules', dependency), path);
  }
  return join(place, 'node_modules/huddle/src/huddle.cjs');
}

async function change(path: string, { from, to }: Edit): Promise<void> {
  const text = await readFile(path, 'utf8');
  assert.equal(text.split(from).length, 2, `${path}: ${from}`);
  await writeFile(path, text.replace(from, to));
}

/** Starts an installed Huddle on the folder of the stage, with which it ends. */
export function startInstalled(command: string, stage: Scene, ...args: readonly string[]): void {
  spawn(process.execPath, [command, '-c', stage.dir, ...args], { env: stage.environment(), stdio: 'ignore' });
}

/** Runs a verb of an installed Huddle; what it printed, or null where it failed. */
export async function askInstalled(command: string, stage: Scene, verb: string): Promise<string | null> {
  const asked = run(process.execPath, [command, verb, '-c', stage.dir], { env: stage.environment() });
  return await asked.then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}
