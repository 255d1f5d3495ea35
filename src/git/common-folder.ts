import { createHash } from 'node:crypto';
import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../machines/failure.ts';
import { runGit } from './client.ts';
import { credentialConfig } from './credentials.ts';
import { ownFolder, type GitRepository } from './repository.ts';
import { runScript } from './script.ts';

/*
 * How the working copy's own config is kept out
 *
 * git can be told to take all that is not of one work tree alone (objects, refs, config, hooks, info) from another
 * folder, `GIT_COMMON_DIR`. Huddle's is `huddle/common` in the git directory: its objects, refs and the like are links
 * to the working copy's own, its `config` is written by Huddle. So git works on the real repository and never opens
 * `.git/config`, `config.worktree`, `info/attributes`, `hooks` or `remotes`: no filter, `core.sshCommand`, `insteadOf`,
 * `uploadpack`, `include` or alias in there has any effect, those of git versions to come included, and nobody has to
 * know them by name. The config of the user and of the system is read as ever. A twin, `huddle/raw`, has attributes on
 * top that switch every conversion off: what is saved is saved byte for byte.
 */

// What must be known of the real config, because it says how the repository on disk is made.
const carried =
  /^(?:core\.(?:filemode|symlinks|ignorecase|precomposeunicode|sharedrepository)|extensions\.objectformat)$/;
const carriedLine = /^(?:\[(?:core|extensions)\]|\t[a-z]+ = [a-z0-9]+)$/;
// Extensions that change nothing for Huddle, because it passes by what they switch on.
const harmless = /^extensions\.(?:objectformat|worktreeconfig|noop|partialclone|preciousobjects|relativeworktrees)$/;

/** The real config as `key → values`, or null where git cannot read it. Keys are lower case but for their middle. */
export type RealConfig = ReadonlyMap<string, readonly string[]>;

/**
 * Whether Huddle's folder stands as it should for this place and the real config has not changed since: then nothing
 * needs to be looked at, and no process is started.
 */
export async function isEntered(repository: GitRepository): Promise<boolean> {
  const text = await readFile(join(ownFolder(repository.gitDir), 'common/config'), 'utf8').catch(() => '');
  const [head, rest] = splitAt(text, text.indexOf('\n') + 1);
  const fixed = fixedConfig(repository);
  if (head !== (await stamp(repository, rest)) || !rest.startsWith(fixed)) return false;
  if ((await lstat(join(ownFolder(repository.gitDir), 'common/shallow')).catch(() => null)) === null) return false;
  return rest
    .slice(fixed.length)
    .split('\n')
    .every((line) => line === '' || carriedLine.test(line));
}

/**
 * The working copy's config may have been edited since it was opened: then what is carried of it is read again. Fails with
 * `directory-missing` when the working copy has gone.
 */
export async function ready(repository: GitRepository): Promise<void> {
  if (await isEntered(repository)) return;
  if ((await lstat(repository.gitDir).catch(() => null)) === null) throw gone(repository);
  await enter(repository, (await readRealConfig(repository)) ?? new Map());
}

/** Makes Huddle's folder in the git directory as this place needs it; `real` is what the working copy's config says. */
export async function enter(repository: GitRepository, real: RealConfig): Promise<void> {
  refuseUnknown(repository, real);
  const rest = fixedConfig(repository) + carriedConfig(real);
  await runScript(repository, makeFolder, [repository.gitDir], (await stamp(repository, rest)) + rest);
}

/** Reads the working copy's config as a file, includes not followed. Null: it is damaged. */
export async function readRealConfig(repository: GitRepository): Promise<RealConfig | null> {
  const argv = ['config', '--file', join(repository.gitDir, 'config'), '--no-includes', '--null', '--list'];
  const { code, stdout } = await runGit(repository, argv, { nowhere: true, answers: [1, 3, 128] });
  if (code !== 0) return null;
  const config = new Map<string, string[]>();
  for (const entry of stdout.toString().split('\0').filter(Boolean)) {
    const [key, value] = splitAt(entry, entry.indexOf('\n'));
    config.set(key, [...(config.get(key) ?? []), value.slice(1)]);
  }
  return config;
}

/** To be called when a shallow clone has become a whole one: git has then unlinked the link, and not the file. */
export async function relinkShallow(repository: GitRepository): Promise<void> {
  await runScript(repository, `cd "$1"; ${dropShallow}; ln -sfn ../../shallow huddle/common/shallow`, [
    repository.gitDir,
  ]);
}

const dropShallow = 'if [ -f huddle/common/config ] && [ ! -L huddle/common/shallow ]; then rm -f shallow; fi';

const makeFolder = `
cd "$1"
${dropShallow}
mkdir -p huddle/common/info huddle/raw/info huddle/broken objects/info objects/pack refs/heads logs
set -- ../../objects ../../refs ../../packed-refs ../../logs ../../shallow ../../worktrees
ln -sfn "$@" huddle/common
ln -sfn "$@" ../common/config huddle/raw
echo '* -text -ident -filter -working-tree-encoding' > huddle/raw/info/attributes
umask 077
cat > huddle/common/config.new
mv -f huddle/common/config.new huddle/common/config
`;

async function stamp({ gitDir }: GitRepository, rest: string): Promise<string> {
  const real = await stat(join(gitDir, 'config'), { bigint: true }).catch(() => null);
  const made = `${rest}${real?.mtimeNs}${real?.ctimeNs}${real?.size}${real?.ino}`;
  return `# Huddle's own; made anew when it is not as expected. ${createHash('sha256').update(made).digest('hex')}\n`;
}

function fixedConfig({ place, remote }: GitRepository): string {
  const { remote: name } = place.repository;
  const entries: (readonly [string, string])[] = [
    [`remote.${name}.url`, remote.address],
    [`remote.${name}.fetch`, `+refs/heads/*:refs/remotes/${name}/*`],
    ...credentialConfig(place),
  ];
  return entries.map(([key, value]) => configEntry(key, value)).join('');
}

function carriedConfig(real: RealConfig): string {
  const format = real.has('extensions.objectformat') ? 1 : 0;
  const entries = [...real]
    .filter(([key]) => carried.test(key))
    .map(([key, values]) => [key, (values.at(-1) ?? '').toLowerCase()] as const)
    .filter(([, value]) => /^[a-z0-9]+$/.test(value));
  const lines = entries.map(([key, value]) => {
    const [section, name] = key.split('.');
    return `[${section}]\n\t${name} = ${value}\n`;
  });
  return `[core]\n\trepositoryformatversion = ${format}\n[core]\n\tbare = false\n${lines.join('')}`;
}

function gone({ doing, workTree }: GitRepository): Failure {
  return new Failure('directory-missing', {
    doing,
    subject: workTree,
    reason: 'the working copy has gone',
    hint: 'Huddle clones it again and puts back what runs; files of your own that were in it are lost.',
  });
}

function refuseUnknown({ doing, workTree }: GitRepository, real: RealConfig): void {
  const unknown = [...real].find(
    ([key, values]) => key.startsWith('extensions.') && !harmless.test(key) && values.at(-1) !== 'files',
  );
  if (unknown === undefined) return;
  throw new Failure('not-supported', {
    doing,
    subject: workTree,
    reason: `the working copy uses ${unknown[0]} = ${unknown[1].at(-1)}`,
    hint: 'Let Huddle clone into another local path.',
  });
}

/** One entry as text of a git config file. */
export function configEntry(key: string, value: string): string {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  const section = key.slice(0, first);
  const middle = first === last ? '' : ` "${escaped(key.slice(first + 1, last))}"`;
  return `[${section}${middle}]\n\t${key.slice(last + 1)} = "${escaped(value)}"\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}

function splitAt(text: string, index: number): [string, string] {
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index)];
}
