/**
 * `leoflow lite inspect`: what an archive is, what takes the room in it, and whether it could be restored here.
 */
import { Command, Option } from 'commander';
import { EXIT, exitStatusHelp } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { inspectView } from '../views/inspect.js';
import { ARCHIVE_ARGUMENT, archiveInput } from './archive-input.js';
import { forReader } from './for-reader.js';
import {
  addInstallOptions,
  addOutputOptions,
  environmentHelp,
  type InstallFlags,
  installOptions,
  type OutputFlags,
  SUPPORTED_SCHEMA_HELP,
  wholeNumber,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface InspectFlags extends InstallFlags, OutputFlags {
  top: number;
}

/** As many of the largest may be asked for. */
const MOST_TOP = 1000;

const HELP = `
Examples:
  leoflow lite inspect snap.tar.gz
      what it holds, the largest directories and files, what was left out, and whether it could be restored here
  leoflow lite inspect --top 30 snap.tar.gz
      more of the largest
  leoflow lite inspect --json snap.tar.gz
      all of it for programs
${environmentHelp(SUPPORTED_SCHEMA_HELP)}

That an archive could not be restored here is no failure: the exit status is 0.
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command. */
export function inspectCommand({ around, finish }: CommandContext): Command {
  const command = new Command('inspect')
    .summary('say what an archive is, and whether it could be restored here')
    .description(
      'Says what an archive is, what takes the room in it, what was left out,\nand whether it could be restored here. Changes and starts nothing.',
    )
    .argument('<archive>', ARCHIVE_ARGUMENT)
    .addOption(
      new Option('--top <n>', 'as many of the largest directories and files')
        .default(10)
        .argParser(wholeNumber('--top', 0, MOST_TOP)),
    );
  addInstallOptions(command);
  addOutputOptions(command, 'all rules that left something out, and the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (archive: string, flags: InspectFlags) => finish(await runInspect(archive, flags, around)));
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runInspect(name: string, flags: InspectFlags, around: Surroundings): Promise<number> {
  const archive = archiveInput(name, around.stdin);
  const { stdout, env } = around;
  const view = inspectView({ bars: stdout.isTTY === true && env.TERM !== 'dumb' });
  const reporter = await createReporter(view, flags, around);
  return forReader(around, () =>
    underReporter(reporter, async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { inspect } = await import('../../index.js');
      return inspect({ ...installOptions(flags, env), ...hooks, archive, top: flags.top });
    }),
  );
}
