/**
 * `leoflow lite cat`: the content of one file of an archive on standard output, and nothing else there.
 */
import { Command } from 'commander';
import { EXIT, exitStatusHelp } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import { archiveStream, type CommandContext, type Surroundings } from '../streams.js';
import { catView } from '../views/cat.js';
import { ARCHIVE_ARGUMENT, archiveInput } from './archive-input.js';
import { addOutputOptions, type OutputFlags, required } from './options.js';
import { underReporter } from './under-reporter.js';

const HELP = `
Examples:
  leoflow lite cat snap.tar.gz workspace/dags/etl.py
      one file of the workspace
  leoflow lite cat snap.tar.gz config.yaml | diff - ~/.leoflow/config.yaml
      the settings, which hold secrets
  leoflow lite cat snap.tar.gz datastore.sql | less
      the dump
  ssh host 'cat snap.tar.gz' | leoflow lite cat - MANIFEST.json
      from standard input

Names are as 'leoflow lite list' prints them. With --json, the result goes to standard error.
Where the content is not what was backed up, the exit status is 1; what was printed then is not to be trusted.
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command. */
export function catCommand({ around, finish }: CommandContext): Command {
  const command = new Command('cat')
    .summary('print one file of an archive')
    .description('Writes the content of one file of an archive to standard output, and checks it.')
    .argument('<archive>', ARCHIVE_ARGUMENT)
    .argument('<name>', 'the file, by its name in the archive');
  addOutputOptions(command, 'how much of the archive was read, too');
  return command
    .addHelpText('after', HELP)
    .action(async (archive: string, name: string, flags: OutputFlags) =>
      finish(await runCat(archive, name, flags, around)),
    );
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runCat(archive: string, name: string, flags: OutputFlags, around: Surroundings): Promise<number> {
  const input = archiveInput(archive, around.stdin);
  const wanted = required('the name of a file', null)(name);
  // What is printed comes from the same terminal as how far it is would be shown on.
  const progress = flags.progress && around.stdout.isTTY !== true;
  return underReporter(
    await createReporter(catView, { ...flags, progress, archiveOnStdout: true }, around),
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { cat } = await import('../../index.js');
      return cat({ ...hooks, archive: input, name: wanted, output: archiveStream(around.stdout) });
    },
  );
}
