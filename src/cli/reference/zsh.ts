/**
 * The completion script for zsh, to be sourced or to lie in `$fpath`.
 */
import {
  allCommands,
  type CommandDefinition,
  type Offer,
  type OptionDefinition,
  type ValueDefinition,
} from './definition.js';

/** The script. @param root what there is to complete */
export function zshCompletion(root: CommandDefinition): string {
  const commands = [...allCommands(root)];
  const parents = commands.filter((command) => command.commands.length > 0);
  return `#compdef leoflow
# Completion of leoflow for zsh: source <(leoflow lite completion zsh)

_leoflow_snapshot() {
  local command=leoflow
  local -i at=2
  while ((at < CURRENT)); do
    case "$command \${words[at]}" in
${commands
  .slice(1)
  .map(({ path }) => `      ('${path}') command='${path}' ;;`)
  .join('\n')}
      (*) break ;;
    esac
    ((at++))
  done
  # Another leoflow's own completion goes on completing what is its own.
  if [[ -n \${_leoflow_snapshot_other-} ]]; then
    case $command in
      (${parents.map(({ path }) => `'${path}'`).join('|')})
        $_leoflow_snapshot_other "$@"
        ((at < CURRENT)) && return
        ;;
    esac
  fi
  ((CURRENT -= at - 2))
  words=("$command" "\${(@)words[at,-1]}")
  local -a below
  case $command in
${commands.map(commandCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _leoflow_snapshot ]]; then
  _leoflow_snapshot "$@"
else
  (($+functions[compdef])) || { autoload -Uz compinit && compinit }
  [[ \${_comps[leoflow]-} == _leoflow_snapshot ]] || typeset -g _leoflow_snapshot_other=\${_comps[leoflow]-}
  compdef _leoflow_snapshot leoflow
fi
`;
}

function commandCase(command: CommandDefinition): string {
  const { path, commands, options } = command;
  const specs = [...options.flatMap(optionSpecs), ...(commands.length > 0 ? [] : argumentSpecs(command))];
  const lines = [`    ('${path}')`];
  if (commands.length > 0) {
    const items = commands.map(({ name, summary }) => quoted(`${name}:${summary}`));
    lines.push(`      below=(\n        ${items.join('\n        ')}\n      )`);
    lines.push('      ((CURRENT == 2)) && _describe -t commands command below');
  }
  lines.push(`      _arguments -S : ${specs.map((spec) => `\\\n        ${quoted(spec)}`).join(' ')}`, '      ;;');
  return lines.join('\n');
}

/** One for each of its names; having used the one, nobody needs the other. */
function optionSpecs({ short, long, value, description, isRepeatable }: OptionDefinition): string[] {
  const before = isRepeatable ? '*' : short === null ? '' : `(${short} ${long})`;
  const text = `[${description.replace(/[\\[\]]/g, '\\$&')}]`;
  const behind = value === null ? '' : valueSpec(value);
  return [
    ...(short === null ? [] : [`${before}${short}${value === null ? '' : '+'}${text}${behind}`]),
    `${before}${long}${value === null ? '' : '='}${text}${behind}`,
  ];
}

function argumentSpecs({ arguments: taken }: CommandDefinition): string[] {
  return taken.map((argument, index) => `${argument.isVariadic ? '*' : index + 1}${valueSpec(argument)}`);
}

function valueSpec({ placeholder, offer }: ValueDefinition): string {
  return `:${placeholder.replaceAll(':', '\\:')}:${action(offer)}`;
}

function action(offer: Offer): string {
  switch (offer.kind) {
    case 'words':
      return `(${offer.words.join(' ')})`;
    case 'directories':
      return '_files -/';
    case 'nothing':
      return ' ';
    case 'files':
      return '_files';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
