/**
 * `leoflow lite prune`: removes the archives that no rule keeps.
 */
import { Command, Option } from 'commander';
import { EXIT, exitStatusHelp } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { pruneView } from '../views/prune.js';
import { addKeepOptions, type KeepFlags, keepRules } from './keep-rules.js';
import { addOutputOptions, type OutputFlags, required } from './options.js';
import { underReporter } from './under-reporter.js';

interface PruneFlags extends KeepFlags, OutputFlags {
  dryRun?: true;
}

const HELP = `
An archive that at least one rule keeps is kept. The newest good one always is. What is damaged, or no archive at all,
is not touched, and does not count. One that is not complete (its backup ended with status 3) never makes a complete
one go, and goes itself where its day, week … has a complete one. Hours, days, weeks, months and years are those of
UTC; those without an archive do not count. <n> may be 'unlimited', too.

Examples:
  leoflow lite prune /backups --keep-daily 7 --keep-weekly 4 --keep-monthly 12
      the newest archive of each of 7 days, 4 weeks and 12 months
  leoflow lite prune /backups --keep-within 30d --keep-yearly unlimited
      all of the last 30 days, and one of each year
  leoflow lite prune /backups --keep-last 10 --dry-run
      say what would be removed, and why the others are kept

Environment:
  NO_COLOR                  no colours
  FORCE_COLOR               colours, also where the output is not a terminal

Where an archive cannot be removed, the others are, and the exit status is 1.
${exitStatusHelp([EXIT.incomplete, EXIT.refused])}`;

/** Builds the command. */
export function pruneCommand({ around, finish }: CommandContext): Command {
  const command = new Command('prune')
    .summary('remove archives that no rule keeps')
    .description('Removes the archives in a directory that no rule keeps, and says why the others are kept.')
    .argument('<dir>', 'the directory with the archives');
  addKeepOptions(command).addOption(new Option('--dry-run', 'say what would be removed, but remove nothing'));
  addOutputOptions(command, 'every file that was not touched, and the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (directory: string, flags: PruneFlags) => finish(await runPrune(directory, flags, around)));
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runPrune(named: string, flags: PruneFlags, around: Surroundings): Promise<number> {
  const directory = required('the name of the directory', null)(named);
  const keep = keepRules(flags);
  const dryRun = flags.dryRun === true;
  return underReporter(
    await createReporter(pruneView, flags, around),
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { prune } = await import('../../index.js');
      return prune({ ...hooks, directory, keep, dryRun });
    },
    ({ failed }) => (failed > 0 ? EXIT.failed : EXIT.done),
  );
}
