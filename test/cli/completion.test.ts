import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { verbs } from '../../src/cli/commands.ts';
import { complete } from '../../src/cli/complete.ts';
import { temporaryFolder } from '../control/fake-source.ts';
import { Child, huddle, start } from './command.ts';

suite('What may come next on a command line', () => {
  test('are the verbs, all of them', () => {
    assert.deepEqual(
      wordsAt(''),
      verbs.map(({ meta }) => meta.name),
    );
    assert.deepEqual(wordsAt('re'), ['restart', 'resume']);
    assert.deepEqual(wordsAt('--json re'), ['restart', 'resume']);
    assert.match(complete(['detac']), /^detach\tHave Huddle leave .*\n$/);
  });

  test('are the options of the verb that are not given yet', () => {
    assert.deepEqual(wordsAt('status --w'), ['--watch']);
    assert.deepEqual(wordsAt('status --watch --w'), []);
    assert.deepEqual(wordsAt('schema --w'), []);
    assert.deepEqual(wordsAt('--o'), ['--once']);
    for (const { meta, args } of verbs) {
      const options = Object.keys(args).filter((name) => args[name]?.type !== 'positional');
      assert.deepEqual(
        wordsAt(`${meta.name} -`),
        options.map((name) => `--${name}`),
      );
    }
  });

  test('are the words of an option or an argument that takes only some', () => {
    assert.deepEqual(wordsAt('service --for '), ['systemd', 'windows']);
    assert.deepEqual(wordsAt('service --for = w'), ['windows']);
    assert.deepEqual(wordsAt('service --for ='), ['systemd', 'windows']);
    assert.deepEqual(wordsAt('service --for=w'), ['--for=windows']);
    assert.deepEqual(wordsAt('completion '), ['bash', 'zsh', 'fish']);
    assert.deepEqual(wordsAt('completion bash '), []);
  });

  test('are folders after an option that takes one', () => {
    for (const line of ['-c ', 'status --state x', '--config = x'])
      assert.equal(complete(line.split(' ')), ':folders\n');
    assert.equal(complete(['history', '-n', '']), '');
  });

  test('are the apps of the folder, each once, and only where an app is wanted', (t) => {
    const folder = temporaryFolder(t);
    for (const file of ['shop.json', 'blog.ini', '_draft.json']) writeFileSync(join(folder, file), '');
    assert.deepEqual(wordsAt(`-c ${folder} stop `), ['blog', 'shop']);
    assert.deepEqual(wordsAt(`stop blog -c ${folder} s`), ['shop']);
    assert.deepEqual(wordsAt(`stop blog -c ${folder} -- `), ['shop']);
    assert.deepEqual(wordsAt(`--config=${folder} rollback `), ['blog', 'shop']);
    assert.deepEqual(wordsAt(`-c ${folder} rollback blog `), []);
    assert.deepEqual(wordsAt(`-c ${folder} deploy blog `), []);
    assert.deepEqual(wordsAt(`-c ${folder} detach `), []);
  });

  test('is nothing, without a complaint, where there is nothing to know', async () => {
    assert.deepEqual(wordsAt('nonsense '), []);
    assert.deepEqual(wordsAt('-c /nowhere stop '), []);
    assert.deepEqual(await start('__complete', '-c', '/nowhere', 'stop', '').ended, {
      code: 0,
      stdout: '',
      stderr: '',
    });
    assert.equal((await start('__complete').ended).code, 0);
  });
});

suite('huddle completion', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    suite(shell, { skip: !has(shell) && `there is no ${shell} here` }, () => {
      test('completes verbs, apps, words of options and folders when Tab is pressed', async (t) => {
        const terminal = await terminalOf(t, shell);
        assert.equal(await terminal.typed('deta\t'), '[detach]');
        assert.equal(
          await terminal.typed(`-c ${terminal.folder} restart sho\t`),
          `[-c][${terminal.folder}][restart][shop]`,
        );
        assert.equal(await terminal.typed('service --for w\t'), '[service][--for][windows]');
        assert.equal(await terminal.typed('service --for=w\t'), '[service][--for=windows]');
        assert.equal(await terminal.typed('status --wat\t'), '[status][--watch]');
        const folder = await terminal.typed(`validate -c ${terminal.folder}/inn\t`);
        assert.equal(folder.replace('/]', ']'), `[validate][-c][${terminal.folder}/inner]`);
      });

      test('never lets a name become a command', async (t) => {
        const terminal = await terminalOf(t, shell);
        for (const name of ['my app', '$(touch pwned)', "it's"]) {
          const folder = temporaryFolder(t);
          writeFileSync(join(folder, `${name}.json`), '');
          assert.equal(await terminal.typed(`-c ${folder} stop \t`), `[-c][${folder}][stop][${name}]`);
        }
        assert.equal(existsSync(join(terminal.folder, 'pwned')), false);
      });
    });
  }

  test('exits 2 for a shell that it does not know', async () => {
    const near = await start('completion', 'bsh').ended;
    assert.deepEqual([near.code, near.stderr], [2, 'huddle: there is no completion for bsh\n  Did you mean bash?\n']);
    const none = await start('completion').ended;
    assert.equal(none.stderr, 'huddle: huddle completion needs a shell\n  There are: bash, zsh, fish.\n');
    assert.equal((await start('completion', 'constructor').ended).code, 2);
  });
});

function wordsAt(line: string): string[] {
  return complete(line.split(' '))
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => each.split('\t')[0] ?? '');
}

function has(shell: string): boolean {
  return spawnSync(shell, ['--version']).status === 0;
}

const prompt = 'READY>';

/** How a shell is started on a terminal with the completion loaded and nothing else that is the user's. */
const starts = {
  bash: (folder: string) => `cd ${folder}; exec bash --noprofile --rcfile ${folder}/completion -i`,
  zsh: (folder: string) => `cd ${folder}; ZDOTDIR=${folder} exec zsh -d -i`,
  fish: (folder: string) =>
    `cd ${folder}; exec fish --no-config --private --init-command 'source ${folder}/completion' -i`,
} as const;

const before = {
  bash: `PS1='${prompt}'\n`,
  zsh: 'autoload -U compinit; compinit -u -D\nPS1=READY\\>\n',
  fish: `function fish_prompt; printf '${prompt}'; end\nset -g fish_autosuggestion_enabled 0\n`,
} as const;

/** A shell on a terminal, in a folder with an app `shop`, and with a `huddle` that writes down what it is called with. */
async function terminalOf(t: TestContext, shell: keyof typeof starts) {
  const folder = temporaryFolder(t);
  const journal = join(folder, 'journal');
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'inner'));
  for (const file of ['shop.json', 'blog.json']) writeFileSync(join(folder, file), '');
  const real = `exec '${process.execPath}' '${huddle}' "$@"`;
  writeFileSync(
    join(folder, 'bin/huddle'),
    `#!/bin/sh\n[ "$1" = __complete ] && ${real}\nprintf '[%s]' "$@" >> '${journal}'; echo >> '${journal}'\n`,
  );
  chmodSync(join(folder, 'bin/huddle'), 0o755);
  const { stdout } = await start('completion', shell).ended;
  for (const file of ['completion', '.zshrc']) writeFileSync(join(folder, file), before[shell] + stdout);
  const env = { PATH: `${folder}/bin:${process.env['PATH']}`, HOME: folder, TERM: 'xterm', LC_ALL: 'C.UTF-8' };
  const child = new Child('script', ['-qefc', starts[shell](folder), '/dev/null'], env, 'pipe');
  t.after(() => child.process.kill());
  const lines = () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').slice(0, -1) : []);
  let prompts = 0;
  return {
    folder,
    /** What `huddle` is called with when this is typed after it, and Enter. */
    async typed(keys: string): Promise<string> {
      await child.said(({ stdout }) => stdout.split(prompt).length > prompts + 1);
      const known = lines().length;
      child.type(`huddle ${keys}`);
      // What is typed after Tab is read when the completion is there.
      prompts = child.stdout.split(prompt).length - 1;
      child.type('\r');
      await child.said(() => lines().length > known);
      return lines().at(-1) ?? '';
    },
  };
}
