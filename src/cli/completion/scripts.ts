/** What a shell sources: it asks `infer __complete` with the words up to the cursor, the last of them perhaps empty. */

const BASH = `# bash completion of infer: source <(infer completion bash)
_infer() {
  local IFS=$'\\n'
  COMPREPLY=($(infer __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _infer infer`;

const ZSH = `#compdef infer
# zsh completion of infer: source <(infer completion zsh)
_infer() {
  local -a found
  found=("\${(@f)$(infer __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[*]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
compdef _infer infer`;

const FISH = `# fish completion of infer
function __infer_complete
  set -l words (commandline --tokenize --current-process --cut-at-cursor)
  infer __complete $words[2..] (commandline --current-token) 2>/dev/null
end
complete --command infer --arguments '(__infer_complete)'`;

/** By the name of the shell. */
export const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
