/**
 * `leoflow lite list`: what is in an archive.
 */
import { Command, Option } from 'commander';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { NamesReporter } from '../reporters/names.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { listView } from '../views/list.js';
import { ARCHIVE_ARGUMENT, archiveInput } from './archive-input.js';
import { forReader } from './for-reader.js';
import { addOutputOptions, type OutputFlags } from './options.js';
import { underReporter } from './under-reporter.js';

interface ListFlags extends OutputFlags {
  long?: true;
  null?: true;
}

const HELP = `
Examples:
  leoflow lite list snap.tar.gz
      all names, one per line
  leoflow lite list --long snap.tar.gz workspace/dags
      a directory and what is beneath it: mode, size, time and name
  leoflow lite list snap.tar.gz 'workspace/**/*.py'
      all Python files of the workspace
  leoflow lite list --null snap.tar.gz 'workspace/**/*.log' | xargs -0 printf '<%s>\\n'
      names as they are, whatever is in them
  ssh host 'cat snap.tar.gz' | leoflow lite list -
      from standard input

A name as it stands in the archive is that entry, and everything beneath it. In a pattern * is any text within a part
of a name, ? any character, [a-z] one of these, [!a-z] none of them, ** any number of parts, and \\ takes the meaning
from what follows. Quote patterns, so that the shell does not read them first. Behind -- one may begin with a dash.

Where a pattern chooses nothing, the exit status is 1.
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command. */
export function listCommand({ around, finish }: CommandContext): Command {
  const command = new Command('list')
    .summary('list what is in an archive')
    .description('Lists the entries of an archive in its order, one name per line.')
    .argument('<archive>', ARCHIVE_ARGUMENT)
    .argument('[pattern...]', 'names or patterns of entries (default: all)')
    .addOption(new Option('-l, --long', 'mode, size and time, too, and where links lead, as tar tv shows them'))
    .addOption(new Option('-0, --null', 'end names with a NUL and print them as they are').conflicts('json'));
  addOutputOptions(command, 'how much was listed, and how much of the archive was read, too');
  return command
    .addHelpText('after', HELP)
    .action(async (archive: string, patterns: string[], flags: ListFlags) =>
      finish(await runList(archive, patterns, flags, around)),
    );
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runList(
  name: string,
  patterns: readonly string[],
  flags: ListFlags,
  around: Surroundings,
): Promise<number> {
  const archive = archiveInput(name, around.stdin);
  if (patterns.includes('')) throw new UsageError('a pattern must not be empty');
  const { json, long = false, null: isNull = false } = flags;
  return forReader(around, async (reader) => {
    const reporter = json
      ? await createReporter(listView, flags, around)
      : new NamesReporter(listView, flags, { long, isNull }, { ...around, reader });
    const status = await underReporter(
      reporter,
      async ({ signal, ...hooks }) => {
        // Loaded only here: help and usage errors need no engine.
        const { list } = await import('../../index.js');
        return list({ ...hooks, archive, patterns, signal: AbortSignal.any([signal, reader.gone]) });
      },
      ({ unmatched }) => (unmatched.length === 0 ? EXIT.done : EXIT.failed),
    );
    // It was stopped because of its reader.
    return reader.hadEnough ? EXIT.done : status;
  });
}
