import { meant, Misuse } from './misuse.ts';
import type { Options } from './options.ts';

// The scripts know nothing of the verbs and options: they ask `huddle __complete` at each Tab (`src/cli/complete.ts`), so that
// none of them ever has to be made anew. A name that is offered is quoted: a file's name must not become a command.

const bash = `# bash completion of huddle. To use it in every shell: huddle completion bash >> ~/.bashrc
_huddle() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") word rest
  COMPREPLY=()
  while IFS=$'\\t' read -r word rest; do
    if [[ $word == :folders ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("$(printf %q "$word")")
    fi
  done < <(command "$1" __complete "\${words[@]//\\\\/}" 2>/dev/null)
}
complete -F _huddle huddle
`;

const zsh = `#compdef huddle
# zsh completion of huddle. To use it, save it as _huddle in a folder of $fpath, or (after compinit) in every shell:
# huddle completion zsh >> ~/.zshrc
_huddle() {
  local line tab=$'\\t'
  local -a found
  for line in "\${(@f)$(command $words[1] __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :folders ]]; then
      _files -/
      return
    fi
    [[ -n $line ]] && found+=("\${\${line%%$tab*}//:/\\\\:}:\${line#*$tab}")
  done
  _describe huddle found
}
if [[ $funcstack[1] == _huddle ]]; then _huddle "$@"; else compdef _huddle huddle; fi
`;

const fish = `# fish completion of huddle. To use it: huddle completion fish > ~/.config/fish/completions/huddle.fish
function __huddle_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (command $words[1] __complete $words[2..-1] 2>/dev/null)
  if test "$found" = :folders
    __fish_complete_directories (commandline -ct)
  else
    string join \\n -- $found
  end
end
complete -c huddle -f -a '(__huddle_complete)'
`;

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };

/** The shells that there is a script for. */
export const shells = Object.keys(scripts);

/** `huddle completion bash|zsh|fish`: the script that has the shell complete what is typed after `huddle`. */
export async function completion({ shell }: Options): Promise<number> {
  const known = `There are: ${shells.join(', ')}.`;
  if (shell === undefined) throw new Misuse('huddle completion needs a shell', known);
  if (!shells.includes(shell)) {
    const right = meant(shell, shells);
    throw new Misuse(`there is no completion for ${shell}`, right ? `Did you mean ${right}?` : known);
  }
  process.stdout.write(scripts[shell] ?? '');
  return 0;
}
