import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Scene } from '../../e2e/harness.ts';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../../..');

/** What is built and packed; a build in the checkout itself would be under the feet of other tests. */
const sources = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'machines', 'src'];

/**
 * Builds and packs Huddle, and installs the package beside what it depends on in an otherwise empty folder of the stage;
 * the path of its command.
 */
export async function installed({ root }: Scene): Promise<string> {
  const [tree, place] = [join(root, 'tree'), join(root, 'installed')];
  await mkdir(join(place, 'node_modules/huddle'), { recursive: true });
  for (const path of sources) await cp(join(project, path), join(tree, path), { recursive: true });
  await symlink(join(project, 'node_modules'), join(tree, 'node_modules'));
  await run(join(project, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], { cwd: tree });
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
