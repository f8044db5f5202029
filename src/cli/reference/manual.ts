/**
 * The manual page, `leoflow-lite(1)`: all commands, made of their definitions and of what their help says.
 */
import { type Item, readAfterword } from './afterword.js';
import { allCommands, type CommandDefinition } from './definition.js';
import { bold, heading, optionFlags, plain, synopsis, tagged } from './roff.js';

/** What no command says of itself. */
const BESIDE =
  'This program is called leoflow, as the Leoflow binary is, and stands in front of it: where that is on PATH, every command line that is not for one of the commands of lite below goes to it, unchanged; setup, uninstall and lite by itself then are its own.';
const FILES: readonly Item[] = [
  { term: '~/.leoflow', text: 'The Leoflow home, unless --home names another.' },
  {
    term: '.leoflowignore',
    text: 'In any directory of the workspace: what a backup leaves out, in the syntax of .gitignore.',
  },
  { term: 'leoflow-backup-<UTC>.tar.gz', text: 'An archive. Once unpacked, sha256sum -c SHA256SUMS proves it.' },
];
const SEE_ALSO = ['gzip', 'pg_dump', 'psql', 'sha256sum', 'tar'];

/**
 * The page, as roff source.
 *
 * @param root the program
 * @param version of it
 */
export function manualPage(root: CommandDefinition, version: string): string {
  const commands = [...allCommands(root)].filter(({ path, name }) => path !== root.path && name !== 'help');
  const afterwords = commands.map(({ afterword }) => readAfterword(afterword));
  const environment = new Map(
    afterwords.flatMap(({ sections }) => sections.get('Environment') ?? []).map((item) => [item.term, item]),
  );
  const name = root.description.replace(/^./, (first) => first.toLowerCase()).replace(/\.$/, '');
  const page = [
    `.TH LEOFLOW\\-LITE 1 "" "${plain(`leoflow-snapshot ${version}`)}" "User Commands"`,
    // Commands and names of files must stay in one piece.
    '.nh',
    '.ad l',
    heading('.SH', 'NAME'),
    `leoflow\\-lite \\- ${plain(name)}`,
    heading('.SH', 'SYNOPSIS'),
    commands.map(({ path, usage }) => synopsis(path, usage)).join('\n.br\n'),
    heading('.SH', 'DESCRIPTION'),
    plain(root.description),
    '.PP',
    plain(BESIDE),
    heading('.SH', 'COMMANDS'),
    ...commands.flatMap((command, index) => commandLines(command, afterwords[index]?.paragraphs ?? [])),
    heading('.SH', 'ENVIRONMENT'),
    ...[...environment.values()].map(({ term, text }) => tagged(bold(term), text)),
    heading('.SH', 'EXIT STATUS'),
    ...(readAfterword(root.afterword).sections.get('Exit status') ?? []).map(({ term, text }) =>
      tagged(bold(term), text),
    ),
    heading('.SH', 'EXAMPLES'),
    ...afterwords
      .flatMap(({ sections }) => sections.get('Examples') ?? [])
      .map(({ term, text }) => tagged(bold(term), text)),
    heading('.SH', 'FILES'),
    ...FILES.map(({ term, text }) => tagged(`\\fI${plain(term)}\\fR`, text)),
    heading('.SH', 'SEE ALSO'),
    SEE_ALSO.map((page) => `${bold(page)}(1)`).join(',\n'),
  ];
  return `${page.join('\n')}\n`;
}

/** A command as the help shows it, without what all commands have in common. */
function commandLines(command: CommandDefinition, paragraphs: readonly string[]): string[] {
  const { path, usage, description, arguments: taken, options } = command;
  const about = [...description.split('\n'), ...paragraphs].map(plain);
  return [
    heading('.SS', `${path} ${usage}`),
    about.join('\n.PP\n'),
    ...taken.map((argument) =>
      tagged(`\\fI${plain(argument.placeholder)}\\fR`, withChoices(argument.description, argument)),
    ),
    ...options.map(({ flags, description, value }) => tagged(optionFlags(flags), withChoices(description, value))),
  ];
}

function withChoices(description: string, value: Pick<CommandDefinition['arguments'][number], 'offer'> | null): string {
  if (value?.offer.kind !== 'words') return description;
  return `${description} (choices: ${value.offer.words.join(', ')})`;
}
