/**
 * The completion script for bash. It runs in bash 3.2 (macOS), too, and needs no bash-completion.
 */
import { allCommands, type CommandDefinition, type Offer } from './definition.js';

/** The script. @param root what there is to complete */
export function bashCompletion(root: CommandDefinition): string {
  const commands = [...allCommands(root)];
  const parents = commands.filter((command) => command.commands.length > 0);
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap(({ short, long, value }) => {
      if (value === null) return [];
      const names = [short, long].flatMap((name) => (name === null ? [] : [quoted(`${path} ${name}`)]));
      return [`      ${names.join(' | ')}) ${offerCall(value.offer)}; return ;;`];
    }),
  );
  return `# Completion of leoflow for bash: eval "$(leoflow lite completion bash)"

# Another leoflow's own completion goes on completing what is its own.
if [[ $(complete -p leoflow 2> /dev/null) =~ -F\\ ([^ ]+) && \${BASH_REMATCH[1]} != _leoflow_snapshot ]]; then
  _leoflow_snapshot_other=\${BASH_REMATCH[1]}
fi

# Adds what of these words begins as the word at the cursor does.
_leoflow_snapshot_words() {
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$cur")
}

_leoflow_snapshot_directories() {
  local word
  compopt -o filenames 2> /dev/null
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$cur")
}

# Nothing, and no files either.
_leoflow_snapshot_nothing() {
  compopt +o default +o bashdefault 2> /dev/null
}

_leoflow_snapshot() {
  local IFS=$' \\t\\n' cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=leoflow at=1 ended= word
  COMPREPLY=()
  # --option=value is three words here.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $before == '=' ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((; at < COMP_CWORD; at++)); do
    case "$command \${COMP_WORDS[at]}" in
      ${commands
        .slice(1)
        .map(({ path }) => quoted(path))
        .join(' | ')}) command="$command \${COMP_WORDS[at]}" ;;
      *) break ;;
    esac
  done
  case $command in
    ${parents.map(({ path }) => quoted(path)).join(' | ')})
      if [[ -n \${_leoflow_snapshot_other-} ]]; then
        "$_leoflow_snapshot_other" "$@"
        ((at < COMP_CWORD)) && return
      fi
      ;;
  esac
  for word in "\${COMP_WORDS[@]:at:COMP_CWORD-at}"; do
    [[ $word == -- ]] && ended=1
  done
  if [[ -z $ended ]]; then
    case "$command $before" in
${values.join('\n')}
    esac
    if [[ $cur == -* ]]; then
      case $command in
${commands.map(({ path, options }) => `        '${path}') _leoflow_snapshot_words '${optionWords(options)}' ;;`).join('\n')}
      esac
      return
    fi
  fi
  # Where nothing is said of files, readline offers them.
  case $command in
${commands.map((command) => `    '${command.path}') ${argumentCall(command)} ;;`).join('\n')}
  esac
}

complete -o bashdefault -o default -F _leoflow_snapshot leoflow
`;
}

/** A word of the script; no name of ours has a quote in it. */
function quoted(word: string): string {
  return `'${word}'`;
}

function optionWords(options: CommandDefinition['options']): string {
  return options.flatMap(({ short, long }) => (short === null ? [long] : [short, long])).join(' ');
}

function argumentCall({ commands, arguments: taken }: CommandDefinition): string {
  const words = commands.map(({ name }) => name);
  if (words.length > 0) return `((at == COMP_CWORD)) && _leoflow_snapshot_words '${words.join(' ')}'`;
  const [first] = taken;
  return offerCall(first?.offer ?? { kind: 'nothing' });
}

function offerCall(offer: Offer): string {
  switch (offer.kind) {
    case 'words':
      return `_leoflow_snapshot_words '${offer.words.join(' ')}'`;
    case 'directories':
      return '_leoflow_snapshot_directories';
    case 'nothing':
      return '_leoflow_snapshot_nothing';
    case 'files':
      return ':';
  }
}
