/**
 * The tree of commands, and the one way through it: {@link run} takes the words of a command line and returns an exit status.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { backupCommand } from './commands/backup.js';
import { catCommand } from './commands/cat.js';
import { completionCommand } from './commands/completion.js';
import { diffCommand } from './commands/diff.js';
import { extractCommand } from './commands/extract.js';
import { inspectCommand } from './commands/inspect.js';
import { listCommand } from './commands/list.js';
import { liteCommand } from './commands/lite.js';
import { pruneCommand } from './commands/prune.js';
import { restoreCommand } from './commands/restore.js';
import { setupCommand } from './commands/setup.js';
import { uninstallCommand } from './commands/uninstall.js';
import { verifyCommand } from './commands/verify.js';
import { describeFailure, EXIT, exitStatusHelp, UsageError } from './exit.js';
import { printable } from './format.js';
import { type CommandDefinition, defineCommand } from './reference/definition.js';
import { writeFailure } from './reporters/json.js';
import { failureText } from './reporters/messages.js';
import { type CommandContext, coloursFor, type Surroundings } from './streams.js';

/** Every command of `leoflow lite`; another one is another line. */
const LITE_COMMANDS: readonly ((context: CommandContext) => Command)[] = [
  backupCommand,
  restoreCommand,
  verifyCommand,
  diffCommand,
  listCommand,
  inspectCommand,
  catCommand,
  extractCommand,
  pruneCommand,
  completionCommand,
];

/**
 * Runs a command line.
 *
 * @param argv the words after the program's name
 * @param other the other Leoflow's path, where there is one: then its own setup, Lite and uninstall are to be had, and not ours
 * @returns the exit status; it does not throw
 */
export async function run(argv: readonly string[], around: Surroundings, other: string | null = null): Promise<number> {
  let status: number = EXIT.done;
  const context: CommandContext = {
    around,
    finish(end) {
      status = end;
    },
  };
  try {
    await createProgram(context, other).parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    // `--help` and `--version` come as errors with status 0, a missing command as its help on stderr.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = describeFailure(error);
    const { json, stream } = wantedReport(argv, around);
    if (json) writeFailure(stream, failure);
    else around.stderr.write(failureText(failure, coloursFor(around.stderr, around.env)));
    return failure.status;
  }
}

/** All that there is where no other Leoflow is, for what is generated from it. */
export function programDefinition(): CommandDefinition {
  return defineCommand(createProgram({ around: process, finish: () => undefined }, null));
}

/** The tree of commands. */
export function createProgram(context: CommandContext, other: string | null): Command {
  const isAlone = other === null;
  const lite = isAlone ? liteCommand(context) : new Command('lite').description('commands for a Leoflow Lite install');
  for (const create of LITE_COMMANDS) lite.addCommand(create(context));
  const program = new Command('leoflow')
    // Whatever stands behind the name of a command is that command's.
    .enablePositionalOptions()
    .description('Puts a whole Leoflow Lite install into one portable archive, and brings it back.')
    .version(`leoflow-snapshot ${packageVersion()}`, '-V, --version', 'print the version');
  if (isAlone) program.addCommand(setupCommand(context));
  program.addCommand(lite);
  if (isAlone) program.addCommand(uninstallCommand(context));
  program.addHelpText(
    'after',
    `
Examples:
  leoflow lite backup                    back up the install to the current directory
  leoflow lite restore -i snap.tar.gz    bring it back
  leoflow lite verify snap.tar.gz        check that an archive is good
  leoflow lite diff snap.tar.gz --live   say what has changed since
  leoflow lite list snap.tar.gz          list what is in it
  leoflow lite inspect snap.tar.gz       say what it is, and whether it could be restored here
  leoflow lite extract snap.tar.gz dags/etl --to ~/leoflow
                                         get one directory back
  leoflow lite prune . --keep-daily 7    remove all but the newest archive of each of 7 days
  leoflow lite restore --help            say what a restore can be told
${otherHelp(other)}
${exitStatusHelp()}`,
  );
  for (const command of [program, ...program.commands, ...lite.commands]) prepare(command, context.around);
  return program;
}

/** What becomes of all other command lines. */
function otherHelp(other: string | null): string {
  if (other === null) {
    return `
The Leoflow binary:
  There is none on PATH. Where there is one, setup, uninstall and lite by itself are its own,
  and all that is not above goes to it.`;
  }
  const path = printable(other);
  return `
The Leoflow binary:
  Every other command goes to ${path}, unchanged.
  \`${path} --help\` says what it has. This is leoflow-snapshot ${packageVersion()}.`;
}

/** What all commands have in common: these streams, and errors that are thrown instead of printed. */
function prepare(command: Command, { stdout, stderr, env }: Surroundings): void {
  if (command.commands.length > 0) command.helpCommand('help [command]', 'print the help of a command');
  command
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ styleTitle: (title) => coloursFor(stdout, { ...env, FORCE_COLOR: '1' }).bold(title) })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => stdout.columns || 80,
      getErrHelpWidth: () => stderr.columns || 80,
      getOutHasColors: () => coloursFor(stdout, env).isColorSupported,
      getErrHasColors: () => coloursFor(stderr, env).isColorSupported,
    })
    .exitOverride((error) => {
      const [asked, word] = command.args;
      // `help nope`: the help of all commands is printed by now.
      if (error.code === 'commander.help' && asked === 'help' && word !== undefined && error.exitCode !== 0)
        throw new UsageError(`unknown command '${word}'`);
      throw error.exitCode === 0 || error.code === 'commander.help' ? error : usageError(error, command);
    });
}

/** Says a complaint of commander in the voice of all other errors. */
function usageError(error: CommanderError, command: Command): UsageError {
  const [sentences = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const complaint = sentences.replace(/\. Allowed choices are (.*)\.$/, '; there is $1');
  // A word behind a command that has commands of its own is meant as one of them.
  if (error.code === 'commander.excessArguments' && command.commands.length > 0) return unknownCommand(command);
  const excess =
    error.code === 'commander.excessArguments' ? command.args[command.registeredArguments.length] : undefined;
  const words: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) words.unshift(at.name());
  const help = `\`${words.join(' ')} --help\` says what there is`;
  const guess = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '')?.[1];
  return new UsageError(
    excess === undefined ? complaint : `unexpected argument '${excess}'`,
    guess === undefined ? help : `did you mean ${guess}? ${help}`,
  );
}

/** What commander says where a command with commands of its own has no action: it then knows what was meant. */
function unknownCommand(command: Command): UsageError {
  const names = new Command(command.name()).exitOverride().configureOutput({ outputError: () => undefined });
  for (const known of command.commands) names.command(known.name());
  try {
    names.parse(command.args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return usageError(error, command);
  }
  return new UsageError(`unexpected argument '${command.args[0]}'`);
}

/**
 * How the user wants to be told of an error, read from a command line that may not be understandable. Where the archive, or something of it, was to go
 * to stdout, everything else goes to stderr, as it would have.
 */
function wantedReport(
  argv: readonly string[],
  { stdout, stderr }: Surroundings,
): { json: boolean; stream: Surroundings['stdout'] } {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const archiveOnStdout = words.some(
    (word, index) =>
      ['-o-', '--output=-'].includes(word) || (word === '-' && ['-o', '--output'].includes(words[index - 1] ?? '')),
  );
  const contentOnStdout = words[0] === 'lite' && words[1] === 'cat';
  return { json: words.includes('--json'), stream: archiveOnStdout || contentOnStdout ? stderr : stdout };
}

/** The version of this program, as it is installed. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}
