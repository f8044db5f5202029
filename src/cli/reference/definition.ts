/**
 * The commands as they are defined, for what is generated from them: completion scripts and the manual page. Nothing is known here of any one command, so
 * a new one, or a new option, is in all of that by itself.
 */
import type { EventEmitter } from 'node:events';
import type { Argument, Command, Option } from 'commander';

/** What a shell can offer for a value. */
export type Offer =
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'files' }
  | { kind: 'directories' }
  /** Only its user knows. */
  | { kind: 'nothing' };

/** A value as the help shows it, without its brackets: `path|-`. */
export interface ValueDefinition {
  placeholder: string;
  offer: Offer;
}

export interface OptionDefinition {
  /** `-o`; null where it has none. */
  short: string | null;
  /** `--output` */
  long: string;
  /** As the help shows it: `-o, --output <path|->`. */
  flags: string;
  description: string;
  /** Null for a switch. */
  value: ValueDefinition | null;
  isRepeatable: boolean;
}

export interface ArgumentDefinition extends ValueDefinition {
  description: string;
  isVariadic: boolean;
}

export interface CommandDefinition {
  /** `leoflow lite backup` */
  path: string;
  /** Its own: `backup`. */
  name: string;
  /** What stands behind its path on a command line: `[options] <archive...>`. */
  usage: string;
  /** A line. */
  summary: string;
  description: string;
  arguments: readonly ArgumentDefinition[];
  options: readonly OptionDefinition[];
  commands: readonly CommandDefinition[];
  /** What its help says behind the options. */
  afterword: string;
}

/**
 * Reads the definition of a command and all below it.
 *
 * @param wanted which commands are wanted; the parents of one that is are there, too, with no options but that for help
 */
export function defineCommand(
  command: Command,
  wanted: (words: readonly string[]) => boolean = () => true,
  words: readonly string[] = [],
): CommandDefinition {
  const help = command.createHelp();
  const isWanted = wanted(words);
  const own = command.commands.flatMap((below) => {
    const definition = defineCommand(below, wanted, [...words, below.name()]);
    return wanted([...words, below.name()]) || definition.commands.length > 0 ? [definition] : [];
  });
  // commander's `help`, which is none of the commands: it takes the name of one.
  const [helpCommand] = help.visibleCommands(command).filter((below) => !command.commands.includes(below));
  return {
    path: ['leoflow', ...words].join(' '),
    name: command.name(),
    usage: command.usage(),
    summary: command.summary() || command.description(),
    description: command.description(),
    arguments: command.registeredArguments.map(defineArgument),
    options: help
      .visibleOptions(command)
      .filter(({ long }) => isWanted || long === '--help')
      .map(defineOption),
    commands: own.length === 0 || helpCommand === undefined ? own : [...own, helpOn(helpCommand, words, own)],
    afterword: afterwordOf(command),
  };
}

function helpOn(help: Command, words: readonly string[], about: readonly CommandDefinition[]): CommandDefinition {
  const offer: Offer = { kind: 'words', words: about.map(({ name }) => name) };
  const definition = defineCommand(help, () => true, [...words, help.name()]);
  return { ...definition, options: [], arguments: definition.arguments.map((argument) => ({ ...argument, offer })) };
}

/** A command and all below it, in the order of the help. */
export function* allCommands(definition: CommandDefinition): Generator<CommandDefinition> {
  yield definition;
  for (const below of definition.commands) yield* allCommands(below);
}

function defineOption(option: Option): OptionDefinition {
  const placeholder = /[<[](.+)[>\]]/.exec(option.flags)?.[1];
  return {
    short: option.short ?? null,
    long: option.long ?? option.flags,
    flags: option.flags,
    description: option.description,
    value:
      placeholder === undefined ? null : { placeholder, offer: offerFor(placeholder, option.argChoices, 'nothing') },
    isRepeatable: option.variadic || /\brepeatable\b/.test(option.description),
  };
}

function defineArgument(argument: Argument): ArgumentDefinition {
  const placeholder = argument.name();
  const { description, variadic: isVariadic, argChoices } = argument;
  // Shells offer files where they know nothing better.
  return { placeholder, description, isVariadic, offer: offerFor(placeholder, argChoices, 'files') };
}

/** What a placeholder means: it is the convention of all commands. */
function offerFor(placeholder: string, choices: readonly string[] | undefined, otherwise: 'files' | 'nothing'): Offer {
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (/^dir\b/.test(placeholder)) return { kind: 'directories' };
  return { kind: /^(path|file|archive)\b/.test(placeholder) ? 'files' : otherwise };
}

function afterwordOf(command: Command): string {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  // What `addHelpText` listens to.
  (command as Command & EventEmitter).emit('afterHelp', { error: false, command, write });
  return text.trim();
}
