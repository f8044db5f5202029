/**
 * `leoflow lite extract`: files and directories of an archive, without a restore.
 */
import { Command, Option } from 'commander';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { extractView } from '../views/extract.js';
import { ARCHIVE_ARGUMENT, archiveInput } from './archive-input.js';
import { addOutputOptions, type OutputFlags, required, workersOption } from './options.js';
import { underReporter } from './under-reporter.js';

interface ExtractFlags extends OutputFlags {
  to?: string;
  force?: true;
  dryRun?: true;
  workers?: number;
}

const NAME_THE_DIRECTORY = 'name the directory: leoflow lite extract <archive> dags/etl --to ~/leoflow';

const HELP = `
Examples:
  leoflow lite extract snap.tar.gz dags/etl --to ~/leoflow
      one directory of the workspace, back to its place: ~/leoflow/dags/etl
  leoflow lite extract snap.tar.gz 'dags/**/*.py' --to /tmp/look
      some files, to another place
  leoflow lite extract snap.tar.gz workspace config.yaml --to /tmp/look
      named as in the archive: /tmp/look/workspace, /tmp/look/config.yaml
  leoflow lite extract snap.tar.gz dags/etl.py --to ~/leoflow --force
      in place of the file that is there, which is kept under another name
  leoflow lite extract snap.tar.gz dags --to ~/leoflow --dry-run
      check what would be extracted, say what would happen, change nothing

Patterns are as for 'leoflow lite list', but may as well begin with the path in the workspace.
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command. */
export function extractCommand({ around, finish }: CommandContext): Command {
  const command = new Command('extract')
    .summary('get files or directories back from an archive')
    .description(
      'Gets files or directories of an archive back, without a restore.\nNothing is changed before all of them are read, checked and staged.',
    )
    .argument('<archive>', ARCHIVE_ARGUMENT)
    .argument('<pattern...>', 'paths in the workspace, or names as in the archive')
    .addOption(
      new Option('--to <dir>', 'where it goes: below this directory, under the name it is asked for by').argParser(
        required('--to', NAME_THE_DIRECTORY),
      ),
    )
    .addOption(new Option('--force', 'replace files that are in the way; they are kept under another name'))
    .addOption(new Option('--dry-run', 'check what is wanted and say what would happen, but change nothing'))
    .addOption(workersOption());
  addOutputOptions(command, 'all that was made, and the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (archive: string, patterns: string[], flags: ExtractFlags) =>
      finish(await runExtract(archive, patterns, flags, around)),
    );
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runExtract(
  name: string,
  patterns: readonly string[],
  flags: ExtractFlags,
  around: Surroundings,
): Promise<number> {
  const { to, force, workers } = flags;
  const archive = archiveInput(name, around.stdin);
  if (patterns.includes('')) throw new UsageError('a pattern must not be empty');
  if (to === undefined) throw new UsageError('--to is missing', NAME_THE_DIRECTORY);
  const dryRun = flags.dryRun === true;
  return underReporter(await createReporter(extractView({ dryRun }), flags, around), async (hooks) => {
    // Loaded only here: help and usage errors need no engine.
    const { extract } = await import('../../index.js');
    return extract({
      ...hooks,
      archive,
      patterns,
      to,
      dryRun,
      ...(force && { force }),
      ...(workers !== undefined && { workers }),
    });
  });
}
