/**
 * The tree of commands, and the one way through it: {@link run} takes the words of a command line and returns an exit status.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { backupCommand } from './commands/backup.js';
import { restoreCommand } from './commands/restore.js';
import { describeFailure, EXIT, exitStatusHelp, UsageError } from './exit.js';
import { writeFailure } from './reporters/json.js';
import { failureText } from './reporters/messages.js';
import { type CommandContext, coloursFor, type Surroundings } from './streams.js';

/** Every command of `leoflow lite`; another one is another line. */
const LITE_COMMANDS: readonly ((context: CommandContext) => Command)[] = [backupCommand, restoreCommand];

/**
 * Runs a command line.
 *
 * @param argv the words after the program's name
 * @returns the exit status; it does not throw
 */
export async function run(argv: readonly string[], around: Surroundings): Promise<number> {
  let status: number = EXIT.done;
  const context: CommandContext = {
    around,
    finish(end) {
      status = end;
    },
  };
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
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

function createProgram(context: CommandContext): Command {
  const lite = new Command('lite').description('commands for a Leoflow Lite install');
  for (const create of LITE_COMMANDS) lite.addCommand(create(context));
  const program = new Command('leoflow')
    .description('Puts a whole Leoflow Lite install into one portable archive, and brings it back.')
    .version(`leoflow-snapshot ${packageVersion()}`, '-V, --version', 'print the version')
    .addCommand(lite)
    .addHelpText(
      'after',
      `
Examples:
  leoflow lite backup                    back up the install to the current directory
  leoflow lite restore -i snap.tar.gz    bring it back
  leoflow lite restore --help            say what a restore can be told
${exitStatusHelp()}`,
    );
  for (const command of [program, lite, ...lite.commands]) prepare(command, context.around);
  return program;
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
      throw error.exitCode === 0 || error.code === 'commander.help' ? error : usageError(error, command);
    });
}

/** Says a complaint of commander in the voice of all other errors. */
function usageError(error: CommanderError, command: Command): UsageError {
  const [complaint = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const excess =
    error.code === 'commander.excessArguments' ? command.args[command.registeredArguments.length] : undefined;
  const words: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) words.unshift(at.name());
  const help = `'${words.join(' ')} --help' says what there is`;
  const guess = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '')?.[1];
  return new UsageError(
    excess === undefined ? complaint : `unexpected argument '${excess}'`,
    guess === undefined ? help : `did you mean ${guess}? ${help}`,
  );
}

/**
 * How the user wants to be told of an error, read from a command line that may not be understandable. Where the archive was to go
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
  return { json: words.includes('--json'), stream: archiveOnStdout ? stderr : stdout };
}

function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}
