/**
 * `leoflow lite`: the parent of the commands of an install, and by itself, only where no other Leoflow is installed, the datastore in the foreground.
 */
import { Command } from 'commander';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import { type CommandContext, coloursFor, type Surroundings } from '../streams.js';
import { liteView, servingLines } from '../views/lite.js';
import {
  homeOption,
  jsonOption,
  type PlaceFlags,
  pgBinOption,
  placeEnvironmentHelp,
  placeOptions,
  verboseOption,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface LiteFlags extends PlaceFlags {
  verbose?: true;
  json?: true;
}

const HELP = `
Examples:
  leoflow lite
      run the datastore of ~/.leoflow until Ctrl-C
  leoflow lite --home /srv/leoflow --verbose
      that of another home, and say in the end how long what took
  leoflow lite --json
      tell a program where it listens

By itself it runs the datastore of the install until Ctrl-C:
the scheduler and the user interface come with the Leoflow binary.

Environment:${placeEnvironmentHelp()}
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command, with an action of its own. */
export function liteCommand({ around, finish }: CommandContext): Command {
  return (
    new Command('lite')
      .summary('run the datastore of an install, or back it up and restore it')
      .description('Runs the datastore of a Leoflow Lite install, or one of these commands.')
      // `lite` and its commands share options; each takes those that stand behind it.
      .enablePositionalOptions()
      .addOption(homeOption())
      .addOption(pgBinOption())
      .addOption(verboseOption('the time of each phase, too'))
      .addOption(jsonOption())
      .addHelpText('after', HELP)
      .hook('preSubcommand', (lite, command) => refuseMisplaced(lite, command))
      .action(async (flags: LiteFlags) => finish(await runDatastore(flags, around)))
  );
}

/** An option in front of the command is not the command's: it must not seem to be. */
function refuseMisplaced(lite: Command, command: Command): void {
  const [misplaced] = lite.options.filter((option) => lite.getOptionValueSource(option.attributeName()) === 'cli');
  if (misplaced === undefined) return;
  throw new UsageError(
    `${misplaced.long} stands in front of the command`,
    `write it behind: leoflow lite ${command.name()} ${misplaced.flags}`,
  );
}

/** @returns the exit status */
async function runDatastore(flags: LiteFlags, around: Surroundings): Promise<number> {
  const { json, verbose } = flags;
  const request = { ...(json && { json }), ...(verbose && { verbose }), progress: false };
  const reporter = await createReporter(liteView, request, around);
  return underReporter(reporter, async ({ signal, onEvent }) => {
    // Loaded only here: help and usage errors need no engine.
    const { runLite } = await import('../../index.js');
    return runLite({
      ...placeOptions(flags, around.env),
      signal,
      onEvent(event) {
        if (event.type !== 'serving' || json) return onEvent(event);
        const lines = servingLines(event.serving, coloursFor(around.stdout, around.env));
        around.stdout.write(`${lines.join('\n')}\n`);
      },
    });
  });
}
