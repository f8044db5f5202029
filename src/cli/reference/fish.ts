/**
 * The completion script for fish. fish puts together what all scripts say of a command, so another Leoflow's stands beside it.
 */
import { allCommands, type CommandDefinition, type Offer } from './definition.js';

/** The script. @param root what there is to complete */
export function fishCompletion(root: CommandDefinition): string {
  const commands = [...allCommands(root)];
  return `# Completion of leoflow for fish: leoflow lite completion fish | source

# Whether the words in front of the cursor name this command; with a second argument: and nothing else stands there.
function __leoflow_snapshot_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l command leoflow
    for word in $words
        switch "$command $word"
            case ${commands
              .slice(1)
              .map(({ path }) => quoted(path))
              .join(' ')}
                set command "$command $word"
                set -e words[1]
            case '*'
                break
        end
    end
    test "$command" = "$argv[1]"; and begin
        test (count $argv) -eq 1; or test (count $words) -eq 0
    end
end

${commands.flatMap(commandLines).join('\n')}
`;
}

function commandLines({ path, commands, options, arguments: taken }: CommandDefinition): string[] {
  const complete = `complete -c leoflow -n ${quoted(`__leoflow_snapshot_at ${quoted(path)}`)}`;
  const next = `complete -c leoflow -n ${quoted(`__leoflow_snapshot_at ${quoted(path)} next`)}`;
  const [first] = taken;
  return [
    ...commands.map(({ name, summary }) => `${next} -f -a ${quoted(name)} -d ${quoted(summary)}`),
    ...(commands.length > 0 ? [] : [`${complete} ${offerFlags(first?.offer ?? { kind: 'nothing' })}`]),
    ...options.map(({ short, long, value, description }) => {
      const names = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
      const behind = value === null ? '' : ` -r ${offerFlags(value.offer)}`;
      return `${complete} ${names}${behind} -d ${quoted(description)}`;
    }),
  ];
}

function offerFlags(offer: Offer): string {
  switch (offer.kind) {
    case 'words':
      return `-f -a ${quoted(offer.words.join(' '))}`;
    case 'directories':
      return "-f -a '(__fish_complete_directories)'";
    case 'nothing':
      return '-f';
    case 'files':
      return '-F';
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
